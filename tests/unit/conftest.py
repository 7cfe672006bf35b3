"""Shared by the unit tests: run a playbook as a user would, against an API that only counts."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import botocore.loaders
import pytest

CHECKOUT = Path(__file__).parents[2]
ANSWERS = {
    "GetCallerIdentity": "<Arn>arn:aws:iam::999999999999:user/somebody</Arn><UserId>AIDA</UserId><Account>999999999999</Account>",
    "ListAccountAliases": "<IsTruncated>false</IsTruncated><AccountAliases/>",
}


class CountingApi(ThreadingHTTPServer):
    """Counts the requests, by the operation that they call. To who the caller is it answers: somebody of account 999999999999."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    server: CountingApi

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        operation = parse_qs(body).get("Action", [self.path])[0]
        self.server.requests.append(operation)
        self.send_response(200 if operation in ANSWERS else 400)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        self.wfile.write(f"<{operation}Response><{operation}Result>{ANSWERS.get(operation, '')}</{operation}Result></{operation}Response>".encode())

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True, scope="session")
def service_models_are_read_once() -> Iterator[None]:
    """Each session of boto3 reads them anew, which would be half of the time of a test that runs a module."""
    with pytest.MonkeyPatch.context() as patch:
        loader = botocore.loaders.JSONFileLoader
        read = functools.cache(lambda path: load_file(loader(), path))
        load_file = loader.load_file
        patch.setattr(loader, "load_file", lambda _self, path: read(path))
        yield


@pytest.fixture
def api():
    server = CountingApi()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def clean_environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
    return {**kept, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", **more}


def run(*command: str | Path, cwd: Path = CHECKOUT, timeout_seconds: int = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean_environment(**environment), text=True, capture_output=True, timeout=timeout_seconds, check=False
    )


def refused_by(role: str, right: dict[str, object], wrong: list[tuple[dict[str, object], str]], api: CountingApi, directory: Path) -> None:
    """The role refuses each of the wrong inputs, with what is said beside it, and calls nothing."""
    tasks = [
        {
            "name": f"Case {number}",
            "vars": variables,
            "block": [{"ansible.builtin.include_role": {"name": f"pulsegrid.aws.{role}", "apply": {"check_mode": False}}}],
            "rescue": [{"ansible.builtin.debug": {"msg": f"refused {number}"}}],
        }
        for number, (variables, _said) in enumerate(wrong)
    ]
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{api.port}", "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobody"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": right, "environment": environment, "tasks": tasks}
    (directory / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    result = run("ansible-playbook", directory / "play.yml")

    said = " ".join(result.stdout.split() + result.stderr.split())
    for number, (_variables, explanation) in enumerate(wrong):
        assert f"refused {number}" in said, f"case {number} was not refused: {said}"
        assert explanation in said
    assert api.requests == []
