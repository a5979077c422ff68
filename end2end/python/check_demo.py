"""Checks the demo world with Python `deltalake`, a reader that is not ours.

    check_demo.py DATA [--journey demo.json]

Every version of every source table must have the files, bytes, rows and columns that Entrepôt's own reader noted in
DATA/demo-tables.json, and as many rows must really be in the Parquet files. With what `entrepot demo --json` printed,
each replica must hold exactly the rows of its source at the version of its last sync, no file that the source forgot
longer ago than the retention, and none that its log does not know.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset
from deltalake import DeltaTable

# Our reader shows types as SQL does, the log calls them as here.
SQL = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
RETENTION_HOURS = 168
REPLICA_STORAGES = {"az_weu": "azure_westeurope/exchange", "gcp_ew3_replicas": "gcp_europe-west3/exchange"}


def differ(where, what, ours, theirs):
    sys.exit(f"{where}: {what}: Entrepôt says {ours!r}, deltalake says {theirs!r}")


def check_version(path, line):
    where = f"{path} version {line['version']}"
    table = DeltaTable(path, version=line["version"])
    adds = pa.table(table.get_add_actions(flatten=True))
    files = sorted(zip(adds["path"].to_pylist(), adds["size_bytes"].to_pylist()))
    digest = hashlib.sha256("".join(f"{name}\t{size}\n" for name, size in files).encode()).hexdigest()
    fields = json.loads(table.schema().to_json())["fields"]
    columns = [
        {
            "name": field["name"],
            "type": SQL.get(field["type"], field["type"]),
            "nullable": field["nullable"],
            "comment": field["metadata"].get("comment"),
        }
        for field in fields
    ]
    counted = sum(
        pa.dataset.dataset(f"{path}/{name}", format="parquet").count_rows() for name, _ in files
    )
    theirs = {
        "files": len(files),
        "bytes": sum(size for _, size in files),
        "rows": sum(adds["num_records"].to_pylist()) if files else 0,
        "digest": digest,
        "columns": columns,
    }
    for what, value in theirs.items():
        if line[what] != value:
            differ(where, what, line[what], value)
    if counted != line["rows"]:
        differ(where, "rows in the files", line["rows"], counted)


def rows(path, version=None):
    table = DeltaTable(path, version=version).to_pyarrow_table()
    return table.sort_by([(table.column_names[0], "ascending")])


def check_tables(data):
    histories = json.loads((data / "demo-tables.json").read_text())
    versions = 0
    for history in histories:
        path = data / "clouds" / history["path"]
        newest = DeltaTable(path).version()
        if newest != history["versions"][-1]["version"]:
            differ(path, "newest version", history["versions"][-1]["version"], newest)
        for line in history["versions"]:
            check_version(str(path), line)
            versions += 1
        found = rows(path)
        if found.num_rows != history["versions"][-1]["rows"]:
            differ(path, "rows read", history["versions"][-1]["rows"], found.num_rows)
    print(f"{versions} versions of {len(histories)} tables are the same to both readers")
    return {(history["product"], history["table"]): history for history in histories}


def forgotten(replica, before):
    """The files that the replica's log removed before an instant (milliseconds) and does not hold any more."""
    gone = set()
    for commit in sorted((replica / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            remove = json.loads(line).get("remove")
            if remove and remove["deletionTimestamp"] < before:
                gone.add(str(replica / unquote(remove["path"])))
    return gone


def check_replicas(data, histories, journey):
    last = {}
    for run in journey["sync_runs"]:
        last[run["product"], run["table"], run["to"]] = run
    if not last:
        sys.exit("the journey has no sync runs")
    for (product, table, to), run in sorted(last.items()):
        version = run["source_version"]
        source = data / "clouds" / histories[product, table]["path"]
        replica = data / "clouds" / REPLICA_STORAGES[to] / product / "default" / table
        if not rows(source, version).equals(rows(replica)):
            sys.exit(f"{replica}: not the rows of {source} version {version}")
        kept = {uri.removeprefix("file://") for uri in DeltaTable(replica).file_uris()}
        on_disk = {str(file) for file in replica.rglob("*.parquet") if "_delta_log" not in file.parts}
        if missing := kept - on_disk:
            sys.exit(f"{replica}: files are missing: {sorted(missing)[:3]}")
        # A vacuum follows every sync. What the source forgot longer ago than the retention is gone from the disk.
        synced = datetime.fromisoformat(run["at"].replace("Z", "+00:00")).timestamp()
        gone = forgotten(replica, (synced - RETENTION_HOURS * 3600) * 1000) - kept
        if left := gone & on_disk:
            sys.exit(f"{replica}: removed before the retention and still there: {sorted(left)[:3]}")
        if strangers := on_disk - kept - forgotten(replica, float("inf")):
            sys.exit(f"{replica}: files that no commit knows: {sorted(strangers)[:3]}")
        print(
            f"{product}/{table} in {to}: the rows of version {version}; {len(gone)} removed files gone, "
            f"{len(on_disk - kept)} still within the retention"
        )


def check_bill(journey):
    copied = defaultdict(int)
    for run in journey["sync_runs"]:
        copied[run["product"]] += run["bytes_copied"]
    billed = defaultdict(int)
    for line in journey["statement_lines"]:
        if not isinstance(line["bytes"], int) or not isinstance(line["amount"], str):
            sys.exit(f"a statement line has wrong types: {line}")
        billed[line["product"]] += line["bytes"]
    for product, bytes_ in copied.items():
        if billed[product] < bytes_:
            sys.exit(f"{product}: {bytes_} bytes were copied, only {billed[product]} are on the statements")
    if any(grant["verified_at"] is None for grant in journey["grants"]):
        sys.exit("a grant was not verified")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--journey", type=Path)
    arguments = parser.parse_args()
    start = time.monotonic()
    histories = check_tables(arguments.data)
    if arguments.journey:
        journey = json.loads(arguments.journey.read_text())
        check_replicas(arguments.data, histories, journey)
        check_bill(journey)
    print(f"checked in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
    # Threads of the readers may still run; the interpreter's end aborts now and then when they do.
    sys.stdout.flush()
    os._exit(0)
