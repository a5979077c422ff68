"""Makes Delta tables to be measured: logs that name many files, of which none is there, and one table of real files.

its argument: {"folder", "kind", ...}; out: {"version", "files"}. The kinds:
"begin": what a table is registered with, one file, version 0.
"large", with "files": instead of that a checkpoint of so many files, in 1000 partitions `p`, as version 10.
"shrink": one more version, in which the first "files" files are gone.
"feed", with "commits" and "changes": each of one added file and so many files of the change data feed.
"rows", with "files" and "rows": real Parquet files of so many rows, in one commit.
"""

import json
import sys
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.parquet as parquet

from journey_rows import print_output

PARTITIONS = 1000
CHUNK = 200_000
BEGAN = 1_767_225_600_000
BYTES = 134_217_728

STRINGS = pa.map_(pa.string(), pa.string())
PROTOCOL = pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32())])
METADATA = pa.struct(
    [
        ("id", pa.string()),
        ("format", pa.struct([("provider", pa.string()), ("options", STRINGS)])),
        ("schemaString", pa.string()),
        ("partitionColumns", pa.list_(pa.string())),
        ("configuration", STRINGS),
        ("createdTime", pa.int64()),
    ]
)
ADD = pa.struct(
    [
        ("path", pa.string()),
        ("partitionValues", STRINGS),
        ("size", pa.int64()),
        ("modificationTime", pa.int64()),
        ("dataChange", pa.bool_()),
        ("stats", pa.string()),
    ]
)
CHECKPOINT = pa.schema([("protocol", PROTOCOL), ("metaData", METADATA), ("add", ADD)])


def metadata(name, partitioned, configuration):
    field = lambda name, kind: {"name": name, "type": kind, "nullable": True, "metadata": {}}
    fields = [field("id", "long"), field("vin", "string"), field("mileage", "double")]
    if partitioned:
        fields.append(field("p", "integer"))
    return {
        "id": f"00000000-0000-4000-8000-{sum(name.encode()):012}",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": ["p"] if partitioned else [],
        "configuration": configuration,
        "createdTime": BEGAN,
    }


def protocol(writer):
    return {"minReaderVersion": 1, "minWriterVersion": writer}


def path_of(number):
    return f"p={number % PARTITIONS}/part-{number:09}-4d7f5f0e-6a3b-4a55-9c1e-2f4f0c1d7a10.c000.{BYTES}.parquet"


def stats_of(number):
    low = number * 1000
    return (
        f'{{"numRecords":1000,"minValues":{{"id":{low},"vin":"WDB{low:014}","mileage":{low}.5}},'
        f'"maxValues":{{"id":{low + 999},"vin":"WDB{low + 999:014}","mileage":{low + 999}.5}},'
        f'"nullCount":{{"id":0,"vin":0,"mileage":0}}}}'
    )


def add(number):
    return {
        "path": path_of(number),
        "partitionValues": {"p": str(number % PARTITIONS)},
        "size": BYTES,
        "modificationTime": BEGAN,
        "dataChange": True,
        "stats": stats_of(number),
    }


def commit(log, version, actions):
    info = {"commitInfo": {"timestamp": BEGAN + version * 1000, "operation": "WRITE"}}
    lines = [json.dumps(action, separators=(",", ":")) for action in [info, *actions]]
    (log / f"{version:020}.json").write_text("\n".join(lines) + "\n")


def begin(folder, asked):
    configuration = {"delta.enableChangeDataFeed": "true"} if asked.get("feed") else {}
    head = [
        {"protocol": protocol(4 if asked.get("feed") else 2)},
        {"metaData": metadata(folder.name, True, configuration)},
    ]
    commit(folder / "_delta_log", 0, [*head, {"add": add(0)}])
    return {"version": 0, "files": 1}


def adds(first, last):
    """A chunk of a checkpoint, column by column: row by row a million of them would take minutes."""
    numbers = range(first, last)
    count = last - first
    values = pa.array([str(number % PARTITIONS) for number in numbers])
    offsets = pa.array(numpy.arange(count + 1, dtype="int32"))
    maps = pa.MapArray.from_arrays(offsets, pa.array(["p"] * count), values)
    columns = [
        pa.array([path_of(number) for number in numbers]),
        maps,
        pa.array(numpy.full(count, BYTES, dtype="int64")),
        pa.array(numpy.full(count, BEGAN, dtype="int64")),
        pa.array(numpy.zeros(count, dtype=bool)),
        pa.array([stats_of(number) for number in numbers]),
    ]
    rows = pa.StructArray.from_arrays(columns, fields=list(ADD))
    nothing = [pa.nulls(count, PROTOCOL), pa.nulls(count, METADATA)]
    return pa.Table.from_arrays([*nothing, rows], schema=CHECKPOINT)


def large(folder, asked):
    log, files, version = folder / "_delta_log", asked["files"], 10
    head = metadata(folder.name, True, {})
    head["format"]["options"], head["configuration"] = [], []
    rows = [{"protocol": protocol(2)}, {"metaData": head}]
    name = log / f"{version:020}.checkpoint.parquet"
    with parquet.ParquetWriter(name, CHECKPOINT, compression="snappy", store_schema=False) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=CHECKPOINT))
        for first in range(0, files, CHUNK):
            writer.write_table(adds(first, min(first + CHUNK, files)), row_group_size=50_000)
    commit(log, version, [])
    last = {"version": version, "size": files + 2}
    (log / "_last_checkpoint").write_text(json.dumps(last))
    # A state of the table as it began must not be carried on from.
    (log / f"{0:020}.json").unlink()
    return {"version": version, "files": files}


def shrink(folder, asked):
    log = folder / "_delta_log"
    version = 1 + max(int(file.name[:20]) for file in log.glob("*.json"))
    gone = [
        {"remove": {"path": path_of(number), "deletionTimestamp": BEGAN, "dataChange": True}}
        for number in range(asked["files"])
    ]
    commit(log, version, gone)
    return {"version": version, "files": 0}


def cdc(version, number):
    return {
        "path": f"_change_data/cdc-{version:05}-{number:05}.{BYTES}.parquet",
        "partitionValues": {"p": str(version % PARTITIONS)},
        "size": BYTES,
        "dataChange": False,
    }


def feed(folder, asked):
    log, commits = folder / "_delta_log", asked["commits"]
    for version in range(1, commits + 1):
        changes = [{"cdc": cdc(version, number)} for number in range(asked["changes"])]
        commit(log, version, [{"add": add(version)}, *changes])
    return {"version": commits, "files": commits + 1}


def rows(folder, asked):
    files, each = asked["files"], asked["rows"]
    actions = [{"protocol": protocol(2)}, {"metaData": metadata(folder.name, False, {})}]
    for number in range(files):
        name = f"part-{number:05}.parquet"
        ids = numpy.arange(number * each, (number + 1) * each, dtype="int64")
        table = pa.table(
            {"id": ids, "vin": [f"WDB{found:014}" for found in ids.tolist()], "mileage": ids + 0.5}
        )
        parquet.write_table(table, folder / name)
        actions.append(
            {
                "add": {
                    "path": name,
                    "partitionValues": {},
                    "size": (folder / name).stat().st_size,
                    "modificationTime": BEGAN,
                    "dataChange": True,
                    "stats": json.dumps({"numRecords": each}),
                }
            }
        )
    commit(folder / "_delta_log", 0, actions)
    return {"version": 0, "files": files}


KINDS = {"begin": begin, "large": large, "shrink": shrink, "feed": feed, "rows": rows}


def main():
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    (folder / "_delta_log").mkdir(parents=True, exist_ok=True)
    print_output(KINDS[asked["kind"]](folder, asked))


main()
