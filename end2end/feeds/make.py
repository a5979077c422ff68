"""Writes the tables of this folder with deltalake: tables that record their changes, row by row, and that are compacted in between.
They are kept, so that the tests of the replication need no Python:

    python -m venv /tmp/feeds && /tmp/feeds/bin/pip install deltalake==1.6.6 pyarrow==26.0.1
    /tmp/feeds/bin/python end2end/feeds/make.py

`rows` has all types whose values can be compared, nested ones too, nulls, and rows that are equal in all columns. `parts` is
partitioned, and rows move from one partition to another.
"""

import datetime
import decimal
import random
import shutil
from pathlib import Path

import pyarrow as pa
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


def main():
    for name, make in [("rows", feed_of_rows), ("parts", feed_of_parts)]:
        path = FOLDER / name
        shutil.rmtree(path, ignore_errors=True)
        make(str(path))


main()
