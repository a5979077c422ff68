"""Goes on with the table of `write_table.py`: rows that are large and cannot be compressed.

in: {"url", "storage_options"}; out: {"version"}
"""

from deltalake import DeltaTable, write_deltalake

from journey_rows import print_output, read_input
from journey_table import EVOLVED, visits


def main():
    asked = read_input()
    url, options = asked["url"], asked["storage_options"]
    write_deltalake(
        url,
        visits(EVOLVED, 7000, 480, countries=["DE"], scan_bytes=64 * 1024),
        mode="append",
        partition_by=["country"],
        storage_options=options,
    )
    print_output({"version": DeltaTable(url, storage_options=options).version()})


main()
