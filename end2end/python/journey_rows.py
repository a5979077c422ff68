"""What the programs of this folder share: JSON in and out, and rows in one canonical form whoever read them.

Types decide how a value is written, not how a client happened to hold it: pandas keeps a nullable integer as a float, and
what is missing as None, NaN or NaT.
"""

import datetime
import decimal
import hashlib
import json
import math
import sys

import pandas as pd

# The table's columns in the order in which they came to be; the last two came by schema evolution, and so did `bay`.
TYPES = {
    "visit_id": "long",
    "country": "string",
    "workshop": "string",
    "mileage": "int",
    "cost": "decimal",
    "hours": "double",
    "visited_at": "timestamp",
    "visited_on": "date",
    "warranty": "boolean",
    "parts": "list",
    "scan": "binary",
    "rating": "int",
    "remark": "string",
    "bay": "long",
}


def read_input():
    return json.load(sys.stdin)


def print_output(value):
    json.dump(value, sys.stdout)


def is_missing(value):
    if value is None or value is pd.NaT:
        return True
    return isinstance(value, float) and math.isnan(value)


def canonical(kind, value):
    # A list is never missing by itself, and pandas cannot be asked whether one is.
    if kind == "list" and value is not None and not isinstance(value, float):
        return [int(part) for part in value]
    if is_missing(value):
        return None
    if kind in ("long", "int"):
        if int(value) != value:
            raise ValueError(f"{value!r} is no whole number")
        return int(value)
    if kind == "double":
        return float(value).hex()
    if kind == "decimal":
        return str(decimal.Decimal(value).quantize(decimal.Decimal("0.01")))
    if kind == "boolean":
        return bool(value)
    if kind == "date":
        if isinstance(value, pd.Timestamp):
            value = value.date()
        return value.isoformat()
    if kind == "timestamp":
        value = pd.Timestamp(value)
        if value.tzinfo is None:
            raise ValueError("a timestamp without time zone")
        micros = value.tz_convert("UTC").to_pydatetime()
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (micros - epoch) // datetime.timedelta(microseconds=1)
    if kind == "binary":
        return f"{len(value)}:{hashlib.sha256(value).hexdigest()}"
    return str(value)


def rows_of(columns, records):
    """Sorted rows of `records` (a list of tuples in the order of `columns`), each an object."""
    unknown = [name for name in columns if name not in TYPES]
    if unknown:
        raise ValueError(f"columns that nobody wrote: {unknown}")
    kinds = [TYPES[name] for name in columns]
    rows = [
        {name: canonical(kind, value) for name, kind, value in zip(columns, kinds, record)}
        for record in records
    ]
    rows.sort(key=lambda row: json.dumps(row, sort_keys=True))
    return rows
