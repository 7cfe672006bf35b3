"""A proxy between a playbook and the local cloud that remembers which operation each request calls."""

from __future__ import annotations

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

READS = re.compile(r"^(Describe|List|Get|Head|BatchGet|BatchCheck|Lookup|Search|Simulate|Assume)")


class Recorder(ThreadingHTTPServer):
    """Listens on a port of its own while it is entered; calls holds the name of each operation, mutating() those that are no reads."""

    daemon_threads = True

    def __init__(self, upstream_port: int, port: int = 0, handler: type[Handler] | None = None) -> None:
        self.upstream_port = upstream_port
        self.calls: list[str] = []
        super().__init__(("127.0.0.1", port), handler or Handler)

    def __enter__(self) -> Recorder:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def mutating(self) -> list[str]:
        return [call for call in self.calls if not READS.match(call)]


class Handler(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append(self.operation(body))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=120)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        if self.command != "HEAD" or "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(content)))
        else:
            self.send_header("Content-Length", answer.headers["Content-Length"])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        upstream.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request

    def operation(self, body: bytes) -> str:
        """The operation's name where the protocol says it (JSON, query); else a read is a GET and anything else is named by method and path."""
        if target := self.headers.get("X-Amz-Target"):
            return target.rpartition(".")[2]
        if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            return parse_qs(body.decode()).get("Action", ["?"])[0]
        prefix = "Get " if self.command in {"GET", "HEAD"} else ""
        return f"{prefix}{self.command} {self.path.partition('?')[0]}"

    def log_message(self, *args: Any) -> None:
        pass
