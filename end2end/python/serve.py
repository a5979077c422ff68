"""Runs the other programs of this folder, each in a fork of one interpreter that has imported the clients already:
importing them takes longer than most of the programs themselves.

    serve.py SOCKET

Prints `ready` when it listens, and ends when its standard input does. One program a connection:
in: {"script": name, "input": what the program reads}, ended by shutting down the sending side;
out: {"status": exit status, "out": what it printed, "said": what it said on its error output}.
"""

import gc
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path

# What the programs import. None of it is used here: a client that runs threads would not survive the fork.
import delta_sharing  # noqa: F401
import deltalake  # noqa: F401
import journey_rows  # noqa: F401
import journey_table  # noqa: F401
import pyarrow.dataset  # noqa: F401

FOLDER = Path(__file__).parent
# A program that hangs is not to outlive the one that asked for it by long.
LONGEST_SECONDS = 150


def run(script):
    try:
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def answer(connection):
    with connection, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        asked = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        # The descriptors, not only Python's names for them: native code prints too.
        os.dup2(out.fileno(), 1)
        os.dup2(said.fileno(), 2)
        sys.stdin = io.StringIO(json.dumps(asked["input"]))
        status = run(asked["script"])
        sys.stdout.flush()
        sys.stderr.flush()
        out.seek(0)
        said.seek(0)
        whole = {"status": status, "out": out.read(), "said": said.read()}
        connection.sendall(json.dumps(whole).encode())


def fork(listener, connection):
    if os.fork():
        connection.close()
        return
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(LONGEST_SECONDS)
    status = 1
    try:
        answer(connection)
        status = 0
    finally:
        # Nothing of the parent is cleaned up a second time.
        os._exit(status)


def main():
    # Nobody waits for the children; the kernel is to forget them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    gc.freeze()
    print("ready", flush=True)
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    return
                connection, _ = listener.accept()
                fork(listener, connection)


main()
