"""A small writer of Delta tables that leaves nothing to chance: paths, ids, instants and sizes are told.

`deltalake` and Spark choose them by themselves, and the connector's tests compare them. What is here is what those tests need:
plain and partitioned tables, evolved columns, changes with their files, deletion vectors, mapped columns.
"""

import datetime
import io
import json
import os
import struct
import uuid
import zlib
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet

TYPES = {
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "decimal(5,2)": pa.decimal128(5, 2),
    "string": pa.string(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "date": pa.date32(),
}
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
CHANGE_TYPE = "_change_type"


class Column:
    """One column. `mapped` is (id, physical name) where the table maps its columns."""

    def __init__(self, name, kind, arrow=None, nullable=True, mapped=None):
        self.name = name
        self.kind = kind
        self.arrow = arrow or TYPES[kind]
        self.nullable = nullable
        self.mapped = mapped
        self.physical = mapped[1] if mapped else name

    def described(self):
        metadata = {}
        if self.mapped:
            metadata["delta.columnMapping.id"] = self.mapped[0]
            metadata["delta.columnMapping.physicalName"] = self.mapped[1]
        return {"name": self.name, "type": self.kind, "nullable": self.nullable, "metadata": metadata}

    def field(self):
        metadata = {"PARQUET:field_id": str(self.mapped[0])} if self.mapped else None
        return pa.field(self.physical, self.arrow, self.nullable, metadata)


def dense(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def millis(at):
    return round(at.timestamp() * 1000)


def written(value):
    """A value as statistics hold it."""
    if isinstance(value, datetime.datetime):
        text = value.isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def statistics(columns, rows):
    least, most, missing = {}, {}, {}
    for column in columns:
        if str(column.kind) not in TYPES or column.kind in ("binary", "boolean", "decimal(5,2)"):
            continue
        values = [row.get(column.name) for row in rows]
        there = [value for value in values if value is not None]
        if there:
            least[column.physical] = written(min(there))
            most[column.physical] = written(max(there))
        missing[column.physical] = len(values) - len(there)
    return {"numRecords": len(rows), "minValues": least, "maxValues": most, "nullCount": missing}


def roaring(rows):
    """Row numbers below 65,536 as the 64-bit roaring bitmap of the Delta protocol."""
    rows = sorted(rows)
    header = struct.pack("<II", 12346, 1) + struct.pack("<HH", 0, len(rows) - 1)
    bitmap = header + struct.pack("<I", len(header) + 4) + struct.pack(f"<{len(rows)}H", *rows)
    return struct.pack("<Iq", 1681511377, 1) + struct.pack("<I", 0) + bitmap


def base85(data):
    """Z85, which is base 85 with an alphabet of its own."""
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    text = ""
    for at in range(0, len(data), 4):
        (number,) = struct.unpack(">I", data[at : at + 4])
        text += "".join(alphabet[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


class Table:
    """A table that is written commit by commit. A file's action stands in `live` as long as the table holds the file."""

    def __init__(
        self, folder, columns, at, *, id, partition=(), configuration=None, protocol=None, **written_as
    ):
        self.folder = Path(folder)
        self.columns = columns
        self.partition = list(partition)
        self.id = id
        self.configuration = configuration or {}
        self.created = written_as.pop("created", None) or millis(at)
        # How Parquet is written: `int96`, `compression`.
        self.written_as = written_as
        self.version = -1
        self.live = {}
        self.made = 0
        writer = 4 if "delta.enableChangeDataFeed" in self.configuration else 2
        self.protocol = protocol or {"minReaderVersion": 1, "minWriterVersion": writer}
        (self.folder / "_delta_log").mkdir(parents=True)
        self.commit(at, [{"protocol": self.protocol}, self.metadata()])

    def metadata(self):
        schema = {"type": "struct", "fields": [column.described() for column in self.columns]}
        return {
            "metaData": {
                "id": self.id,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": dense(schema),
                "partitionColumns": self.partition,
                "configuration": self.configuration,
                "createdTime": self.created,
            }
        }

    def commit(self, at, actions):
        self.version += 1
        path = self.folder / "_delta_log" / f"{self.version:020}.json"
        info = {"commitInfo": {"timestamp": millis(at), "operation": "WRITE", "operationParameters": {}}}
        path.write_text("".join(dense(action) + "\n" for action in [info, *actions]))
        # The time of a version is the time of its file.
        os.utime(path, (at.timestamp(), at.timestamp()))

    def evolve(self, at, *columns):
        self.columns = [column for column in self.columns if column.name not in [new.name for new in columns]]
        self.columns += columns
        self.commit(at, [self.metadata()])

    def values_of(self, row):
        """The partition of a row, as the log writes it: by physical names, all of it text."""
        columns = [column for column in self.columns if column.name in self.partition]
        return {
            column.physical: None if row.get(column.name) is None else str(written(row[column.name]))
            for column in columns
        }

    def parquet(self, path, rows, columns, size=None):
        """Writes rows as Parquet, as large as told: what is missing becomes a note in the footer. The file's size."""
        schema = pa.schema([column.field() for column in columns])
        arrays = [pa.array([row.get(column.name) for row in rows], column.arrow) for column in columns]

        def content(note):
            sink = io.BytesIO()
            with pa.parquet.ParquetWriter(
                sink,
                schema,
                compression=self.written_as.get("compression", "snappy"),
                use_deprecated_int96_timestamps=self.written_as.get("int96", False),
                store_schema=False,
                use_dictionary=False,
                write_statistics=False,
            ) as writer:
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                if note is not None:
                    writer.add_key_value_metadata({"note": note})
            return sink.getvalue()

        data = content(None)
        if size is not None and len(data) != size:
            data = next((made for n in range(size) if len(made := content("." * n)) >= size), data)
            if len(data) != size:
                raise ValueError(f"{path}: {len(data)} bytes, where {size} were wanted")
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return len(data)

    def place(self, values, name=None, kind="part"):
        self.made += 1
        folders = "".join(f"{key}={NO_VALUE if value is None else value}/" for key, value in values.items())
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.id}/{self.made}")
        start = "_change_data/" if kind == "cdc" else ""
        # A URL that does not show the folder shows the partition nevertheless.
        shown = "".join(f"{value}-" for value in values.values() if value is not None)
        return start + folders + (name or f"{kind}-00000-{shown}{made}.c000.snappy.parquet")

    def add(self, rows, *, at, name=None, size=None, only=None, order=None):
        """Writes one file of rows that are of one partition, and gives its action."""
        values = self.values_of(rows[0])
        columns = [column for column in self.columns if column.name not in self.partition]
        if only:
            columns = [column for column in columns if column.name in only]
        path = self.place(values, name)
        laid = sorted(columns, key=lambda column: order.index(column.name)) if order else columns
        action = {
            "path": quote(path, safe="/=-_.~"),
            "partitionValues": values,
            "size": self.parquet(path, rows, laid, size),
            "modificationTime": millis(at),
            "dataChange": True,
            "stats": dense(statistics(columns, rows)),
        }
        self.live[path] = (action, rows)
        return {"add": action}

    def by_partition(self, rows):
        groups = {}
        for row in rows:
            groups.setdefault(dense(self.values_of(row)), []).append(row)
        return groups.values()

    def insert(self, at, rows, **how):
        self.commit(at, [self.add(group, at=at, **how) for group in self.by_partition(rows)])

    def remove(self, path, at):
        action, _ = self.live.pop(path)
        kept = {key: action[key] for key in ("path", "partitionValues", "size")}
        return {
            "remove": {
                **kept,
                "deletionTimestamp": millis(at),
                "dataChange": True,
                "extendedFileMetadata": True,
            }
        }

    def rewritten(self, at, wanted):
        """Writes the files of these rows again, as OPTIMIZE does: the same rows, later in the log."""
        actions = []
        for path, (_, rows) in list(self.live.items()):
            if all(map(wanted, rows)):
                actions += [self.remove(path, at), self.add(rows, at=at)]
        for action in actions:
            next(iter(action.values()))["dataChange"] = False
        return actions

    def drop(self, at, wanted, rewrite=None):
        """Removes whole files, and may write others again."""
        paths = [path for path, (_, rows) in self.live.items() if all(map(wanted, rows))]
        removed = [self.remove(path, at) for path in paths]
        self.commit(at, removed + (self.rewritten(at, rewrite) if rewrite else []))

    def change(self, at, wanted, become=None, names=(), sizes=()):
        """Deletes rows, or makes others of them, and writes down what changed. `names` and `sizes` are those of its files of changes."""
        actions, changes, kept_rows = [], [], []
        touched = [path for path, (_, rows) in self.live.items() if any(map(wanted, rows))]
        for path in touched:
            for row in self.live[path][1]:
                if not wanted(row):
                    kept_rows.append(row)
                elif become is None:
                    changes.append({**row, CHANGE_TYPE: "delete"})
                else:
                    new = {**row, **become(row)}
                    kept_rows.append(new)
                    changes.append({**row, CHANGE_TYPE: "update_preimage"})
                    changes.append({**new, CHANGE_TYPE: "update_postimage"})
            actions.append(self.remove(path, at))
        actions += [self.add(group, at=at) for group in self.by_partition(kept_rows)]
        columns = [column for column in self.columns if column.name not in self.partition]
        columns.append(Column(CHANGE_TYPE, "string"))
        for number, group in enumerate(self.by_partition(changes)):
            values = self.values_of(group[0])
            path = self.place(values, names[number] if names else None, "cdc")
            size = self.parquet(path, group, columns, sizes[number] if sizes else None)
            cdc = {
                "path": quote(path, safe="/=-_.~"),
                "partitionValues": values,
                "size": size,
                "dataChange": False,
            }
            actions.append({"cdc": cdc})
        self.commit(at, actions)

    def mark(self, at, deleted):
        """Deletes rows of the only file by their numbers, with a vector in a file of its own."""
        ((path, (action, rows)),) = self.live.items()
        removed = self.remove(path, at)["remove"]
        bitmap = roaring(deleted)
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.id}/vector/{self.version}")
        framed = b"\x01" + struct.pack(">I", len(bitmap)) + bitmap + struct.pack(">I", zlib.crc32(bitmap))
        (self.folder / f"deletion_vector_{made}.bin").write_bytes(framed)
        vector = {
            "storageType": "u",
            "pathOrInlineDv": base85(made.bytes),
            "offset": 1,
            "sizeInBytes": len(bitmap),
            "cardinality": len(deleted),
        }
        stats = {**json.loads(action["stats"]), "tightBounds": False}
        action = {**action, "modificationTime": millis(at), "deletionVector": vector, "stats": dense(stats)}
        kept = [row for number, row in enumerate(rows) if number not in deleted]
        self.live[path] = (action, kept)
        self.commit(at, [{"remove": removed}, {"add": action}])
