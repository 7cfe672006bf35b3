# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import lambda_package as module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    found = tmp_path / "source"
    for name in ("handler.py", "package/__init__.py", "package/__pycache__/x.pyc", ".git/config", "tests/test_handler.py", "run.sh"):
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_text(name)
    (found / "run.sh").chmod(0o755)
    return found


def pack(cloud, source, dest, **more):
    return cloud.run(module, source=str(source), dest=str(dest), **more)


def test_equal_content_makes_an_equal_file(cloud, source, tmp_path) -> None:
    first = pack(cloud, source, tmp_path / "first.zip")
    for path in source.rglob("*"):
        os.utime(path, (1, 1))
    second = pack(cloud, source, tmp_path / "second.zip")

    content = (tmp_path / "first.zip").read_bytes()
    assert content == (tmp_path / "second.zip").read_bytes()
    assert first["code_sha256"] == second["code_sha256"] == base64.b64encode(hashlib.sha256(content).digest()).decode()

    (source / "handler.py").write_text("changed")
    assert pack(cloud, source, tmp_path / "third.zip")["code_sha256"] != first["code_sha256"]


def test_what_is_packed(cloud, source, tmp_path) -> None:
    packed = pack(cloud, source, tmp_path / "function.zip", exclude=[".*", "__pycache__", "tests"])
    assert packed["files"] == ["handler.py", "package/__init__.py", "run.sh"]
    with zipfile.ZipFile(tmp_path / "function.zip") as package:
        assert package.namelist() == packed["files"]
        assert package.read("package/__init__.py") == b"package/__init__.py"
        modes = {it.filename: it.external_attr >> 16 & 0o777 for it in package.infolist()}
    assert modes == {"handler.py": 0o644, "package/__init__.py": 0o644, "run.sh": 0o755}


def test_check_mode_writes_nothing(cloud, source, tmp_path) -> None:
    assert pack(cloud, source, tmp_path / "function.zip", check=True)["changed"]
    assert not (tmp_path / "function.zip").exists()


def test_a_second_time_changes_nothing(cloud, source, tmp_path) -> None:
    assert pack(cloud, source, tmp_path / "function.zip")["changed"]
    assert not pack(cloud, source, tmp_path / "function.zip")["changed"]


def test_a_directory_without_code_is_refused(cloud, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no file to pack" in pack(cloud, tmp_path / "empty", tmp_path / "function.zip", fails=True)["msg"]
    assert "is no directory" in pack(cloud, tmp_path / "none", tmp_path / "function.zip", fails=True)["msg"]
