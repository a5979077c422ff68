"""Reads shared tables, one for each feature of Delta, with the Delta Sharing connector.

in: {"profile": path, "tables": [{"table": "share.schema.table", "versions": [version],
     "changes"?: {"start": version}}]}
out: for each table {"states": {version: rows}, "changes"?: rows}, or {"refused": what the server said}
"""

import contextlib
import sys

import delta_sharing
from requests.exceptions import HTTPError

from journey_rows import TYPES, print_output, read_input, rows_of

# The columns of `end2end/tables/make.py`.
TYPES.clear()
TYPES.update(
    {
        "n": "long",
        "m": "long",
        "rate": "double",
        "word": "string",
        "day": "date",
        "seen": "local",
        "doc": "json",
        "_change_type": "string",
        "_commit_version": "long",
    }
)


def rows(frame):
    frame = frame.drop(columns=["_commit_timestamp"], errors="ignore")
    return rows_of(list(frame.columns), frame.astype(object).itertuples(index=False, name=None))


def read(profile, asked):
    url = f"{profile}#{asked['table']}"
    states = {
        str(version): rows(delta_sharing.load_as_pandas(url, version=version))
        for version in asked["versions"]
    }
    newest = rows(delta_sharing.load_as_pandas(url))
    if newest != states[str(max(asked["versions"]))]:
        raise ValueError(f"{asked['table']}: the latest version is not the one that was asked for")
    found = {"states": states}
    if "changes" in asked:
        # The connector prints figures of its own.
        with contextlib.redirect_stdout(sys.stderr):
            frame = delta_sharing.load_table_changes_as_pandas(
                url,
                starting_version=asked["changes"]["start"],
                use_delta_format=True,
            )
        found["changes"] = rows(frame)
    return found


def main():
    asked = read_input()

    def one(table):
        try:
            return read(asked["profile"], table)
        except HTTPError as error:
            return {"refused": str(error)}

    print_output([one(table) for table in asked["tables"]])


main()
