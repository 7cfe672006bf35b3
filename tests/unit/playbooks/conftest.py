"""An AWS and a Docker engine for playbooks that go beyond their preflight."""

from __future__ import annotations

import io
import json
import socket
import ssl
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ..conftest import clean_environment


@pytest.fixture
def moto(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = clean_environment(MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_EC2_LOAD_DEFAULT_AMIS="false")
    with (tmp_path / "moto.log").open("w") as log, subprocess.Popen(["moto_server", "-p", str(port)], env=environment, stdout=log, stderr=log) as server:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    assert server.poll() is None, (tmp_path / "moto.log").read_text()
                    assert time.monotonic() < end, "moto does not answer"
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


class DockerEngine(ThreadingHTTPServer):
    """An engine on another machine: reached by TCP, with TLS and certificates on both sides. It takes what it is sent for built, and pushes nothing."""

    def __init__(self, certificates: Path) -> None:
        self.built: dict[str, list[str]] = {}  # names of the files of each image's context
        self.pushed: list[str] = []
        super().__init__(("127.0.0.1", 0), Engine)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.environment = {"DOCKER_HOST": f"tcp://localhost:{self.server_address[1]}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
        # Where these are set, requests takes them instead of what it is told
        self.environment |= {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}


class Engine(BaseHTTPRequestHandler):
    server: DockerEngine

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        answers = {"/version": {"ApiVersion": "1.47", "Version": "27.3.1"}, "/info": {"Name": "elsewhere"}, "/images/json": []}
        name = path.partition("/images/")[2].removesuffix("/json")
        if name in self.server.built:
            self.answer(200, {"Id": "sha256:1", "RepoTags": [name]})
        else:
            found = next((answer for end, answer in answers.items() if path.endswith(end)), None)
            self.answer(404 if found is None else 200, {"message": "no such thing"} if found is None else found)

    def do_POST(self) -> None:
        body = b"".join(self.chunks()) if "chunked" in self.headers.get("Transfer-Encoding", "") else self.rfile.read(int(self.headers["Content-Length"]))
        path, _mark, query = self.path.partition("?")
        if path.endswith("/build"):
            with tarfile.open(fileobj=io.BytesIO(body)) as context:
                self.server.built[parse_qs(query)["t"][0]] = context.getnames()
            self.answer(200, {"stream": "Successfully built 1"})
        elif path.endswith("/push"):
            self.server.pushed.append(path.partition("/images/")[2].removesuffix("/push"))
            self.answer(200, {"status": "Pushed"})
        else:
            self.answer(201, {})

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def answer(self, status: int, answer: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is its own authority, for both sides, under the names that Docker's tools look for."""
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    (directory / "ca.pem").write_text((directory / "cert.pem").read_text())
    return directory


@pytest.fixture
def engine(certificates: Path) -> Iterator[DockerEngine]:
    server = DockerEngine(certificates)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
