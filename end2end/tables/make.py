"""Writes the tables of this folder with Spark, one for each feature of Delta that a reader of a table may meet, and beside each
what Spark reads from it. They are kept, so that nobody needs Spark who does not want another one:

    python -m venv /tmp/spark && /tmp/spark/bin/pip install pyspark==4.0.0 delta-spark==4.0.0 pandas pyarrow
    /tmp/spark/bin/python end2end/tables/make.py [NAME ...]

`cargo xtask test --spark` writes them anew, elsewhere (`--into FOLDER`); the tests follow them, and Spark
reads the replicas that came of it (`--read REPLICAS`): each has the rows of each version of its source.

NAME.json says
    "needs": the reader features that a client has to name, as in the capabilities header,
    "version": the latest, "states": its rows and those of older versions, by version,
    "changes": {"start": version, "rows": the change data feed from there on}, where the table has one.

What Spark does not write itself (inline deletion vectors, compacted commits) is made of what it wrote, and Spark reads it first.
"""

import argparse
import base64
import glob
import json
import os
import shutil
import struct
import sys
import tempfile
from pathlib import Path

from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession

FOLDER = Path(__file__).parent
parser = argparse.ArgumentParser()
parser.add_argument("--into", type=Path, default=FOLDER)
parser.add_argument("--read", type=Path)
parser.add_argument("names", nargs="*")
arguments = parser.parse_args()
sys.path.insert(0, str(FOLDER.parent / "python"))
from journey_rows import TYPES, rows_of  # noqa: E402

TYPES.clear()
TYPES.update(
    {
        "n": "long",
        "m": "long",
        "rate": "double",
        "word": "string",
        "day": "date",
        "seen": "local",
        "doc": "json",
        "_change_type": "string",
        "_commit_version": "long",
    }
)

builder = (
    SparkSession.builder.master("local[1]")
    .config("spark.driver.memory", "1g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.warehouse.dir", tempfile.mkdtemp())
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.databricks.delta.snapshotPartitions", "1")
)
if "IVY" in os.environ:
    builder = builder.config("spark.jars.ivy", os.environ["IVY"])
spark = configure_spark_with_delta_pip(builder).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")

# Deltas as text: in Spark a document has no other form that is the same for everybody.
READ = {"doc": "to_json(doc) as doc"}


def rows_at(path, **options):
    frame = spark.read.format("delta").options(**options).load(str(path))
    frame = frame.drop("_commit_timestamp")
    frame = frame.selectExpr(*[READ.get(name, f"`{name}`") for name in frame.columns])
    return rows_of(frame.columns, [tuple(row) for row in frame.collect()])


class Table:
    """A table that is being written."""

    def __init__(self, name, columns, partition=None, cluster=None, **properties):
        self.name = name
        self.path = Path(tempfile.mkdtemp()) / name
        said = ", ".join(f"'{key.replace('__', '.')}' = '{value}'" for key, value in properties.items())
        spark.sql(
            f"create table {self} ({columns}) using delta"
            + (f" partitioned by ({partition})" if partition else "")
            + (f" cluster by ({cluster})" if cluster else "")
            + (f" tblproperties ({said})" if said else "")
        )

    def __str__(self):
        return f"delta.`{self.path}`"

    @property
    def log(self):
        return self.path / "_delta_log"

    def sql(self, text):
        spark.sql(text.replace("$t", str(self)))

    def insert(self, *rows):
        """One commit with one file."""
        self.sql("insert into $t select /*+ coalesce(1) */ * from values " + ", ".join(rows))

    def commit(self, version):
        return self.log / f"{version:020}.json"

    def actions(self, version):
        return [json.loads(line) for line in self.commit(version).read_text().splitlines()]

    def write(self, path, actions):
        path.write_text("".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions))

    def rows(self, **options):
        return rows_at(self.path, **options)

    def keep(self, needs="", states=(), changes=None):
        """Takes the table into the folder, with what Spark reads from it."""
        for crc in glob.glob(f"{self.path}/**/.*.crc", recursive=True) + glob.glob(f"{self.log}/*.crc"):
            os.remove(crc)
        spark.catalog.clearCache()
        spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        version = spark.sql(f"describe history {self} limit 1").collect()[0].version
        expected = {
            "needs": needs,
            "version": version,
            "states": {str(state): self.rows(versionAsOf=state) for state in [*states, version]},
        }
        if changes is not None:
            rows = self.rows(readChangeFeed="true", startingVersion=changes)
            expected["changes"] = {"start": changes, "rows": rows}
        target = arguments.into / self.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.path, target)
        for empty in sorted(target.glob("**/"), reverse=True):
            if not any(empty.iterdir()):
                empty.rmdir()
        (arguments.into / f"{self.name}.json").write_text(text_of(expected) + "\n")
        print(self.name, version, sum(path.stat().st_size for path in target.rglob("*") if path.is_file()))


def text_of(value, indent=""):
    """JSON with a line for each row."""
    if isinstance(value, dict) and any(isinstance(part, (dict, list)) for part in value.values()):
        inner = indent + "  "
        lines = (f"{inner}{json.dumps(key)}: {text_of(part, inner)}" for key, part in value.items())
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"{indent}  {json.dumps(row)}" for row in value) + f"\n{indent}]"
    return json.dumps(value)


FEED = {"delta__enableChangeDataFeed": "true"}
VECTORS = {"delta__enableDeletionVectors": "true"}
PLAIN = {"delta__enableDeletionVectors": "false"}


def ten(start):
    return [f"({n}L, 'word {n}')" for n in range(start, start + 10)]


def deletion_vectors(name="deletion_vectors"):
    table = Table(name, "n bigint, word string", **VECTORS, **FEED)
    table.insert(*ten(0))
    table.insert(*ten(10))
    table.sql("delete from $t where n % 5 = 0")
    table.sql("delete from $t where n in (1, 2)")
    table.sql("update $t set word = 'changed' where n in (3, 13)")
    return table


def plain_vectors():
    deletion_vectors().keep("deletionvectors", [2, 3, 4], changes=1)


def inline_vectors():
    """As in `deletion_vectors`, with what the objects hold written into the log."""
    table = deletion_vectors("inline_vectors")
    inlined = 0
    for version in range(6):
        actions = table.actions(version)
        for action in actions:
            for name in ("add", "remove"):
                vector = action.get(name, {}).get("deletionVector")
                if vector:
                    assert vector["storageType"] == "u", vector
                    place = vector["pathOrInlineDv"][-20:]
                    found = uuid_of(base64.b85decode(as_b85(place)))
                    data = next(table.path.rglob(f"deletion_vector_{found}.bin")).read_bytes()
                    at = vector.pop("offset")
                    (size,) = struct.unpack(">i", data[at : at + 4])
                    assert size == vector["sizeInBytes"], (size, vector)
                    body = data[at + 4 : at + 4 + size]
                    body += b"\0" * (-size % 4)
                    vector["storageType"] = "i"
                    vector["pathOrInlineDv"] = as_z85(base64.b85encode(body))
                    inlined += 1
        table.write(table.commit(version), actions)
    assert inlined >= 4, inlined
    for path in table.path.glob("**/deletion_vector_*.bin"):
        path.unlink()
    table.keep("deletionvectors", [3], changes=1)


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"


def as_b85(text):
    return text.translate(str.maketrans(Z85, B85))


def as_z85(data):
    return data.decode().translate(str.maketrans(B85, Z85))


def uuid_of(data):
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def mapped(name, mode):
    table = Table(
        name, "n bigint, word string, day date", "day", delta__columnMapping__mode=mode, **PLAIN, **FEED
    )
    table.insert("(1L, 'a', date'2026-01-01')", "(2L, 'b', date'2026-01-01')")
    table.sql("alter table $t rename column n to m")
    table.sql("alter table $t drop column word")
    table.sql("alter table $t add column word string")
    table.sql("insert into $t (m, day, word) values (3L, date'2026-01-02', 'c'), (4L, date'2026-01-02', 'd')")
    table.sql("update $t set word = 'e' where m = 3")
    table.sql("delete from $t where m = 1")
    table.keep("columnmapping", [1, 5], changes=5)


def mapped_name():
    mapped("mapped_name", "name")


def mapped_id():
    mapped("mapped_id", "id")


def mapped_vectors():
    table = Table(
        "mapped_vectors", "n bigint, word string, day date", "day", delta__columnMapping__mode="name", **VECTORS, **FEED
    )
    table.sql("alter table $t rename column n to m")
    rows = [f"({n}L, 'word {n}', date'2026-01-0{1 + n % 2}')" for n in range(8)]
    table.insert(*rows)
    table.sql("delete from $t where m in (1, 2, 3)")
    table.sql("update $t set word = 'changed' where m = 4")
    table.keep("deletionvectors,columnmapping", [2, 3], changes=2)


def timestamp_ntz():
    table = Table("timestamp_ntz", "n bigint, seen timestamp_ntz", **PLAIN, **FEED)
    table.insert("(1L, timestamp_ntz'2026-01-31 12:30:00')", "(2L, null)")
    table.insert("(3L, timestamp_ntz'1969-12-31 23:59:59.123456')")
    table.keep("timestampntz", [1], changes=1)


def checkpointed(name, form, **properties):
    """A table that can only be read through its checkpoint: what came before it is gone."""
    spark.conf.set("spark.databricks.delta.checkpointV2.topLevelFileFormat", form or "json")
    # Two actions to a file.
    spark.conf.set("spark.databricks.delta.checkpoint.partSize", "2")
    table = Table(name, "n bigint, word string", delta__checkpointInterval="4", **properties)
    for start in range(0, 30, 10):
        table.insert(*ten(start)[:3])
    # What the checkpoint holds is taken back after it: a deletion vector, too.
    table.sql("delete from $t where n = 1")
    table.sql("delete from $t where n = 2")
    spark.conf.unset("spark.databricks.delta.checkpoint.partSize")
    return table


def cut(table, version):
    for path in table.log.glob("*.json"):
        number = path.name.split(".")[0]
        if "checkpoint" not in path.name and number.isdigit() and int(number) < version:
            path.unlink()


def v2_checkpoint_json():
    table = checkpointed("v2_checkpoint_json", "json", delta__checkpointPolicy="v2", **VECTORS)
    cut(table, 4)
    assert list(table.log.glob("*4.checkpoint.*.json")) and len(list(table.log.glob("_sidecars/*"))) > 1
    table.keep("deletionvectors", [4])


def v2_checkpoint_parquet():
    table = checkpointed("v2_checkpoint_parquet", "parquet", delta__checkpointPolicy="v2", **PLAIN)
    cut(table, 4)
    assert list(table.log.glob("*4.checkpoint.*-*.parquet")) and list(table.log.glob("_sidecars/*"))
    table.keep("", [4])


def multi_part_checkpoint():
    table = checkpointed("multi_part_checkpoint", None, **PLAIN)
    cut(table, 4)
    parts = list(table.log.glob("*4.checkpoint.*.*.parquet"))
    assert len(parts) > 1, parts
    table.keep("", [4])


def log_compaction():
    """Two commits are there together, too, as one file with what is left of both."""
    table = Table("log_compaction", "n bigint, word string", **PLAIN)
    for start in range(0, 30, 10):
        table.insert(*ten(start)[:3])
    table.sql("delete from $t where n = 10")
    state = {}
    for version in range(2, 5):
        for action in table.actions(version):
            for name in ("add", "remove"):
                if name in action:
                    action[name]["dataChange"] = False
                    state[action[name]["path"]] = action
    table.write(table.log / f"{2:020}.{4:020}.compacted.json", state.values())
    spark.conf.set("spark.databricks.delta.deltaLog.minorCompaction.useForReads", "true")
    table.keep("", [3])


def in_commit_timestamps():
    """Switched on after a while, so that some commits have none."""
    table = Table("in_commit_timestamps", "n bigint, word string", **PLAIN)
    table.insert(*ten(0)[:2])
    table.sql("alter table $t set tblproperties ('delta.enableInCommitTimestamps' = 'true')")
    table.insert(*ten(10)[:2])
    table.insert(*ten(20)[:2])
    # As if a writer's clock had been wrong: only the commit's own time counts.
    for version, millis in ((2, 1_800_000_000_000), (3, 1_800_000_060_000), (4, 1_800_000_120_000)):
        actions = table.actions(version)
        actions[0]["commitInfo"]["inCommitTimestamp"] = millis
        for action in actions:
            settings = action.get("metaData", {}).get("configuration", {})
            if "delta.inCommitTimestampEnablementTimestamp" in settings:
                settings["delta.inCommitTimestampEnablementTimestamp"] = str(millis)
        table.write(table.commit(version), actions)
    table.keep("", [1, 3])


def type_widening():
    table = Table("type_widening", "n int, rate float, word string", delta__enableTypeWidening="true", **PLAIN)
    table.insert("(1, float(0.5), 'a')", "(2, null, 'b')")
    table.sql("alter table $t alter column n type bigint")
    table.sql("alter table $t alter column rate type double")
    table.insert("(5000000000L, double(0.1), 'c')")
    table.keep("typewidening", [1])


def variant():
    table = Table("variant", "n bigint, doc variant", **PLAIN)
    table.insert("""(1L, parse_json('{"a":[1,"x",null]}'))""", "(2L, null)")
    table.keep("varianttype")


def compacted():
    """What rewrites files and leaves the rows as they are, what purges them, and a merge."""
    table = Table("compacted", "n bigint, word string", **VECTORS, **FEED)
    for start in range(0, 40, 10):
        table.insert(*ten(start))
    table.sql("optimize $t")
    table.sql("delete from $t where n % 10 = 3")
    table.sql(
        "merge into $t t using (select id as n, 'merged' as word from range(35, 45)) s on t.n = s.n"
        " when matched then update set word = s.word"
        " when not matched then insert (n, word) values (s.n, s.word)"
    )
    table.sql("optimize $t zorder by (n)")
    table.sql("delete from $t where n = 1")
    table.sql("reorg table $t apply (purge)")
    table.keep("deletionvectors", [5, 6, 7])


def row_tracking():
    table = Table("row_tracking", "n bigint, word string", delta__enableRowTracking="true", **PLAIN)
    table.insert(*ten(0))
    table.insert(*ten(10))
    table.sql("update $t set word = 'changed' where n in (3, 13)")
    table.sql("optimize $t")
    table.sql("delete from $t where n = 4")
    table.keep("", [2, 3, 4])


def clustered():
    table = Table("clustered", "n bigint, word string", cluster="n", **PLAIN)
    table.insert(*ten(0))
    table.insert(*ten(10))
    table.sql("optimize $t")
    table.insert(*ten(20))
    table.keep("", [2, 3])


def read(replicas):
    """Whether Spark reads from the replicas what it read from the tables, version by version."""
    found = 0
    for said in sorted(arguments.into.glob("*.json")):
        path = replicas / said.stem
        versions = {}
        for commit in path.glob("_delta_log/*.json"):
            info = json.loads(commit.read_text().splitlines()[0])["commitInfo"]
            versions[str(info["sourceVersion"])] = int(commit.stem)
        for state, rows in json.loads(said.read_text())["states"].items():
            there = rows_at(path, versionAsOf=versions[state])
            if there != rows:
                sys.exit(f"{said.stem}, version {state}: Spark reads\n{there}\nfrom the replica, and not\n{rows}")
            found += 1
    if not found:
        sys.exit(f"no tables in {arguments.into}")
    print(f"{found} versions of replicas read")


ALL = [
    plain_vectors,
    inline_vectors,
    mapped_name,
    mapped_id,
    mapped_vectors,
    timestamp_ntz,
    v2_checkpoint_json,
    v2_checkpoint_parquet,
    multi_part_checkpoint,
    log_compaction,
    in_commit_timestamps,
    type_widening,
    variant,
    compacted,
    row_tracking,
    clustered,
]

if arguments.read:
    read(arguments.read)
else:
    arguments.into.mkdir(parents=True, exist_ok=True)
    for make in ALL:
        if not arguments.names or make.__name__ in arguments.names:
            make()
