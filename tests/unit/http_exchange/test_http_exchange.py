# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils.http_exchange import Connection


class Server:
    """Answers each connection with the same bytes, and keeps what it was asked."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = b""
        self.asked = b""
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked = connection.recv(1 << 16)
                connection.sendall(self.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.listener.close()


@pytest.mark.parametrize(
    ("answer", "body", "again"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag:  "e"\r\n\r\nhello', b"hello", True),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\netag: "e"\r\n\r\nhello', b"hello", False),
        (b'HTTP/1.1 200 OK\r\nETag: "e"\r\n\r\nhello', b"hello", False),
        (b'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: t\r\n\r\n', b"hello", True),
        (b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n', b"", True),
    ],
)
def test_an_answer_is_understood(server: Server, answer: bytes, body: bytes, again: bool) -> None:
    server.answer = answer
    connection = Connection("127.0.0.1", server.port)
    found = connection.exchange("GET", "/a?b=c", {"host": "h", "x-y": "z"}, None)

    assert server.asked == b"GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\n\r\n"
    assert (found.status, found.headers["etag"], found.body) == (200, '"e"', body)
    assert connection.usable is again
    connection.close()


def test_the_body_of_a_200_alone_goes_into_the_file(server: Server) -> None:
    for status, into, body in ((200, b"hello", b""), (404, b"", b"hello")):
        server.answer = f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nhello".encode()
        file = io.BytesIO()
        assert Connection("127.0.0.1", server.port).exchange("GET", "/", {}, None, file).body == body
        assert file.getvalue() == into


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhell\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nETag",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"220 mail.example.com ESMTP\r\n",
    ],
)
def test_what_is_not_understood_is_an_error(server: Server, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises((OSError, ValueError)):
        Connection("127.0.0.1", server.port).exchange("GET", "/", {}, None)


@pytest.mark.parametrize("value", ["no-cache\r\nx-amz-acl: public-read", "a\nb", "€"])
def test_a_header_that_would_be_another_is_not_sent(server: Server, value: str) -> None:
    with pytest.raises(ValueError, match="line|codec"):
        Connection("127.0.0.1", server.port).exchange("PUT", "/", {"cache-control": value}, b"")
    assert server.asked == b""
