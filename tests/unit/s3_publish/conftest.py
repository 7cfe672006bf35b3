# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A directory that is published to a fake S3, by the module in this process or in one that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.modules import s3_publish as module

from .fake_s3 import FakeS3

FILES = {"index.html": "<p>one", "docs/index.html": "<p>docs", "robots.txt": "all", "assets/app-1.js": "1", "assets/a b.css": "p {}"}
MANIFEST = "manifest.json"


class Site:
    def __init__(self, src: Path, s3: FakeS3, capsys: pytest.CaptureFixture[str]) -> None:
        self.src = src
        self.s3 = s3
        self.capsys = capsys

    def write(self, **files: str) -> None:
        for name, content in files.items():
            path = self.src / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def replace(self, files: dict[str, str]) -> None:
        shutil.rmtree(self.src, ignore_errors=True)
        self.write(**files)

    def options(self, **options: Any) -> dict[str, Any]:
        given = {"bucket": "bucket", "prefix": "site", "manifest_key": MANIFEST, "distribution_id": "E1", "region": "us-east-1", "endpoint_url": self.s3.url}
        return {**given, **({} if "restore" in options else {"src": str(self.src)}), **options}

    def publish(self, check: bool = False, name: str = "", **options: Any) -> dict[str, Any]:
        self.s3.forget()
        arguments = self.options(**({"release": {"name": name}} if name else {}), **options)
        with patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
            module.main()
        return json.loads(self.capsys.readouterr().out.splitlines()[-1])

    def restore(self, name: str = "previous", **options: Any) -> dict[str, Any]:
        return self.publish(restore=name, **options)

    def killed(self, number: int, executed: bool, **options: Any) -> bool:
        """Run the module in a process that is killed at a request, before or after it was executed; whether it came to that."""
        self.s3.forget()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                with patch_module_args(self.options(**options)):
                    module.main()
            os._exit(0)

        def kill(request: int) -> None:
            if request == number:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise ConnectionAbortedError

        if executed:
            self.s3.after = kill
        else:
            self.s3.before = kill
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        self.s3.settle()
        self.s3.before = self.s3.after = lambda request: None
        return len(self.s3.requests) + (not executed) >= number

    @property
    def served(self) -> dict[str, str]:
        there = self.s3.bucket
        return {key.removeprefix("site/"): there.objects[key][-1].body.decode() for key in there.listed() if key.startswith("site/")}

    def body(self, key: str) -> str:
        return self.s3.bucket.objects[key][-1].body.decode()

    def headers(self, key: str) -> dict[str, str]:
        return self.s3.bucket.objects[key][-1].headers

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.body(MANIFEST))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    # Another test may have loaded the controller's side of Ansible, in which a module's warnings are shown and are no part of its result.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "nobody")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(variable, raising=False)
    s3 = FakeS3()
    site = Site(tmp_path / "dist", s3, capsys)
    site.write(**FILES)
    yield site
    s3.shutdown()
    s3.server_close()
