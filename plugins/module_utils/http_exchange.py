# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP/1.1 as far as a request to S3 needs it. http.client reads a response's headers as if they were an e-mail's: that takes as long as everything else
about an upload of a small file, and as long to import as a fifth of a module.

It understands a response or raises OSError or ValueError; who calls it has another way to ask.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

SECONDS = 60
IDLE_SECONDS = 4  # S3 and load balancers close connections that were idle for a while
CHUNK = 1 << 20
LONGEST_LINE = 1 << 16


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Connection:
    def __init__(self, host: str, port: int, tls: Any = None) -> None:
        self.socket = socket.create_connection((host, port), timeout=SECONDS)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
            self.reader = self.socket.makefile("rb")
        except BaseException:
            self.socket.close()
            raise
        self.open = True
        self.used = time.monotonic()

    @property
    def usable(self) -> bool:
        return self.open and time.monotonic() - self.used < IDLE_SECONDS

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | IO[bytes] | None, into: IO[bytes] | None = None) -> Answer:
        """The answer; the body of a 200 goes into the file. The headers say how long the request's body is."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header of more than one line")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if body is None or isinstance(body, bytes):
            self.socket.sendall(head + (body or b""))
        else:
            self.socket.sendall(head)
            while chunk := body.read(CHUNK):
                self.socket.sendall(chunk)
        status, answered = self._head()
        while status == 100:
            status, answered = self._head()
        content = self._body(answered, empty=method == "HEAD" or status in (204, 304))
        if into and status == 200:
            for chunk in content:
                into.write(chunk)
        answer = Answer(status, answered, b"".join(content))
        self.open = self.open and "close" not in answered.get("connection", "").lower()
        self.used = time.monotonic()
        return answer

    def _line(self) -> bytes:
        line = self.reader.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the answer has no end")
        return line.rstrip(b"\r\n")

    def _head(self) -> tuple[int, dict[str, str]]:
        version, status, *_reason = self._line().split(None, 2)
        if version != b"HTTP/1.1":
            raise ValueError(f"an answer in {version!r}")
        headers = {}
        while line := self._line():
            name, _colon, value = line.partition(b":")
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        return int(status), headers

    def _body(self, headers: dict[str, str], empty: bool) -> Iterator[bytes]:
        if empty:
            return
        if encoding := headers.get("transfer-encoding"):
            if encoding.lower() != "chunked":
                raise ValueError(f"an answer in the encoding {encoding}")
            while size := int(self._line().partition(b";")[0], 16):
                yield from self._read(size)
                if self._line():
                    raise ValueError("a chunk that is longer than it should be")
            while self._line():
                pass
        elif "content-length" in headers:
            yield from self._read(int(headers["content-length"]))
        else:
            self.open = False
            while chunk := self.reader.read(CHUNK):
                yield chunk

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            chunk = self.reader.read(min(size, CHUNK))
            if not chunk:
                raise ConnectionResetError("the answer has no end")
            size -= len(chunk)
            yield chunk

    def close(self) -> None:
        self.reader.close()
        self.socket.close()
