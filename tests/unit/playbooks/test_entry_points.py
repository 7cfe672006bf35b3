"""The same variables reach a playbook from the checkout's root, from playbooks/, from the installed collection and from ansible-runner.

The preflight's refusal of a foreign account names variables of group_vars/all.yml (pulsegrid_name) and of the inventory (pulsegrid_account_id).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ..conftest import CHECKOUT, CountingApi, clean_environment, run

EXPECTED = "pulsegrid_account_id is '000000000000', but the credentials belong to account 999999999999"


def said(output: str) -> str:
    return " ".join(output.split())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path of collections that holds nothing but the built tarball's content."""
    where = tmp_path_factory.mktemp("installed")
    source = where / "source"
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!.collections").stdout.split("\0")
    for name in filter(lambda name: name and os.path.lexists(CHECKOUT / name), files):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, source / name, follow_symlinks=False)
    built = run("ansible-galaxy", "collection", "build", source, "--output-path", where)
    assert built.returncode == 0, built.stderr
    tarball = next(where.glob("pulsegrid-aws-*.tar.gz"))
    done = run("ansible-galaxy", "collection", "install", tarball, "--no-deps", "--offline", "-p", where / "collections", cwd=where)
    assert done.returncode == 0, done.stderr
    return where / "collections"


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/site.yml", "releases.yml", "rollback_backend.yml", "rollback_frontend.yml"])
def test_from_the_checkout(api: CountingApi, playbook: str) -> None:
    result = run("ansible-playbook", "-i", "inventories/local", playbook, "-e", f"local_cloud_port={api.port}")

    assert EXPECTED in said(result.stdout), result.stdout + result.stderr


def test_from_the_installed_collection(api: CountingApi, installed: Path, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "inventories", tmp_path / "inventories")
    result = run(
        "ansible-playbook", "-i", "inventories/local", "pulsegrid.aws.site", "-e", f"local_cloud_port={api.port}",
        cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed),
    )  # fmt: skip

    assert EXPECTED in said(result.stdout), result.stdout + result.stderr


def test_the_installed_collection_carries_no_tests_and_no_state(installed: Path) -> None:
    root = installed / "ansible_collections/pulsegrid/aws"

    assert (root / "files/backend/Dockerfile").is_file()
    assert (root / "playbooks/group_vars/all.yml").read_text() == (CHECKOUT / "group_vars/all.yml").read_text()
    assert sorted(path.name for path in root.iterdir() if path.name in {".local", ".venv", ".git", "tests", "molecule", "inventories", ".collections"}) == []


def test_from_ansible_runner(api: CountingApi, tmp_path: Path) -> None:
    (tmp_path / "project").symlink_to(CHECKOUT)
    (tmp_path / "env").mkdir()
    (tmp_path / "env/extravars").write_text(json.dumps({"local_cloud_port": api.port}))
    (tmp_path / "env/settings").write_text(json.dumps({"suppress_env_files": True}))
    result = subprocess.run(
        ["ansible-runner", "run", str(tmp_path), "-p", "site.yml", "--inventory", str(CHECKOUT / "inventories/local")],
        env=clean_environment(), text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip

    assert EXPECTED in said(result.stdout), result.stdout + result.stderr
