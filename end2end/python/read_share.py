"""Reads a shared table with the Delta Sharing connector, by a profile file and nothing else.

in: {"profile": path, "table": "share.schema.table", "delta": [true | false | null]}
out: one {"tables": all that the profile shows, "version", "rows"} for each way of asking in "delta"
"""

import delta_sharing

from journey_rows import print_output, read_input, rows_of


def main():
    asked = read_input()
    client = delta_sharing.SharingClient(asked["profile"])
    tables = [f"{table.share}.{table.schema}.{table.name}" for table in client.list_all_tables()]
    url = f"{asked['profile']}#{asked['table']}"
    version = delta_sharing.get_table_version(url)

    def read(delta):
        frame = delta_sharing.load_as_pandas(url, use_delta_format=delta)
        columns = list(frame.columns)
        records = frame.astype(object).itertuples(index=False, name=None)
        return {"tables": tables, "version": version, "rows": rows_of(columns, records)}

    print_output([read(delta) for delta in asked["delta"]])


main()
