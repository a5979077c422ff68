"""A store that speaks as much of S3 as readers need, counts what it is asked, and can be as far away as one likes. It checks no
signature: what is measured is how often it is asked, and how long that takes. Whoever asks it for a role's credential gets one.

    bench_store.py FOLDER PORT

Serves FOLDER/BUCKET/KEY. An object that is not there but whose name ends in `.<size>.parquet` is as many zeros. Beside that:
GET /-/counts answers {"get", "head", "list", "bytes", "checkpoint_bytes"} and begins anew; GET /-/wait/<milliseconds> is how long
each answer waits from then on.
"""

import email.utils
import json
import os
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

ROOT = Path(sys.argv[1])
SYNTHETIC = re.compile(r"\.(\d+)\.parquet$")
COUNTED = ("get", "head", "list", "bytes", "checkpoint_bytes")

counts = dict.fromkeys(COUNTED, 0)
lock = threading.Lock()
wait = 0.0


def count(**more):
    with lock:
        for name, number in more.items():
            counts[name] += number


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b""):
        reason = self.responses.get(status, ("",))[0]
        lines = [f"HTTP/1.1 {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        # One write: two would wait for each other.
        self.wfile.write(head + body)

    def do_GET(self):
        global wait
        url = urlsplit(self.path)
        path = unquote(url.path).lstrip("/")
        if path == "-/counts":
            with lock:
                body = json.dumps(counts).encode()
                counts.update(dict.fromkeys(COUNTED, 0))
            return self.answer(200, {"Content-Length": len(body)}, body)
        if path.startswith("-/wait/"):
            wait = float(path.rsplit("/", 1)[1]) / 1000
            return self.answer(200, {"Content-Length": 0})
        if wait:
            time.sleep(wait)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if "list-type" in query:
            return self.list(path.split("/", 1)[0], query)
        return self.object(path, True)

    def do_HEAD(self):
        if wait:
            time.sleep(wait)
        self.object(unquote(urlsplit(self.path).path).lstrip("/"), False)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        asked = parse_qs(self.rfile.read(length).decode())
        if asked.get("Action") != ["AssumeRole"]:
            return self.answer(400, {"Content-Length": 0})
        ends = time.time() + int(asked["DurationSeconds"][0])
        body = (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIABENCH</AccessKeyId>"
            "<SecretAccessKey>lent</SecretAccessKey><SessionToken>lent</SessionToken>"
            f"<Expiration>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(ends))}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()
        return self.answer(200, {"Content-Type": "text/xml", "Content-Length": len(body)}, body)

    def object(self, path, whole):
        file = ROOT / path
        try:
            found = file.stat()
            size, changed = found.st_size, found.st_mtime
        except OSError:
            synthetic = SYNTHETIC.search(path)
            file, size, changed = None, int(synthetic[1]) if synthetic else None, 0.0
        count(**{"get" if whole else "head": 1})
        if size is None:
            body = b"<Error><Code>NoSuchKey</Code></Error>" if whole else b""
            headers = {"Content-Type": "application/xml", "Content-Length": len(body)}
            return self.answer(404, headers, body)
        begin, end, status = 0, size, 200
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted and (wanted[1] or wanted[2]):
            begin = int(wanted[1]) if wanted[1] else max(0, size - int(wanted[2]))
            end = min(size, int(wanted[2]) + 1) if wanted[1] and wanted[2] else size
            status = 206
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": end - begin,
            "Last-Modified": email.utils.formatdate(changed, usegmt=True),
            "ETag": f'"{size:x}-{int(changed * 1e6):x}"',
            "Accept-Ranges": "bytes",
        }
        if status == 206:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        body = b""
        if whole and file is None:
            body = bytes(end - begin)
        elif whole:
            with open(file, "rb") as opened:
                opened.seek(begin)
                body = opened.read(end - begin)
        count(bytes=len(body), checkpoint_bytes=len(body) if ".checkpoint." in path else 0)
        self.answer(status, headers, body)

    def list(self, bucket, query):
        count(list=1)
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        after = max(after, query.get("continuation-token", ""))
        most = int(query.get("max-keys", "1000"))
        base = ROOT / bucket
        folder = base / prefix if prefix.endswith("/") or not prefix else (base / prefix).parent
        keys = []
        for where, _, files in os.walk(folder):
            relative = os.path.relpath(where, base)
            keys += [name if relative == "." else f"{relative}/{name}" for name in files]
        keys = sorted(key for key in keys if key.startswith(prefix) and key > after)
        delimiter, common, objects = query.get("delimiter"), [], []
        for key in keys:
            if delimiter and delimiter in key[len(prefix) :]:
                group = prefix + key[len(prefix) :].split(delimiter)[0] + delimiter
                if not common or common[-1] != group:
                    common.append(group)
            else:
                objects.append(key)
        page, more = objects[:most], len(objects) > most
        parts = ['<?xml version="1.0" encoding="UTF-8"?>', "<ListBucketResult>"]
        parts.append(f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>")
        parts.append(f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys>")
        parts.append(f"<IsTruncated>{str(more).lower()}</IsTruncated>")
        if more:
            parts.append(f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>")
        for key in page:
            found = (base / key).stat()
            changed = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(found.st_mtime))
            tag = f"{found.st_size:x}-{int(found.st_mtime * 1e6):x}"
            parts.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{changed}.000Z</LastModified>"
                f"<ETag>&quot;{tag}&quot;</ETag><Size>{found.st_size}</Size></Contents>"
            )
        parts += [f"<CommonPrefixes><Prefix>{escape(group)}</Prefix></CommonPrefixes>" for group in common]
        parts.append("</ListBucketResult>")
        body = "".join(parts).encode()
        self.answer(200, {"Content-Type": "application/xml", "Content-Length": len(body)}, body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def main():
    server = Server(("127.0.0.1", int(sys.argv[2])), Handler)
    server.serve_forever()


main()
