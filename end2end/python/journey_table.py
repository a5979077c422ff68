"""The rows that the programs of this folder write: the same for the same numbers."""

import datetime
import decimal
import random

import pyarrow as pa

# A name that has to be encoded in a path, one that looks encoded, and no name at all among them.
COUNTRIES = ["DE", "FR", "Côte d'Ivoire", "100% a/b=c", None]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

FIRST = pa.schema(
    [
        pa.field("visit_id", pa.int64()),
        pa.field("country", pa.string()),
        pa.field("workshop", pa.string()),
        pa.field("mileage", pa.int32()),
        pa.field("cost", pa.decimal128(12, 2)),
        pa.field("hours", pa.float64()),
        pa.field("visited_at", pa.timestamp("us", tz="UTC")),
        pa.field("visited_on", pa.date32()),
        pa.field("warranty", pa.bool_()),
        pa.field("parts", pa.list_(pa.int64())),
        pa.field("scan", pa.binary()),
    ]
)
EVOLVED = FIRST.append(pa.field("rating", pa.int32())).append(pa.field("remark", pa.string()))
EVOLVED_AGAIN = EVOLVED.append(pa.field("bay", pa.int64()))


def visits(schema, first, count, countries=COUNTRIES, scan_bytes=0):
    """Rows `first` to `first + count`; `scan_bytes` makes them large, and so that nothing can compress them."""
    chance = random.Random(first)
    rows = []
    for number in range(first, first + count):
        at = START + datetime.timedelta(seconds=613 * number, microseconds=number % 1_000_000)
        row = {
            "visit_id": number + 2**53,
            "country": chance.choice(countries),
            "workshop": f"Werkstatt №{number % 17} \"Süd\"\n",
            "mileage": chance.randrange(300_000) if number % 5 else None,
            "cost": decimal.Decimal(chance.randrange(10**9)).scaleb(-2),
            "hours": chance.random() * 8 if number % 7 else None,
            "visited_at": at,
            "visited_on": at.date(),
            "warranty": [True, False, None][number % 3],
            "parts": [number * n for n in range(number % 4)] if number % 6 else None,
            "scan": chance.randbytes(scan_bytes) if scan_bytes else None,
            "rating": number % 6 or None,
            "remark": f"remark {number}" if number % 2 else "",
            "bay": number % 9,
        }
        rows.append({field.name: row[field.name] for field in schema})
    return pa.Table.from_pylist(rows, schema=schema)
