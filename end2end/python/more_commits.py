"""Goes on with the table of `write_table.py`: another evolution, deletes, and a compaction that rewrites what it keeps.

in: {"url", "storage_options"}; out: {"version"}
"""

from deltalake import DeltaTable, write_deltalake

from journey_rows import print_output, read_input
from journey_table import EVOLVED_AGAIN, visits


def main():
    asked = read_input()
    url, options = asked["url"], asked["storage_options"]

    def append(rows):
        write_deltalake(
            url,
            rows,
            mode="append",
            partition_by=["country"],
            schema_mode="merge",
            storage_options=options,
        )

    append(visits(EVOLVED_AGAIN, 5000, 400))
    DeltaTable(url, storage_options=options).delete("visit_id % 11 = 0 and scan is null")
    append(visits(EVOLVED_AGAIN, 5400, 100, countries=["FR", "PT", "100% a/b=c", None]))
    # What is large stays as it is: a sync after this has to copy less than all.
    compacted = DeltaTable(url, storage_options=options).optimize.compact(
        partition_filters=[("country", "in", ["FR", "100% a/b=c"])]
    )
    if not compacted["numFilesRemoved"]:
        raise ValueError("nothing was compacted")
    print_output({"version": DeltaTable(url, storage_options=options).version()})


main()
