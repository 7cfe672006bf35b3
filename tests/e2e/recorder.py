"""A proxy between a playbook and the local cloud that remembers which operation each request calls."""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts.actions import actions, is_read
from contracts.operations import Request


class Recorder(ThreadingHTTPServer):
    """Listens on a port of its own while it is entered, and keeps the requests. What they call is found out when it is asked for."""

    daemon_threads = True

    def __init__(self, upstream_port: int, port: int = 0, handler: type[Handler] | None = None) -> None:
        self.upstream_port = upstream_port
        self.requests: list[Request] = []
        self.spans: list[list[float]] = []  # from when each came until it was answered
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

    @property
    def calls(self) -> list[str]:
        """The operation of each request, such as ec2:CreateVpc."""
        return [str(request.operation) for request in self.requests]

    def mutating(self) -> list[str]:
        """Those that are no reads."""
        return [str(request.operation) for request in self.requests if not is_read(request.operation)]

    def actions(self) -> list[str]:
        """The IAM actions that the requests need."""
        return sorted({action for request in self.requests if request.operation.service != "?" for action in actions(request.operation)})


class Handler(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        began = time.monotonic()
        self.server.spans.append(span := [began, began])
        self.server.requests.append(Request(self.command, self.path, dict(self.headers), body))
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
        span[1] = time.monotonic()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request

    def log_message(self, *args: Any) -> None:
        pass
