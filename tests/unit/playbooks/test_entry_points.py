"""The same variables reach a playbook from the checkout's root, from playbooks/ and from ansible-runner (test_installed.py: from the installed collection).

The preflight's refusal of a foreign account names variables of group_vars/all.yml (pulsegrid_name) and of the inventory (pulsegrid_account_id).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ..conftest import CHECKOUT, CountingApi, clean_environment, run

EXPECTED = "pulsegrid_account_id is '000000000000', but the credentials belong to account 999999999999"


def said(output: str) -> str:
    return " ".join(output.split())


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/site.yml", "releases.yml", "rollback_backend.yml", "rollback_frontend.yml"])
def test_from_the_checkout(api: CountingApi, playbook: str) -> None:
    result = run("ansible-playbook", "-i", "inventories/local", playbook, "-e", f"local_cloud_port={api.port}")

    assert EXPECTED in said(result.stdout), result.stdout + result.stderr


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


INVENTORIES = sorted(path.parent.name for path in CHECKOUT.glob("inventories/*/hosts.yml"))


def variables(inventory: str) -> dict[str, dict[str, object]]:
    return json.loads(run("ansible-inventory", "-i", inventory, "--list").stdout)["_meta"]["hostvars"]


def test_all_inventories_at_once_have_the_variables_that_each_has() -> None:
    together = variables("inventories/")

    assert INVENTORIES
    for name in INVENTORIES:
        alone = variables(f"inventories/{name}")
        assert alone == {host: together[host] for host in alone}


def test_an_inventory_whose_variables_are_not_read_is_refused(api: CountingApi, tmp_path: Path) -> None:
    """As Ansible does not, where the inventory is a directory of directories: production would not be protected."""
    shutil.copytree(CHECKOUT / "inventories/local", tmp_path / "inventories/shop")
    port = ("-e", f"local_cloud_port={api.port}")
    result = run("ansible-playbook", "-i", tmp_path / "inventories", "site.yml", *port)

    assert result.returncode == 2
    assert "WARNING" not in result.stderr
    assert f"{tmp_path}/inventories/shop is part of the inventory {tmp_path}/inventories" in said(result.stdout), result.stdout
    assert api.requests == []

    (tmp_path / "inventories/group_vars").mkdir()
    (tmp_path / "inventories/group_vars/local.yml").symlink_to("../shop/group_vars/local.yml")
    result = run("ansible-playbook", "-i", tmp_path / "inventories", "site.yml", *port)

    assert EXPECTED in said(result.stdout), result.stdout
