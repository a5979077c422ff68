"""Rebuilds the tables that the tests of the Python connector read, from what those tests expect to find in them.

    make.py FOLDER

The tables themselves lie in buckets that only the connector's own developers can read. A file's id is a digest of its
path, so that where a test compares ids, the paths are those that are public: in the protocol's examples and in the history
of the connector's repository. The others are made up, and what compares their ids cannot agree. Rows come in the order of
the log, and each log is written so that this is the order in which the tests look for them.
"""

import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from table import Column, Table

FEED = {"delta.enableChangeDataFeed": "true"}
PEOPLE = [Column("name", "string"), Column("age", "integer"), Column("birthday", "date")]
EVENTS = [Column("eventTime", "timestamp"), Column("date", "date")]
SPRING = date(2021, 4, 28)


def at(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=timezone.utc)


def second(number):
    return datetime.fromtimestamp(number, timezone.utc)


def event(text, **more):
    return {"eventTime": at(text), "date": SPRING, **more}


def person(number, day=date(2020, 1, 1)):
    return {"name": str(number), "age": number, "birthday": day}


def table1(folder):
    table = Table(
        folder, EVENTS, at("2021-04-28T06:30:00"), id="ed96aa41-1d81-4b7f-8fb5-846878b4b0cf", int96=True
    )
    for time in ("2021-04-28T06:32:22.421", "2021-04-28T06:32:02.070"):
        table.insert(at(time), [event(time)], size=781)


def table2(folder):
    told = {"id": "f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2", "partition": ["date"], "int96": True}
    table = Table(folder, EVENTS, at("2021-04-28T23:33:00"), **told)
    for time, made in (
        ("2021-04-28T23:33:57.955", "8b0086f2-7b27-4935-ac5a-8ed6215a6640"),
        ("2021-04-28T23:33:48.719", "591723a8-6a27-4240-a90e-57426f4736d2"),
    ):
        table.insert(at(time), [event(time)], size=573, name=f"part-00000-{made}.c000.snappy.parquet")


def table3(folder):
    told = {"id": "7ba6d727-a578-4234-a138-953f790b427c", "partition": ["date"], "int96": True}
    table = Table(folder, EVENTS, at("2021-04-28T23:35:00"), **told)
    table.evolve(at("2021-04-28T23:35:10"), Column("type", "string"))
    foo, none, bar = (
        event("2021-04-28T23:36:47.599", type="foo"),
        event("2021-04-28T23:35:53.156"),
        event("2021-04-28T23:36:51.945", type="bar"),
    )
    table.insert(at("2021-04-28T23:36:52"), [bar], size=778)
    table.insert(at("2021-04-28T23:36:54"), [none], size=573, only=["eventTime"])
    table.insert(at("2021-04-28T23:36:56"), [foo], size=778)


def table4(folder):
    columns = [Column("type", "string"), *EVENTS]
    table = Table(
        folder,
        columns,
        at("2021-04-28T23:30:00"),
        id="00000000-0000-4000-8000-000000000004",
        partition=["date"],
        int96=True,
    )
    for time in ("2021-04-28T23:33:48.719", "2021-04-28T23:33:57.955"):
        table.insert(at(time), [event(time, type=None)], order=["eventTime", "type"])


def table7(folder):
    some = Column(
        "m", {"type": "array", "elementType": "string", "containsNull": True}, pa.list_(pa.string())
    )
    parts = [Column("foo", "string").described(), Column("bar", "integer").described()]
    kept = pa.struct([("foo", pa.string()), ("bar", pa.int32())])
    struct = Column("n", {"type": "struct", "fields": parts}, kept)
    lookup = {"type": "map", "keyType": "string", "valueType": "integer", "valueContainsNull": True}
    plain = "boolean byte short integer long float double decimal(5,2) string binary timestamp date".split()
    columns = [Column(name, kind) for name, kind in zip("abcdefghijkl", plain)]
    columns += [some, struct, Column("o", lookup, pa.map_(pa.string(), pa.int32()))]
    row = dict(a=True, b=1, c=2, d=3, e=4, f=0.5, g=0.25, h=Decimal("1.50"), i="i", j=b"j")
    row.update(k=at("2021-04-28T12:00:00"), l=SPRING, m=["m"], n={"foo": "n", "bar": 1}, o=[("o", 1)])
    table = Table(
        folder, columns, at("2021-04-28T12:00:00"), id="00000000-0000-4000-8000-000000000007", int96=True
    )
    table.insert(at("2021-04-28T12:01:00"), [row])


def gzip(folder):
    columns = [Column("a", "boolean"), Column("b", "integer"), Column("c", "string")]
    table = Table(
        folder,
        columns,
        at("2021-05-01T00:00:00"),
        id="00000000-0000-4000-8000-000000000099",
        compression="gzip",
    )
    table.insert(at("2021-05-01T00:01:00"), [{"a": True, "b": 1, "c": "Hi"}])


def two_words(folder):
    columns = [Column("c1", "string"), Column("c2", "string")]
    table = Table(folder, columns, at("2021-05-01T00:00:00"), id="00000000-0000-4000-8000-000000000098")
    table.insert(at("2021-05-01T00:01:00"), [{"c1": "foo bar", "c2": "foo bar"}])


def thousands(folder):
    columns = [
        Column("id", "long"),
        Column("name", "string"),
        Column("time", "timestamp"),
        Column("val", "double"),
    ]
    start = at("2025-05-29T02:51:00")
    table = Table(folder, columns, start, id="00000000-0000-4000-8000-000000012000", configuration=FEED)
    epoch, first = datetime(1970, 1, 1, tzinfo=timezone.utc), 0
    after = [51, 53, 54, 56, 57, 58, 60, 61, 63, 64, 65, 67, 69, 71, 72]
    for seconds, count in zip(after, range(100, 1600, 100)):
        rows = [
            {"id": n, "name": f"str_{n}", "time": epoch + timedelta(seconds=n * 10**5), "val": n**0.5}
            for n in range(first, first + count)
        ]
        table.insert(start + timedelta(seconds=seconds), rows)
        first += count


def columns_added(folder):
    start = at("2025-11-20T02:38:00")
    columns = [Column("c1", "integer")]
    table = Table(folder, columns, start, id="00000000-0000-4000-8000-000000000097", configuration=FEED)
    table.insert(at("2025-11-20T02:38:48"), [{"c1": 1}, {"c1": 2}])
    table.evolve(at("2025-11-20T02:39:00"), Column("c2", "integer"))
    table.insert(at("2025-11-20T02:39:24"), [{"c1": 3, "c2": 4}])
    table.change(at("2025-11-20T02:40:07"), lambda row: row["c1"] == 1, lambda row: {"c2": 5})
    table.evolve(at("2025-11-20T02:40:20"), Column("c3", "float"), Column("c4", "float"))
    more = [{"c1": 5, "c2": 6, "c3": 0.1, "c4": 0.1}, {"c1": 6, "c3": 0.2, "c4": 0.2}, {"c1": 7, "c2": 8}]
    table.insert(at("2025-11-20T02:40:46"), more)
    table.change(at("2025-11-20T02:41:04"), lambda row: row["c1"] in (2, 6))
    table.change(
        at("2025-11-20T02:41:09"), lambda row: row["c1"] == 3 or row.get("c2") == 8, lambda row: {"c3": 0.0}
    )
    table.change(at("2025-11-20T02:41:15"), lambda row: row["c1"] < 7, lambda row: {"c4": None})


def columns_added_in_partitions(folder):
    columns = [Column("p1", "float"), Column("p2", "string"), Column("c1", "integer")]
    told = {"id": "00000000-0000-4000-8000-000000000098", "partition": ["p1", "p2"], "configuration": FEED}
    table = Table(folder, columns, at("2025-11-20T03:08:30"), **told)

    def rows(*values):
        return [dict(zip(("p1", "p2", "c1", "c2", "c3"), row)) for row in values]

    table.insert(
        at("2025-11-20T03:08:37"),
        rows((0.1, "a", 0), (0.1, "a", 1), (0.1, "a", 2), (0.1, "b", None), (None, "a", 0)),
    )
    table.insert(at("2025-11-20T03:08:39"), rows((None, None, 0), (None, None, None)))
    table.evolve(at("2025-11-20T03:08:42"), Column("c2", "integer"), Column("c3", "integer"))
    table.change(at("2025-11-20T03:08:45"), lambda row: row["c1"] == 0, lambda row: {"c2": 10})
    table.insert(
        at("2025-11-20T03:08:48"),
        rows((0.1, "b", 3, 30, 300), (0.2, "a", 2, 20, 200), (0.3, "a", 2, 20, 200)),
    )
    table.drop(at("2025-11-20T03:08:50"), lambda row: row["p2"] is None)
    table.change(
        at("2025-11-20T03:08:52"),
        lambda row: row["p1"] is None or row["p2"] == "a",
        lambda row: {"c1": row.get("c2"), "c3": -1},
    )


def local_times(folder):
    features = ["timestampNtz", "changeDataFeed"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features[:1],
        "writerFeatures": features,
    }
    columns = [Column("id", "integer"), Column("time", "timestamp_ntz")]
    told = {"id": "00000000-0000-4000-8000-000000000096", "configuration": FEED, "protocol": protocol}
    table = Table(folder, columns, second(1741140500), **told)
    table.insert(second(1741140565), [{"id": 1, "time": datetime(2021, 7, 1, 8, 43, 28)}])
    table.insert(
        second(1741140657),
        [{"id": 2, "time": datetime(2024, 12, 10, 13, 17, 40)}, {"id": 3, "time": datetime(1000, 1, 1)}],
    )
    exact = {"time": datetime(2024, 12, 10, 13, 17, 40, 123456)}
    table.change(second(1741140666), lambda row: row["id"] == 2, lambda row: exact)
    table.change(second(1741144375), lambda row: row["id"] == 1)


def people(folder):
    told = {"id": "16736144-3306-4577-807a-d3f899b77670", "configuration": FEED, "created": 1651272615011}
    table = Table(folder, PEOPLE, second(1651272616), **told)
    actions = [table.add([person(number)], at=second(1651272634), size=1030) for number in (1, 2, 3)]
    table.commit(second(1651272635), actions)
    table.change(second(1651272655), lambda row: row["age"] == 3)
    table.change(second(1651272660), lambda row: row["age"] == 2, lambda row: {"birthday": date(2020, 2, 2)})
    table.commit(second(1651272700), table.rewritten(second(1651272700), lambda row: row["age"] == 1))
    table.commit(second(1651272710), [])


def people_by_birthday(folder):
    told = {"id": "e21eb083-6976-4159-90f2-ad88d06b7c7f", "configuration": FEED, "created": 1651614964678}
    table = Table(folder, PEOPLE, second(1651614965), partition=["birthday"], **told)
    files = [
        # The path of the first is unknown.
        (person(1), None),
        (person(2), "part-00001-b23096f0-d3db-4286-a447-0a436c0a9c9d.c000.snappy.parquet"),
        (person(3, date(2020, 3, 3)), "part-00002-dcf46026-980e-4599-8232-8ad11900266c.c000.snappy.parquet"),
    ]
    actions = [table.add([row], at=second(1651614979), name=name, size=791) for row, name in files]
    table.commit(second(1651614980), actions)
    table.change(
        second(1651614986),
        lambda row: row["age"] == 2,
        lambda row: {"birthday": date(2020, 2, 2)},
        names=[
            "cdc-00000-be11af93-5494-4809-856e-8dbb20bbb172.c000.snappy.parquet",
            "cdc-00000-1c63deb8-9c6e-44f8-816e-146b834b07e5.c000.snappy.parquet",
        ],
        sizes=[1125, 1132],
    )
    table.drop(
        second(1651614994),
        lambda row: row["birthday"] == date(2020, 3, 3),
        rewrite=lambda row: row["age"] == 1,
    )


def nullable_later(folder):
    told = {"id": "00000000-0000-4000-8000-000000000089", "configuration": FEED}
    table = Table(folder, [Column("name", "string", nullable=False)], second(1668327040), **told)
    table.insert(second(1668327046), [{"name": "1"}], size=568)
    table.evolve(second(1668327048), Column("name", "string"))
    table.insert(second(1668327050), [{"name": "2"}, {"name": None}], size=568)


def mapped(mode, days):
    def build(folder):
        columns = [
            Column("date", "date", mapped=(1, "col-5b0c3a52-3d2f-4d6a-9f1e-0d6f4a7c1e01")),
            Column("eventTime", "timestamp", mapped=(2, "col-5b0c3a52-3d2f-4d6a-9f1e-0d6f4a7c1e02")),
        ]
        configuration = {"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "2"}
        protocol = {"minReaderVersion": 2, "minWriterVersion": 5}
        told = {
            "id": f"00000000-0000-4000-8000-00000000008{mode == 'name':d}",
            "configuration": configuration,
            "protocol": protocol,
        }
        table = Table(folder, columns, at("2024-06-25T12:00:00"), **told)
        hours = [0, 1, 0]
        rows = [
            {"date": date(2024, 6, day), "eventTime": datetime(2024, 6, day, hour, tzinfo=timezone.utc)}
            for day, hour in zip(days, hours)
        ]
        table.insert(at("2024-06-25T12:01:00"), rows)

    return build


def with_vectors(folder):
    columns = [
        Column("id", "long"),
        Column("value", "string"),
        Column("timestamp", "timestamp"),
        Column("rand", "double"),
    ]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    told = {
        "id": "00000000-0000-4000-8000-000000000079",
        "configuration": {"delta.enableDeletionVectors": "true"},
        "protocol": protocol,
    }
    table = Table(folder, columns, at("2023-05-31T18:58:30"), **told)
    # Those of the first three are deleted, and nobody's business.
    drawn = [0.1, 0.2, 0.3, 0.7918174793484931, 0.9281049271981882, 0.27796520310701633, 0.15263801464228832]
    drawn += [0.1981143710215575, 0.3069439236599195, 0.5175919190815845]
    then = at("2023-05-31T18:58:33.633")
    rows = [{"id": n, "value": str(n), "timestamp": then, "rand": number} for n, number in enumerate(drawn)]
    table.insert(then, rows)
    table.mark(at("2023-05-31T18:59:00"), [0, 1, 2])


def mapped_with_vectors(folder):
    columns = [
        Column("id", "long", nullable=False, mapped=(1, "col-62f51670-2c22-4bad-a172-c453ddf09673")),
        Column("rand", "integer", nullable=False, mapped=(2, "col-c985ad35-5524-4e86-89b0-47d6b9012fce")),
        Column(
            "partition_col", "integer", nullable=False, mapped=(3, "col-0bd4d7ce-c925-4748-9259-c03586b29b63")
        ),
    ]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors", "columnMapping"],
        "writerFeatures": ["deletionVectors", "invariants", "columnMapping", "changeDataFeed"],
    }
    configuration = {
        "delta.columnMapping.maxColumnId": "3",
        "delta.columnMapping.mode": "name",
        "delta.enableDeletionVectors": "true",
        **FEED,
    }
    told = {
        "id": "88033a32-ec3c-4592-a606-9b58e2dc245d",
        "configuration": configuration,
        "protocol": protocol,
    }
    table = Table(
        folder, columns, second(1721350004), partition=["partition_col"], created=1721350003845, **told
    )
    drawn = [74, 11, 45, 37, 69, 58, 23, 90, 5, 62]
    rows = [{"id": n, "rand": number, "partition_col": 3} for n, number in enumerate(drawn)]
    table.insert(second(1721350010), rows)
    table.mark(second(1721350020), [1])


# Every table that a list has to show: its share, schema and name, whether its history and its changes are shared, and what
# is in it. Those that the tests list and do not read hold two words.
HISTORY, CHANGES = "history", "change_data_feed"
ALL = (HISTORY, CHANGES)
TABLES = [
    ("share1", "default", "table1", (), table1),
    ("share1", "default", "table3", (), table3),
    ("share1", "default", "table7", (), table7),
    ("share1", "default", "table_temp_cred", (HISTORY,), two_words),
    ("share2", "default", "table2", (), table2),
    ("share3", "default", "table4", (), table4),
    ("share3", "default", "table5", (), two_words),
    ("share4", "default", "test_gzip", (), gzip),
    ("share7", "schema1", "table8", (), two_words),
    ("share7", "schema2", "table9", (), two_words),
    ("share8", "default", "12k_rows", ALL, thousands),
    ("share8", "default", "add_columns_partitioned_cdf", ALL, columns_added_in_partitions),
    ("share8", "default", "add_columns_non_partitioned_cdf", ALL, columns_added),
    ("share8", "default", "timestampntz_cdf_table", ALL, local_times),
    ("share8", "default", "cdf_table_cdf_enabled", ALL, people),
    ("share8", "default", "cdf_table_with_partition", ALL, people_by_birthday),
    ("share8", "default", "streaming_notnull_to_null", ALL, nullable_later),
    ("share8", "default", "table_with_cm_name", (), mapped("name", [25, 25, 25])),
    ("share8", "default", "table_with_cm_id", (), mapped("id", [23, 24, 25])),
    ("share8", "default", "deletion_vectors_with_dvs_dv_property_on", (), with_vectors),
    ("share8", "default", "dv_and_cm_table", (), mapped_with_vectors),
]
AZURE = "wasb abfs temp_cred_abfs wasb_change_query_id wasb_change_query_id_to_be_null wasb_bad_table".split()
TABLES += [("share_azure", "default", f"table_{name}", (), two_words) for name in AZURE]
TABLES += [("share_gcp", "default", f"table_{name}", (), two_words) for name in ("gcs", "temp_cred_gcs")]
LISTED = "cdf_table_with_vacuum cdf_table_missing_log streaming_table_with_optimize streaming_table_metadata_protocol"
LISTED += " streaming_null_to_notnull streaming_cdf_null_to_notnull streaming_cdf_table table_reader_version_increased"
LISTED += " table_with_no_metadata table_data_loss_with_checkpoint table_data_loss_no_checkpoint"
TABLES += [("share8", "default", name, (HISTORY,), two_words) for name in LISTED.split()]
# `share5` and `share6`, which have no tables, cannot be made: what is published here has at least one.


def make(folder):
    for share, schema, name, _, build in TABLES:
        build(Path(folder) / share / schema / name)


if __name__ == "__main__":
    make(sys.argv[1])
