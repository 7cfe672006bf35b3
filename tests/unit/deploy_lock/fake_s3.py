"""One S3 object at a time, over HTTP: conditional requests, a clock of its own, ETags that are no checksum (as with a KMS key), and answers that get lost."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

LOSE = "lose the answer"
NO_BUCKET = "nowhere"


class FakeS3(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mutex = threading.Lock()
        self.ahead = 0.0  # by how many seconds its clock is ahead of this machine's
        self.objects: dict[str, tuple[bytes, str, float]] = {}
        self.requests: list[str] = []
        # What befalls the next requests of a method: LOSE, or an error's status and code
        self.faults: dict[str, deque[str | tuple[int, str]]] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def now(self) -> float:
        return time.time() + self.ahead

    @staticmethod
    def date(at: float) -> str:
        return format_datetime(datetime.fromtimestamp(int(at), UTC), usegmt=True)


class Handler(BaseHTTPRequestHandler):
    server: FakeS3
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.mutex:
            self.server.requests.append(self.command)
            faults = self.server.faults.get(self.command)
            fault = faults.popleft() if faults else None
            status, headers, answer = self.error(*fault) if isinstance(fault, tuple) else self.act(self.path.partition("?")[0], body)
        if fault == LOSE:
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in {"Date": self.server.date(self.server.now), "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_DELETE = handle_one

    def act(self, key: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        objects = self.server.objects
        _body, etag, modified = objects.get(key, (b"", "", 0.0))
        wanted = self.headers.get("If-Match")
        if key.startswith(f"/{NO_BUCKET}/"):
            return self.error(404, "NoSuchBucket")
        if (wanted and not etag) or (self.command == "GET" and not etag):
            return self.error(404, "NoSuchKey")
        if (wanted and wanted != etag) or (self.headers.get("If-None-Match") == "*" and etag):
            return self.error(412, "PreconditionFailed")
        if self.command == "GET":
            return 200, {"ETag": etag, "Last-Modified": self.server.date(modified)}, objects[key][0]
        if self.command == "PUT":
            objects[key] = (body, f'"{uuid4().hex}"', self.server.now)
            return 200, {"ETag": objects[key][1]}, b""
        objects.pop(key, None)
        return 204, {}, b""

    @staticmethod
    def error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        return status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()

    def log_message(self, *args: object) -> None:
        pass
