"""The installed collection, from a directory with an inventory of one's own, is about the environment that the checkout made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Cloud, running_version


def of(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def galaxy(*words: str | Path) -> None:
        subprocess.run(["ansible-galaxy", "collection", *map(str, words)], cwd=tmp_path, check=True, capture_output=True)

    galaxy("build", CHECKOUT, "--output-path", tmp_path)
    galaxy("install", next(tmp_path.glob("pulsegrid-aws-*.tar.gz")), "--no-deps", "--offline", "-p", tmp_path / "collections")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tmp_path / "collections"))
    return tmp_path / "collections/ansible_collections/pulsegrid/aws"


def test_the_three_playbooks_run_by_name(application: Cloud, installed: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(CHECKOUT / "inventories/local", mine / "inventories/local")
    for part in ("backend", "frontend"):
        shutil.copytree(CHECKOUT / "files" / part, mine / part, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (mine / "backend/CHANGED").write_text("from the installed collection\n")
    (mine / "frontend/public/installed.txt").write_text("from the installed collection\n")
    before, version = of(installed), running_version(application)

    application.playbook("pulsegrid.aws.site", where=mine)  # which puts back what other tests have changed
    assert application.playbook("pulsegrid.aws.site", "--check", where=mine).count("changed") == 0
    application.playbook("pulsegrid.aws.deploy_backend", where=mine, pulsegrid_backend_dir=str(mine / "backend"))
    application.playbook("pulsegrid.aws.deploy_frontend", where=mine, pulsegrid_frontend_dir=str(mine / "frontend"))

    assert running_version(application) != version
    assert application.get("/installed.txt").text == "from the installed collection\n"
    assert of(installed) == before
