"""Writes the tables of this folder with deltalake: tables that record their changes, row by row, and that are compacted in between.
They are kept, so that the tests of the replication need no Python:

    python -m venv /tmp/feeds && /tmp/feeds/bin/pip install deltalake==1.6.6 pyarrow==26.0.1
    /tmp/feeds/bin/python end2end/feeds/make.py

`rows` has all types whose values can be compared, nested ones too, nulls, and rows that are equal in all columns. `parts` is
partitioned, and rows move from one partition to another. `vectors` has deletion vectors, which deltalake does not write: its log is
written here, as Spark would.
"""

import datetime
import decimal
import json
import random
import shutil
import struct
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

FOLDER = Path(__file__).parent
FEED = {"delta.enableChangeDataFeed": "true"}

INNER = pa.struct([("code", pa.int32()), ("words", pa.list_(pa.string()))])
ROWS = pa.schema(
    [
        ("n", pa.int64()),
        ("small", pa.int16()),
        ("word", pa.string()),
        ("rate", pa.float64()),
        ("price", pa.decimal128(12, 2)),
        ("seen", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("flag", pa.bool_()),
        ("raw", pa.binary()),
        ("inner", INNER),
        ("marks", pa.list_(pa.int64())),
    ]
)
FIRST = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def row(chance, n):
    word = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=24))
    seen = FIRST + datetime.timedelta(microseconds=chance.randrange(10**13))
    row = {
        "n": n,
        "small": n % 100,
        "word": word,
        "rate": n + 0.25,
        "price": decimal.Decimal(n) / 4,
        "seen": seen,
        "day": seen.date(),
        "flag": n % 2 == 0,
        "raw": word.encode()[:8],
        "inner": {"code": n % 7, "words": [word[:3], word[3:9]]},
        "marks": [n, n + 1],
    }
    if n % 9 == 0:
        row |= {"word": None, "rate": None, "inner": None, "marks": []}
    if n % 13 == 0:
        row |= {"seen": None, "day": None, "price": None, "inner": {"code": None, "words": None}}
    return row


def rows(first, count, twice=0):
    chance = random.Random(first)
    made = [row(chance, n) for n in range(first, first + count)]
    return pa.Table.from_pylist(made + made[:twice], schema=ROWS)


def feed_of_rows(path):
    write_deltalake(path, rows(0, 500, twice=20), configuration=FEED)
    write_deltalake(path, rows(500, 400), mode="append")
    # Both of a pair that is equal, and rows of both files.
    DeltaTable(path).update(updates={"small": "small + 1"}, predicate="n = 3 or n = 700")
    DeltaTable(path).delete("n in (4, 18, 650)")
    source = pa.concat_tables([rows(30, 3), rows(2000, 2)])
    (
        DeltaTable(path)
        .merge(source, "t.n = s.n", source_alias="s", target_alias="t")
        .when_matched_update(updates={"word": "'merged'"})
        .when_not_matched_insert_all()
        .execute()
    )
    DeltaTable(path).optimize.compact()
    DeltaTable(path).update(updates={"word": "'after'"}, predicate="n % 200 = 7")
    write_deltalake(path, rows(3000, 300), mode="append")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).delete("n = 3001")
    # A column more.
    more = rows(4000, 5).append_column("later", pa.array(["x"] * 5))
    write_deltalake(path, more, mode="append", schema_mode="merge")
    DeltaTable(path).update(updates={"later": "'y'"}, predicate="n = 40 or n = 4001")
    # All rows of one file, and no row at all.
    DeltaTable(path).delete("n >= 4000")
    DeltaTable(path).update(updates={"small": "0"}, predicate="n = -1")


def feed_of_parts(path):
    def part(first, count):
        table = rows(first, count).select(["n", "word", "rate", "seen"])
        names = ["north", "south", None, "a b"]
        countries = pa.array([names[n % 4] for n in range(count)])
        return table.append_column("part", countries)

    write_deltalake(path, part(0, 1200), configuration=FEED, partition_by=["part"])
    write_deltalake(path, part(1200, 800), mode="append")
    DeltaTable(path).update(updates={"word": "'x'"}, predicate="n in (4, 5, 1206)")
    # From one partition into another.
    DeltaTable(path).update(updates={"part": "'south'"}, predicate="n = 8 or n = 1204")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).delete("n in (12, 13, 14)")
    DeltaTable(path).delete("part = 'north'")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).update(updates={"word": "'z'"}, predicate="n = 1209")


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def vector(positions):
    """An inline deletion vector of an even number of rows."""
    raw = struct.pack("<IQI", 1681511377, 1, 0)
    raw += struct.pack("<IIHHI", 12346, 1, 0, len(positions) - 1, 16)
    raw += b"".join(struct.pack("<H", position) for position in sorted(positions))
    text = ""
    for (value,) in struct.iter_unpack(">I", raw):
        text += "".join(Z85[value // 85**place % 85] for place in (4, 3, 2, 1, 0))
    return {
        "storageType": "i",
        "pathOrInlineDv": text,
        "sizeInBytes": len(raw),
        "cardinality": len(positions),
    }


def feed_of_vectors(path):
    folder = Path(path)
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_change_data").mkdir()
    names = random.Random(7)
    columns = ["n", "word", "rate"]
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in [("n", "long"), ("word", "string"), ("rate", "double")]
    ]

    def commit(version, operation, *actions):
        info = {"commitInfo": {"timestamp": 1_790_000_000_000 + version, "operation": operation}}
        lines = [json.dumps(action) for action in (info, *actions)]
        (folder / "_delta_log" / f"{version:020}.json").write_text("\n".join(lines) + "\n")

    def write(table, below=""):
        name = f"{below}part-00000-{uuid.UUID(int=names.getrandbits(128))}.parquet"
        pq.write_table(table, folder / name, compression="snappy")
        return name, (folder / name).stat().st_size

    def add(file, table, changed=True, dv=None):
        numbers = table["n"].to_pylist()
        stats = {
            "numRecords": len(numbers),
            "minValues": {"n": min(numbers)},
            "maxValues": {"n": max(numbers)},
            "nullCount": {"n": 0},
        }
        if dv:
            stats["tightBounds"] = False
        action = {
            "path": file[0],
            "partitionValues": {},
            "size": file[1],
            "modificationTime": 1_700_000_000_000,
            "dataChange": changed,
            "stats": json.dumps(stats),
        }
        return {"add": action | ({"deletionVector": dv} if dv else {})}

    def remove(file, changed=True, dv=None):
        action = {"path": file[0], "deletionTimestamp": 1_790_000_000_000, "dataChange": changed}
        return {"remove": action | ({"deletionVector": dv} if dv else {})}

    def without(table, positions):
        return table.filter(pa.array([at not in positions for at in range(table.num_rows)]))

    features = ["deletionVectors", "changeDataFeed"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features[:1],
        "writerFeatures": features,
    }
    metadata = {
        "id": "d0000000-0000-4000-8000-000000000001",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": [],
        "configuration": FEED,
        "createdTime": 1_790_000_000_000,
    }
    commit(0, "CREATE TABLE", {"protocol": protocol}, {"metaData": metadata})
    first = rows(0, 600).select(columns)
    one = write(first)
    commit(1, "WRITE", add(one, first))
    gone = vector([3, 5])
    commit(2, "DELETE", remove(one), add(one, first, dv=gone))
    # The file is written anew without the rows that the vector hides, and with one changed.
    lives = without(first, [3, 5])
    old, new = lives.slice(40, 1), lives.slice(40, 1).set_column(1, "word", pa.array(["changed"]))
    second = pa.concat_tables([lives.slice(0, 40), new, lives.slice(41)])
    kinds = pa.array(["update_preimage", "update_postimage"])
    feed = pa.concat_tables([old, new]).append_column("_change_type", kinds)
    two, told = write(second), write(feed, "_change_data/")
    cdc = {"path": told[0], "partitionValues": {}, "size": told[1], "dataChange": False}
    commit(3, "UPDATE", remove(one, dv=gone), add(two, second), {"cdc": cdc})
    third = rows(700, 300).select(columns)
    three, hidden = write(third), vector([0, 299])
    commit(4, "WRITE", add(three, third))
    commit(5, "DELETE", remove(three), add(three, third, dv=hidden))
    whole = pa.concat_tables([second, without(third, [0, 299])])
    four = write(whole)
    commit(6, "OPTIMIZE", remove(two, False), remove(three, False, hidden), add(four, whole, False))


def main():
    makers = [("rows", feed_of_rows), ("parts", feed_of_parts), ("vectors", feed_of_vectors)]
    for name, make in makers:
        path = FOLDER / name
        shutil.rmtree(path, ignore_errors=True)
        make(str(path))


main()
