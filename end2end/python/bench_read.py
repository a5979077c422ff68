"""Reads one table twice over, by turns: through the Delta Sharing connector, and its files directly with `deltalake`.

its argument: {"profile", "table", "delta", "url", "storage_options", "rounds"}; out: {"shared": [seconds], "direct": [seconds], "rows"}
"""

import json
import sys
import time

import delta_sharing
from deltalake import DeltaTable

from journey_rows import print_output


def main():
    asked = json.loads(sys.argv[1])
    shared, direct, rows = [], [], 0
    for _ in range(asked["rounds"] + 1):
        begin = time.perf_counter()
        table = DeltaTable(asked["url"], storage_options=asked["storage_options"])
        there = len(table.to_pyarrow_table().to_pandas())
        direct.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        url = f"{asked['profile']}#{asked['table']}"
        rows = len(delta_sharing.load_as_pandas(url, use_delta_format=asked["delta"]))
        shared.append(time.perf_counter() - begin)
        if rows != there:
            raise SystemExit(f"{rows} rows through the share, {there} in the table")
    # The first round warms caches and opens what opens once.
    print_output({"shared": shared[1:], "direct": direct[1:], "rows": rows})


main()
