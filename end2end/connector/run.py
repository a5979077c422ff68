"""Runs the Python connector's own integration tests, unedited, against an Entrepôt server.

    run.py --checkout DELTA_SHARING --entrepot BINARY [--keep FOLDER] [-- what pytest is given]

DELTA_SHARING is a clone of delta-io/delta-sharing. The Python that runs this needs `end2end/requirements.txt` and pytest.

A server starts on an empty data folder, with the tables of `make.py` declared in an `entrepot.yml`. The tests are copied
and stay as they are; what they read from their surroundings is ours: `test_profile.json` has our recipient's token, and
`build/sbt`, by which they start the reference server, only says that a server is there. Their shares are called as no
product of ours may be (`share1`: a product's name begins with its domain's), and one table begins with a digit. `front`
therefore stands between and translates these names, in paths and in answers; it changes nothing else.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import make

DOMAIN = "connector"
SHARES = list(dict.fromkeys(share for share, *_ in make.TABLES))
RENAMED = {"12k_rows": "t_12k_rows"}
STUB = """#!/bin/sh
# The last word of the only argument is where the tests look for a process to end.
echo $$ > "${1##* }"
echo "https://127.0.0.1:12345/ is somebody else's"
exec sleep 3600
"""


def ours(path):
    """A path of the tests, with the names that our server knows."""
    path = re.sub(rf"(?<=/shares/)(?=({'|'.join(SHARES)})(/|$|\?))", f"{DOMAIN}-", path)
    for theirs, name in RENAMED.items():
        path = path.replace(f"/tables/{theirs}/", f"/tables/{name}/")
    return path


def theirs(text):
    """An answer of our server, with the names that the tests know."""
    text = re.sub(rf"\b{DOMAIN}-(?=({'|'.join(SHARES)})\b)", "", text)
    for name, renamed in RENAMED.items():
        text = re.sub(rf"\b{renamed}\b", name, text)
    return text


def front(upstream):
    """Serves on a free port what `upstream` serves, with other names. The port."""

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            skipped = ("host", "accept-encoding", "connection", "content-length")
            headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
            connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
            connection.request(self.command, ours(self.path), body or None, headers)
            told = connection.getresponse()
            content = theirs(told.read().decode()).encode()
            self.send_response(told.status)
            for name, value in told.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def declaration(lake):
    """The world as `entrepot.yml`; JSON is YAML."""
    products = {}
    for share, schema, name, given, _ in make.TABLES:
        table = {"name": RENAMED.get(name, name), "schema": schema, "path": f"{share}/{schema}/{name}"}
        products.setdefault(share, []).append({**table, **{what: what in given for what in make.ALL}})
    location = {"cloud": "aws", "region": "eu-central-1"}
    wanted = {"policy": "owner"}
    of_all = {
        "team": "makers",
        "storage": "lake",
        "classification": "internal",
        "access": wanted,
        "state": "published",
    }
    read = {
        "recipient": "reader",
        "mode": "live",
        "until": "2030-12-31",
        "purpose": {"code": "test", "text": "The connector's tests"},
    }
    return {
        "exchange": {"name": "connector"},
        "domains": {DOMAIN: {"title": "The connector's tests"}},
        "teams": {
            "makers": {"domain": DOMAIN, "title": "Makers", "cost_center": "1"},
            "readers": {"domain": DOMAIN, "title": "Readers", "cost_center": "2"},
        },
        "storages": {"lake": {**location, "url": f"file://{lake}"}},
        "products": {
            f"{DOMAIN}-{share}": {**of_all, "title": share, "tables": products[share]} for share in SHARES
        },
        "recipients": {"reader": {"team": "readers", **location}},
        "grants": {f"read_{share}": {"product": f"{DOMAIN}-{share}", **read} for share in SHARES},
    }


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(server, port):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit("the server ended; its log says why")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit("the server was not ready within a minute")


def copy_tests(checkout, folder, profile):
    source = next(
        (path for path in (checkout / "python", checkout) if (path / "delta_sharing/tests").is_dir()), None
    )
    if source is None:
        sys.exit(f"{checkout} has no python/delta_sharing/tests")
    shutil.copytree(
        source / "delta_sharing",
        folder / "python/delta_sharing",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / "python/delta_sharing/tests/test_profile.json").write_text(json.dumps(profile))
    stub = folder / "build/sbt"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)
    return folder / "python"


def is_integration(source):
    """The names of the tests that a file runs only where there is a server."""
    marked = re.findall(r"@pytest\.mark\.skipif\(not ENABLE_INTEGRATION.*?\ndef (\w+)", source, re.DOTALL)
    return set(marked)


def tell(report, tests):
    """Prints one line for each function, and one for each of its cases that failed. Whether none did."""
    wanted = {
        f"{path.stem}.{name}" for path in tests.glob("test_*.py") for name in is_integration(path.read_text())
    }
    cases = defaultdict(list)
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        function = f"{case.get('classname').rsplit('.', 1)[-1]}.{case.get('name').split('[')[0]}"
        result = next(
            (tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed"
        )
        why = case.find(result).get("message", "") if result != "passed" else ""
        cases[function].append((result, case.get("name"), why))
    for function in sorted(wanted):
        results = cases.get(function, [("skipped", function, "not run")])
        good = sum(result == "passed" for result, *_ in results)
        print(f"{'passed' if good == len(results) else 'FAILED'}  {function}  {good} of {len(results)}")
        for result, name, why in results:
            if result != "passed":
                print(f"        {result} {name}: {' '.join(why.split())[:300]}")
    run = [results for function, results in cases.items() if function in wanted]
    passed = sum(all(result == "passed" for result, *_ in results) for results in run)
    good = sum(result == "passed" for results in run for result, *_ in results)
    print(f"{passed} of {len(wanted)} integration tests passed; {good} of {sum(map(len, run))} cases")
    return passed == len(wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--entrepot", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is made, which stays")
    parser.add_argument("pytest", nargs="*")
    asked = parser.parse_args()
    temporary = None if asked.keep else tempfile.TemporaryDirectory()
    folder = (asked.keep or Path(temporary.name)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")

    lake, data = folder / "lake", folder / "data"
    make.make(lake)
    data.mkdir()
    port = free_port()
    (data / "entrepot.toml").write_text(
        f'[server]\naddr = "127.0.0.1:{port}"\n[storage]\nfile_roots = ["{lake}"]\n'
    )
    (folder / "entrepot.yml").write_text(json.dumps(declaration(lake), indent=2))

    entrepot = [str(asked.entrepot.resolve()), "--data", str(data)]
    subprocess.run([*entrepot, "deploy", str(folder / "entrepot.yml")], check=True)
    subprocess.run(
        [*entrepot, "recipient", "profile", "reader", "-o", str(folder / "reader.share")], check=True
    )
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen([*entrepot, "serve"], stdout=log, stderr=log)
    try:
        wait_for(server, port)
        profile = json.loads((folder / "reader.share").read_text())
        profile["endpoint"] = f"http://localhost:{front(port)}/delta-sharing/"
        python = copy_tests(asked.checkout, folder / "tests", profile)
        # Which name it is does not matter: the tests only look whether there is a key.
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": "none", "PYTHONDONTWRITEBYTECODE": "1"}
        report = folder / "report.xml"
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        subprocess.run([*pytest, *asked.pytest, "delta_sharing/tests"], cwd=python, env=environment)
    finally:
        server.terminate()
        server.wait(30)
    sys.exit(0 if tell(report, python / "delta_sharing/tests") else 1)


if __name__ == "__main__":
    main()
