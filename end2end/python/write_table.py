"""Writes the source table: partitioned, changed by deletes, evolved, with a checkpoint in the middle of its log.

in: {"url", "storage_options"}; out: {"version"}
"""

from deltalake import DeltaTable, write_deltalake

from journey_rows import print_output, read_input
from journey_table import EVOLVED, FIRST, visits


def main():
    asked = read_input()
    url, options = asked["url"], asked["storage_options"]

    def append(rows, **more):
        write_deltalake(
            url, rows, mode="append", partition_by=["country"], storage_options=options, **more
        )

    append(visits(FIRST, 0, 1500))
    append(visits(FIRST, 1500, 1000))
    DeltaTable(url, storage_options=options).delete("visit_id % 7 = 0")
    append(visits(EVOLVED, 2500, 700), schema_mode="merge")
    DeltaTable(url, storage_options=options).create_checkpoint()
    # A whole partition goes.
    DeltaTable(url, storage_options=options).delete("country = 'FR'")
    # Larger than a part of a copy, so that it is read and written in ranges.
    append(visits(EVOLVED, 3200, 160, countries=["DE"], scan_bytes=64 * 1024))
    print_output({"version": DeltaTable(url, storage_options=options).version()})


main()
