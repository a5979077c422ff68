"""Writes a table that records its changes: appends, a compaction, a delete and an update of some rows, a partition that goes.

in: {"url"}; out: {"version"}
"""

from deltalake import DeltaTable, write_deltalake

from journey_rows import print_output, read_input
from journey_table import FIRST, visits


def main():
    url = read_input()["url"]

    def append(first, count):
        write_deltalake(
            url,
            # deltalake does not find its own files of changes where a name has to be encoded.
            visits(FIRST, first, count, countries=["DE", "FR", None]),
            mode="append",
            partition_by=["country"],
            configuration={"delta.enableChangeDataFeed": "true"},
        )

    append(0, 200)
    append(200, 100)
    if not DeltaTable(url).optimize.compact()["numFilesRemoved"]:
        raise ValueError("nothing was compacted")
    DeltaTable(url).delete("visit_id % 7 = 0")
    DeltaTable(url).update(updates={"mileage": "mileage + 1"}, predicate="visit_id % 11 = 0")
    DeltaTable(url).delete("country = 'FR'")
    print_output({"version": DeltaTable(url).version()})


main()
