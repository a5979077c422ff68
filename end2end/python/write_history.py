"""Writes two tables with 28 days of history, one with a change feed and one without: a row group appended each day, 0.5 % of the
rows updated each day, all compacted each week. Then says, from the logs and from deltalake's own reading of each version, which
bytes a copy of each would have moved. Nothing of it is Entrepôt's code.

in: {"folder", "start_millis", "every_days"}
out: {"feed": {...}, "plain": {...}}, each with bytes by way
"""

import json
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from journey_rows import print_output, read_input

DAYS = 28
ROWS = 200
DAY = 86_400_000
HOUR = 3_600_000


def write(url, configuration):
    days = []

    def done(day):
        version = DeltaTable(url).version()
        days.extend([day] * (version + 1 - len(days)))

    for day in range(DAYS):
        ids = list(range(day * ROWS, (day + 1) * ROWS))
        rows = pa.table({"id": ids, "value": [number * 7 % 1009 for number in ids]})
        if day % 7 == 6:
            DeltaTable(url).optimize.compact()
        if day == 0:
            write_deltalake(url, rows, configuration=configuration)
        else:
            write_deltalake(url, rows, mode="append")
        if day > 1:
            # What changes has been there for a while.
            predicate = f"id % 200 = {day} and id < {(day - 1) * ROWS}"
            DeltaTable(url).update(updates={"value": "value + 1"}, predicate=predicate)
        done(day)
    return days


def redate(url, days, start):
    """The simulated days: each commit an hour after the one before, the first one at the beginning."""
    times = []
    for version, day in enumerate(days):
        hour = sum(1 for other in days[:version] if other == day)
        times.append(start + day * DAY + hour * HOUR)
        path = Path(url) / "_delta_log" / f"{version:020}.json"
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] = times[-1]
        path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return times


def files_at(url, version):
    table = DeltaTable(url, version=version)
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return {action["path"]: action["size_bytes"] for action in actions}


def version_at(times, instant):
    return max(version for version, at in enumerate(times) if at <= instant)


def by_files(url, times, points):
    held, moved = set(), []
    for point in points:
        files = files_at(url, version_at(times, point))
        moved.append(sum(size for path, size in files.items() if path not in held))
        held = set(files)
    return moved


def commits(url, count):
    for version in range(count):
        path = Path(url) / "_delta_log" / f"{version:020}.json"
        yield [json.loads(line) for line in path.read_text().splitlines()]


def rows(add):
    return json.loads(add["stats"])["numRecords"]


def sets_of(since, groups, skip):
    """Files that went into one another by commits that say how their rows changed, or that they did not. What is held in other
    files goes together from the beginning."""
    sets = []

    def set_of(path):
        for one in sets:
            if path in one["files"]:
                return one
        group = next((group for group in groups if path in group), None)
        one = {"files": set(group or {path}), "changes": 0, "told": group is not None, "broken": False}
        sets.append(one)
        return one

    came, went = set(), set()
    for actions in since:
        info = next(line["commitInfo"] for line in actions if "commitInfo" in line)
        adds = {line["add"]["path"]: line["add"] for line in actions if "add" in line}
        removes = {line["remove"]["path"]: line["remove"] for line in actions if "remove" in line}
        changes = [line["cdc"]["size"] for line in actions if "cdc" in line]
        changed = any(action["dataChange"] for action in [*adds.values(), *removes.values()])
        parts = [set_of(path) for path in [*removes, *adds]]
        if not changes and changed:
            came.update(adds)
            went.update(removes)
            continue
        whole = parts[0]
        for part in parts[1:]:
            if part is not whole and any(part is one for one in sets):
                whole["files"] |= part["files"]
                whole["changes"] += part["changes"]
                whole["broken"] |= part["broken"]
                sets[:] = [one for one in sets if one is not part]
        whole["told"] = True
        whole["changes"] += sum(changes)
        if not changes:
            before, after = (sum(map(rows, side)) for side in ([ADDED[path] for path in removes], adds.values()))
            whole["broken"] |= not (skip and info["operation"] == "OPTIMIZE" and before == after)
    return [one for one in sets if one["told"]], came, went


ADDED = {}


def with_rows(url, times, points, feed, skip):
    """What is fetched for each set is the least of its files and what the feed says of them; nothing for what was only compacted.
    The feed has to be below four fifths of the files."""
    live, held, groups, moved, since = set(), set(), [], [], []
    next_point = 0

    def size(paths):
        return sum(ADDED[path]["size"] for path in paths)

    def sync():
        nonlocal held, groups
        sets, came, went = sets_of(since, groups, skip)
        touched = {path for one in sets for path in one["files"]}
        kept, fetched = [group for group in groups if not group & touched], 0
        for one in sets:
            files = one["files"]
            ends, inputs, without = files & live, (files & came) - live, (files & went) - held
            broken = one["broken"] or files & went & held
            other = one["changes"] + size(without) + size(inputs)
            full = size(ends - held)
            if one["changes"] or without:
                better = feed and other * 10 < full * 8
            else:
                better = skip and other < full
            if ends and not broken and better:
                fetched += other
                kept.append(frozenset(ends))
        stands = set().union(*kept)
        missing = live - held - stands
        moved.append(fetched + size(missing))
        held = ((held | missing) & live) - stands
        groups = kept
        since.clear()

    for version, actions in enumerate(commits(url, len(times))):
        while next_point < len(points) and points[next_point] < times[version]:
            sync()
            next_point += 1
        since.append(actions)
        for line in actions:
            if "add" in line:
                ADDED[line["add"]["path"]] = line["add"]
                live.add(line["add"]["path"])
            elif "remove" in line:
                live.discard(line["remove"]["path"])
    while next_point < len(points):
        sync()
        next_point += 1
    return moved


def figures(url, configuration, start, every):
    days = write(url, configuration)
    times = redate(url, days, start)
    end = start + DAYS * DAY
    points = list(range(start, end + 1, every * DAY))
    ways = {
        "clone": by_files(url, times, points),
        "clone_feed": with_rows(url, times, points, True, False),
        "clone_skip": with_rows(url, times, points, False, True),
        "clone_both": with_rows(url, times, points, True, True),
    }
    weekly, daily, live = (
        sum(sum(files_at(url, version_at(times, at)).values()) for at in range(start, end, step))
        for step in (7 * DAY, DAY, every * DAY)
    )
    return {
        "commits": len(times),
        "weekly": weekly,
        "daily": daily,
        "live": live,
        "versions": [version_at(times, point) for point in points],
        "first_copy": ways["clone"][0],
        "bytes": sum(files_at(url, len(times) - 1).values()),
        **{way: sum(moved) for way, moved in ways.items()},
    }


def main():
    asked = read_input()
    folder, start, every = Path(asked["folder"]), asked["start_millis"], asked["every_days"]
    feed = {"delta.enableChangeDataFeed": "true"}
    print_output(
        {
            "feed": figures(str(folder / "feed"), feed, start, every),
            "plain": figures(str(folder / "plain"), {}, start, every),
        }
    )


main()
