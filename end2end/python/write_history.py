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


def with_rows(url, times, points, feed, skip):
    """Groups of files whose rows are on the other side are labels here; joining two labels anew what they are."""
    live, label, broken, copied, moved = {}, {}, set(), set(), []
    pending, number, next_point = 0, 0, 0

    def is_held(path):
        return path in copied or (path in label and label[path] not in broken)

    def sync():
        nonlocal pending
        missing = [path for path in live if not is_held(path)]
        by_rows = [path for path in live if path not in copied and path not in missing]
        few = sum(live[path]["size"] for path in missing)
        all_of_them = few + sum(live[path]["size"] for path in by_rows)
        if feed and pending and all_of_them <= few + pending:
            missing, few = missing + by_rows, all_of_them
        else:
            few += pending
        pending = 0
        for path in missing:
            copied.add(path)
            label.pop(path, None)
        moved.append(few)

    for version, actions in enumerate(commits(url, len(times))):
        while next_point < len(points) and points[next_point] < times[version]:
            sync()
            next_point += 1
        info = next(line["commitInfo"] for line in actions if "commitInfo" in line)
        adds = {line["add"]["path"]: line["add"] for line in actions if "add" in line}
        removes = [line["remove"]["path"] for line in actions if "remove" in line]
        changes = sum(line["cdc"]["size"] for line in actions if "cdc" in line)
        packs = info["operation"] == "OPTIMIZE" and not any(add["dataChange"] for add in adds.values())
        same = removes and sum(map(rows, adds.values())) == sum(rows(live[path]) for path in removes)
        known = all(is_held(path) for path in removes)
        joins = skip and packs and same and known
        if not (skip and packs) and feed and changes and known:
            if changes < sum(add["size"] for add in adds.values()):
                joins = True
                pending += changes
        if joins:
            number += 1
            old = {label[path] for path in removes if path in label}
            for path in [path for path, of in label.items() if of in old]:
                label[path] = number
            for path in adds:
                label[path] = number
        else:
            broken.update(label[path] for path in removes if path in label)
        for path in removes:
            del live[path]
            label.pop(path, None)
        live.update(adds)
    while next_point < len(points):
        sync()
        next_point += 1
    return moved


def figures(url, configuration, start, every):
    days = write(url, configuration)
    times = redate(url, days, start)
    end = start + DAYS * DAY
    points = list(range(start, end + 1, every * DAY))
    loads = range(start, end, 7 * DAY)
    ways = {
        "clone": by_files(url, times, points),
        "clone_feed": with_rows(url, times, points, True, False),
        "clone_skip": with_rows(url, times, points, False, True),
        "clone_both": with_rows(url, times, points, True, True),
    }
    weekly = sum(sum(files_at(url, version_at(times, at)).values()) for at in loads)
    return {
        "commits": len(times),
        "weekly": weekly,
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
