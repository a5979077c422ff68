"""Reads one table twice over, by turns: through the share, and its files directly with `deltalake`.

its argument: {"profile", "table", "way", "url", "storage_options", "rounds"}; out: {"shared": [seconds], "direct": [seconds], "rows"}

Ways of the share: "delta" and "parquet" are the connector's; "lent" asks the share for a credential of the table's folder and lets
`deltalake` read it.
"""

import json
import sys
import time
import urllib.request

import delta_sharing
from deltalake import DeltaTable

from journey_rows import print_output


def frame_of(url, storage_options):
    return DeltaTable(url, storage_options=storage_options).to_pyarrow_table().to_pandas()


def lent(asked):
    """Nothing but the profile and where the store answers is known beforehand."""
    with open(asked["profile"], encoding="utf-8") as file:
        profile = json.load(file)
    share, schema, table = asked["table"].split(".")
    path = f"shares/{share}/schemas/{schema}/tables/{table}/temporary-table-credentials"
    request = urllib.request.Request(
        f"{profile['endpoint'].rstrip('/')}/{path}",
        data=b"{}",
        headers={
            "Authorization": f"Bearer {profile['bearerToken']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:
        lent = json.load(answer)["credentials"]
    key = lent["awsTempCredentials"]
    options = asked["storage_options"] | {
        "AWS_ACCESS_KEY_ID": key["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        "AWS_SESSION_TOKEN": key["sessionToken"],
    }
    return frame_of(lent["location"], options)


def through_share(asked):
    if asked["way"] == "lent":
        return lent(asked)
    url = f"{asked['profile']}#{asked['table']}"
    return delta_sharing.load_as_pandas(url, use_delta_format=asked["way"] == "delta")


def main():
    asked = json.loads(sys.argv[1])
    shared, direct, rows = [], [], 0
    for _ in range(asked["rounds"] + 1):
        begin = time.perf_counter()
        there = len(frame_of(asked["url"], asked["storage_options"]))
        direct.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        rows = len(through_share(asked))
        shared.append(time.perf_counter() - begin)
        if rows != there:
            raise SystemExit(f"{rows} rows through the share, {there} in the table")
    # The first round warms caches and opens what opens once.
    print_output({"shared": shared[1:], "direct": direct[1:], "rows": rows})


main()
