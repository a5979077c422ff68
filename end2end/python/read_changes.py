"""Reads the changes of a shared table with the Delta Sharing connector, and those of the table itself with `deltalake`.

in: {"profile": path, "table": "share.schema.table", "url": of the table itself,
     "ranges": [{"starting_version", "ending_version"?}], "delta": [true | false | null]}
out: for each range {"shared": [rows, for each way of asking in "delta"], "own": rows}
"""

import contextlib
import sys

import delta_sharing
import pyarrow as pa
from deltalake import DeltaTable

from journey_rows import TYPES, print_output, read_input, rows_of

# When a version was committed two readers may see differently: by the commit's own word, or by its file's time.
TYPES.update({"_change_type": "string", "_commit_version": "long"})
TIME = "_commit_timestamp"


def main():
    asked = read_input()
    shared = f"{asked['profile']}#{asked['table']}"

    def through_share(bounds, delta):
        # The connector prints figures of its own.
        with contextlib.redirect_stdout(sys.stderr):
            frame = delta_sharing.load_table_changes_as_pandas(
                shared, use_delta_format=delta, **bounds
            )
        if len(frame) and frame[TIME].isna().any():
            raise ValueError("a change without a time")
        frame = frame.drop(columns=[TIME])
        records = frame.astype(object).itertuples(index=False, name=None)
        return rows_of(list(frame.columns), records)

    def own(bounds):
        data = pa.table(DeltaTable(asked["url"]).load_cdf(**bounds).read_all()).drop_columns([TIME])
        records = list(zip(*(column.to_pylist() for column in data.columns)))
        return rows_of(data.column_names, records)

    print_output(
        [
            {"shared": [through_share(bounds, delta) for delta in asked["delta"]], "own": own(bounds)}
            for bounds in asked["ranges"]
        ]
    )


main()
