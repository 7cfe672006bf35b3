# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""S3 and CloudFront over HTTP, as far as a publication needs them: objects with versions, and a record of the requests."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import threading
import time
import xml.etree.ElementTree as ET
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

DATE = "Wed, 25 Nov 2026 12:00:00 GMT"


@dataclass
class Version:
    body: bytes
    headers: dict[str, str]
    etag: str
    id: str
    marker: bool = False


@dataclass
class Request:
    operation: str
    key: str = ""


@dataclass
class Bucket:
    versioned: bool = True
    objects: dict[str, list[Version]] = field(default_factory=dict)  # the current version is the last

    def current(self, key: str) -> Version | None:
        versions = self.objects.get(key)
        return None if not versions or versions[-1].marker else versions[-1]

    def listed(self) -> list[str]:
        return sorted(key for key in self.objects if self.current(key))


class FakeS3(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.buckets = {"bucket": Bucket()}
        self.requests: list[Request] = []
        self.invalidations: list[list[str]] = []
        self.invalidation_status = "Completed"
        self.refuses: str = ""  # an operation or a key
        self.etag_of: Callable[[bytes], str] = lambda body: hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.before: Callable[[int], None] = lambda number: None  # called with the number of each request
        self.after: Callable[[int], None] = lambda number: None
        self.lock = threading.RLock()
        self.active = 0
        self.numbers = itertools.count(1)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def bucket(self) -> Bucket:
        return self.buckets["bucket"]

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def forget(self) -> None:
        self.requests.clear()
        self.invalidations.clear()
        self.numbers = itertools.count(1)

    def settle(self) -> None:
        """Wait for the requests of one who was killed."""
        while self.active:
            time.sleep(0.001)

    def put(self, key: str, body: bytes, **headers: str) -> Version:
        return self.store("bucket", key, body, headers)

    def store(self, bucket: str, key: str, body: bytes, headers: dict[str, str]) -> Version:
        there = self.buckets[bucket]
        versions = there.objects.setdefault(key, [])
        version = Version(body, headers, f'"{self.etag_of(body)}"', f"v{next(VERSION_IDS):06}" if there.versioned else "null")
        if not there.versioned:
            versions.clear()
        versions.append(version)
        return version

    def delete(self, bucket: str, key: str, version_id: str = "") -> None:
        there = self.buckets[bucket]
        versions = there.objects.get(key, [])
        if version_id or not there.versioned:
            versions[:] = [version for version in versions if version_id and version.id != version_id]
        elif versions:
            versions.append(Version(b"", {}, "", f"v{next(VERSION_IDS):06}", marker=True))

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that was killed


VERSION_IDS = itertools.count(1)


class Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    server: FakeS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query, keep_blank_values=True).items()}
        body = self.read_body()
        with self.server.lock:
            self.server.active += 1
            try:
                number = next(self.server.numbers)
                self.server.before(number)
                with contextlib.suppress(ConnectionError):
                    status, headers, content = self.outcome(address.path, query, body)
                    self.server.after(number)
                    self.respond(status, headers, content)
            finally:
                self.server.active -= 1

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def outcome(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            if path.startswith("/2020-05-31/distribution/"):
                return self.cloudfront(body)
            bucket, _slash, key = unquote(path).lstrip("/").partition("/")
            operation = self.operation_of(key, query)
            self.server.requests.append(Request(operation, key))
            if self.server.refuses and self.server.refuses in (operation, key):
                raise Refused(403, "AccessDenied")
            if bucket not in self.server.buckets:
                raise Refused(404, "NoSuchBucket")
            return getattr(self, operation)(bucket, key, query, body)
        except Refused as refused:
            return refused.status, {}, f"<Error><Code>{refused.code}</Code><Message>refused</Message></Error>".encode()

    def operation_of(self, key: str, query: dict[str, str]) -> str:
        if self.command == "PUT":
            return "CopyObject" if "x-amz-copy-source" in self.headers else "PutObject"
        if self.command == "POST" and "delete" in query:
            return "DeleteObjects"
        return {"GET": "GetObject" if key else "ListObjectsV2", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[self.command]

    def read_body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            parts, rest = [], body
            while rest:
                size, _end, rest = rest.partition(b"\r\n")
                length = int(size.split(b";")[0], 16)
                if not length:
                    break
                parts.append(rest[:length])
                rest = rest[length + 2 :]
            return b"".join(parts)
        return body

    def respond(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in {"Date": DATE, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def find(self, bucket: str, key: str, version_id: str | None) -> Version:
        there = self.server.buckets[bucket]
        if version_id:
            found = next((version for version in there.objects.get(key, []) if version.id == version_id and not version.marker), None)
            if not found:
                raise Refused(404, "NoSuchVersion")
            return found
        if not (found := there.current(key)):
            raise Refused(404, "NoSuchKey")
        return found

    def version_header(self, bucket: str, version: Version) -> dict[str, str]:
        return {"x-amz-version-id": version.id} if self.server.buckets[bucket].versioned else {}

    def PutObject(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        current = self.server.buckets[bucket].current(key)
        if "If-None-Match" in self.headers and current or "If-Match" in self.headers and (not current or current.etag != self.headers["If-Match"]):
            raise Refused(412, "PreconditionFailed")
        kept = {name: self.headers[name] for name in ("Content-Type", "Cache-Control") if name in self.headers}
        version = self.server.store(bucket, key, body, kept)
        return 200, {"ETag": version.etag, **self.version_header(bucket, version)}, b""

    def CopyObject(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        source = urlsplit("/" + self.headers["x-amz-copy-source"].lstrip("/"))
        from_bucket, _slash, from_key = unquote(source.path).lstrip("/").partition("/")
        found = self.find(from_bucket, from_key, parse_qs(source.query).get("versionId", [None])[0])
        version = self.server.store(bucket, key, found.body, found.headers)
        xml = f"<CopyObjectResult><ETag>{escape(version.etag)}</ETag></CopyObjectResult>"
        return 200, self.version_header(bucket, version), xml.encode()

    def GetObject(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        found = self.find(bucket, key, query.get("versionId"))
        return 200, {"ETag": found.etag, "Last-Modified": DATE, **self.version_header(bucket, found), **found.headers}, found.body

    HeadObject = GetObject

    def DeleteObject(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.server.delete(bucket, key)
        return 204, {}, b""

    def DeleteObjects(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        text = re.sub(r'\sxmlns="[^"]+"', "", body.decode())
        objects = ET.fromstring(text).findall("Object")
        assert len(objects) <= 1000
        for item in objects:
            self.server.delete(bucket, item.findtext("Key") or "", item.findtext("VersionId") or "")
        return 200, {}, b"<DeleteResult></DeleteResult>"

    def ListObjectsV2(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        there, prefix = self.server.buckets[bucket], query.get("prefix", "")
        keys = [key for key in there.listed() if key.startswith(prefix)]
        start = bisect_right(keys, query["continuation-token"]) if "continuation-token" in query else 0
        page, more = keys[start : start + 1000], len(keys) > start + 1000
        items = []
        for name in page:
            version = there.objects[name][-1]
            items.append(
                f"<Contents><Key>{escape(quote(name))}</Key><LastModified>2026-11-25T12:00:00.000Z</LastModified><ETag>{escape(version.etag)}</ETag>"
                f"<Size>{len(version.body)}</Size></Contents>"
            )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        head = f"<IsTruncated>{str(more).lower()}</IsTruncated><EncodingType>url</EncodingType>{token}"
        return 200, {}, f"<ListBucketResult>{head}{''.join(items)}</ListBucketResult>".encode()

    def cloudfront(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        operation = "CreateInvalidation" if self.command == "POST" else "GetInvalidation"
        self.server.requests.append(Request(operation))
        if self.server.refuses == operation:
            raise Refused(403, "AccessDenied")
        if operation == "CreateInvalidation":
            text = re.sub(r'\sxmlns="[^"]+"', "", body.decode())
            self.server.invalidations.append([item.text or "" for item in ET.fromstring(text).iter("Path")])
        xml = f"<Invalidation><Id>I1</Id><Status>{self.server.invalidation_status}</Status></Invalidation>"
        return 201 if self.command == "POST" else 200, {}, xml.encode()

    def log_message(self, format: str, *args: Any) -> None:
        pass
