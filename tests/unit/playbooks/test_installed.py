"""The built tarball: what is in it, and that its playbooks run by name where there is nothing but it, with a user's own inventory and variables."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from ..conftest import CHECKOUT, CountingApi, run
from .conftest import DockerEngine

TOP = {
    *("COPYING", "CONTRIBUTING.md", "FILES.json", "MANIFEST.json", "README.md", "SECURITY.md", "bindep.txt"),
    *("changelogs", "docs", "execution-environment.yml", "files", "group_vars", "meta", "playbooks", "plugins", "requirements", "roles"),
}
# What a checkout has lying about that must not travel
STATE = [
    *(".ansible/tmp/a", ".env", ".github/workflows/a.yml", ".local/outputs/shop-dev.json", ".venv/bin/python", ".vault-password", "vault_pass.txt"),
    *("collections/requirements.yml", "files/backend/server.key", "files/frontend/.env.local", "files/frontend/dist/index.html"),
    *("files/frontend/node_modules/a/index.js", "inventories/mine/group_vars/mine.yml", "old-0.1.0.tar.gz", "playbooks/site.retry", "roles/vpc/id.pem"),
    *("plugins/modules/__pycache__/s3_publish.cpython-311.pyc", "terraform.tfstate", "terraform.tfstate.backup", "tests/output/junit/a.xml"),
]
HOST = {"ansible_connection": "pulsegrid.aws.warm", "ansible_pipelining": True, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
INVENTORY = {"shop": {"hosts": {"shop-staging": HOST}}}
VARIABLES = {"pulsegrid_app": "shop", "pulsegrid_region": "eu-central-1", "pulsegrid_account_id": "111122223333"}
# It has neither response headers policies nor published functions
ON_MOTO = {"static_site_response_headers_policy_id": "67f7725c-6f97-4210-82d7-5512b31e9d03", "static_site_spa_routing": False, "static_site_blocked_paths": []}
PLAYBOOKS = sorted(path.stem for path in CHECKOUT.glob("playbooks/*.yml"))


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a checkout in use."""
    where = tmp_path_factory.mktemp("built")
    source = where / "source"
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(lambda name: name and os.path.lexists(CHECKOUT / name), files):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, source / name, follow_symlinks=False)
    for name in STATE:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("not for others")
    built = run("ansible-galaxy", "collection", "build", source, "--output-path", where)
    assert built.returncode == 0, built.stderr
    return next(where.glob("pulsegrid-aws-*.tar.gz"))


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path of collections that holds nothing but the tarball's content."""
    where = tmp_path_factory.mktemp("installed")
    done = run("ansible-galaxy", "collection", "install", tarball, "--no-deps", "--offline", "-p", where / "collections", cwd=where)
    assert done.returncode == 0, done.stderr
    return where / "collections"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The directory of somebody who has installed the collection and read how to write an inventory."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text(json.dumps(INVENTORY))
    (tmp_path / "group_vars/shop.yml").write_text(json.dumps(VARIABLES))
    return tmp_path


def test_the_tarball_has_what_a_user_needs_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
        outside = [member.name for member in archive.getmembers() if member.issym() and member.linkname.startswith("/")]

    assert {name.split("/")[0] for name in names} - {"CHANGELOG.rst"} == TOP  # which a release has
    assert sorted(names & set(STATE)) == []
    assert outside == []
    assert [name for name in names if name.startswith("changelogs/")]
    assert {"files/backend/.dockerignore", "files/frontend/.env", "meta/runtime.yml", "requirements/ministack.txt"} <= names
    assert {f"playbooks/{name}.yml" for name in PLAYBOOKS} <= names


def test_the_variables_that_everybody_has_travel_with_it(installed: Path) -> None:
    assert (installed / "ansible_collections/pulsegrid/aws/playbooks/group_vars/all.yml").read_text() == (CHECKOUT / "group_vars/all.yml").read_text()


@pytest.mark.parametrize("playbook", ["site", "deploy_backend", "deploy_frontend"])
def test_a_playbook_runs_by_name_with_the_users_inventory(api: CountingApi, installed: Path, user: Path, playbook: str) -> None:
    result = run(
        "ansible-playbook", "-i", "hosts.yml", f"pulsegrid.aws.{playbook}", cwd=user, ANSIBLE_COLLECTIONS_PATH=str(installed),
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{api.port}", AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nobody",
    )  # fmt: skip

    said = " ".join(result.stdout.split())
    assert "pulsegrid_account_id is '111122223333', but the credentials belong to account 999999999999" in said, result.stdout + result.stderr


def test_every_playbook_is_found_by_name(installed: Path, user: Path) -> None:
    """With all that they include and import."""
    names = [f"pulsegrid.aws.{name}" for name in PLAYBOOKS]
    result = run("ansible-playbook", "-i", "hosts.yml", "--list-tasks", *names, cwd=user, ANSIBLE_COLLECTIONS_PATH=str(installed))

    assert result.returncode == 0, result.stderr
    found = [line.removeprefix("playbook: ") for line in result.stdout.splitlines() if line.startswith("playbook: ")]
    assert found == [str(installed / f"ansible_collections/pulsegrid/aws/playbooks/{name}.yml") for name in PLAYBOOKS]


def test_a_run_in_check_mode_on_an_empty_account_fails_nowhere(moto: str, engine: DockerEngine, installed: Path, user: Path) -> None:
    names = [f"pulsegrid.aws.{name}" for name in ("site", "deploy_backend", "deploy_frontend")]
    result = run(
        "ansible-playbook", "-i", "hosts.yml", "--check", *names, "-e", json.dumps({**ON_MOTO, "pulsegrid_account_id": "123456789012"}),
        cwd=user, ANSIBLE_COLLECTIONS_PATH=str(installed), **engine.environment,
        AWS_ENDPOINT_URL=moto, AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nobody",
    )  # fmt: skip

    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    changed = re.findall(r"TASK \[([^\n]*)\] \*+\nchanged: ", result.stdout)
    assert {"The release is built", "The release is pushed"} <= set(changed)
    assert "pulsegrid.aws.vpc : There is a VPC with DNS names" in changed
    assert engine.built == {}
