"""Reads a Delta table with `deltalake`.

in: {"url", "storage_options", "version"?}; out: {"version", "rows"}
"""

from deltalake import DeltaTable

from journey_rows import print_output, read_input, rows_of


def main():
    asked = read_input()
    table = DeltaTable(
        asked["url"], version=asked.get("version"), storage_options=asked["storage_options"]
    )
    data = table.to_pyarrow_table()
    columns = data.column_names
    records = list(zip(*(data.column(name).to_pylist() for name in columns)))
    print_output({"version": table.version(), "rows": rows_of(columns, records)})


main()
