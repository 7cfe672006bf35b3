"""The same variables reach a playbook from the checkout's root, from playbooks/ and from ansible-runner (test_installed.py: from the installed collection).

The preflight's refusal of a foreign account names variables of group_vars/all.yml (pulsegrid_name) and of the inventory (pulsegrid_account_id).
"""

from __future__ import annotations

import json
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
