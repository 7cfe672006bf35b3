"""Twelve environments, each in an account of its own, in one run: each assumes its role there, and one that fails keeps no other from its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from .conftest import CHECKOUT, Cloud, aws_environment

HOSTS = {f"shop-e{number}": f"2000000000{number:02}" for number in range(1, 13)}
REFUSED = "shop-e7"  # its inventory expects another account


@pytest.fixture(scope="module")
def inventory(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hosts in two regions, with a role in the account of each."""
    directory = tmp_path_factory.mktemp("fleet")
    hosts = {
        host: {
            "pulsegrid_assume_role_arn": f"arn:aws:iam::{account}:role/deployer",
            "pulsegrid_account_id": "999999999999" if host == REFUSED else account,
            "pulsegrid_region": "us-east-1" if number % 2 else "eu-central-1",
        }
        for number, (host, account) in enumerate(HOSTS.items())
    }
    variables = {
        "ansible_connection": "pulsegrid.aws.warm",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "pulsegrid_app": "shop",
        "pulsegrid_part": "ecr",
        "pulsegrid_aws_environment": aws_environment(cloud.endpoint) | {"AWS_REGION": "{{ pulsegrid_region }}"},
    }
    (directory / "group_vars").mkdir()
    (directory / "group_vars/fleet.yml").write_text(json.dumps(variables))
    (directory / "hosts.yml").write_text(json.dumps({"fleet": {"hosts": hosts}}))
    return directory


def provision(inventory: Path, number: int, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    hosts = ":".join(list(HOSTS)[:number])
    command = ["ansible-playbook", "-i", str(inventory), "playbooks/part.yml", "--limit", hosts, "-f", "6", *arguments]
    began = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done, time.monotonic() - began


def recap(output: str, what: str) -> dict[str, int]:
    return {host: int(count) for host, count in re.findall(rf"^(\S+)\s+:.*\b{what}=(\d+)", output, re.M)}


def repositories(cloud: Cloud, account: str) -> dict[str, list[str]]:
    """By region, the names of those that an account has."""
    found = {}
    for region in ("us-east-1", "eu-central-1"):
        ecr = boto3.client("ecr", endpoint_url=cloud.endpoint, region_name=region, aws_access_key_id=account, aws_secret_access_key="none")
        found[region] = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    return found


def test_each_environment_is_in_its_account_and_one_that_fails_stops_no_other(cloud: Cloud, inventory: Path) -> None:
    done, _seconds = provision(inventory, 12, "-vvv")

    failed = recap(done.stdout, "failed")
    assert failed == dict.fromkeys(HOSTS, 0) | {REFUSED: 1}, done.stdout[-4000:]
    assert "pulsegrid_account_id is '999999999999', but the credentials belong to account 200000000007" in " ".join(done.stdout.split())
    for number, (host, account) in enumerate(HOSTS.items()):
        here, elsewhere = ("us-east-1", "eu-central-1") if number % 2 else ("eu-central-1", "us-east-1")
        assert repositories(cloud, account) == {here: [] if host == REFUSED else [host], elsewhere: []}
    shown = set(re.findall(r"(?:secret_key|session_token): (.*)", done.stdout))
    assert shown <= {"null", "''", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in shown


def test_again_nothing_is_changed_and_the_time_grows_no_faster_than_the_number(inventory: Path) -> None:
    seconds = {}
    for number in (1, 4, 12):
        done, seconds[number] = provision(inventory, number)
        assert set(recap(done.stdout, "changed").values()) == {0}
        print(f"{number} environments: {seconds[number]:.1f} s, {seconds[number] / number:.2f} s each", file=sys.stderr)

    assert seconds[4] < 4 * seconds[1]
    assert seconds[12] < 3 * seconds[4]


def test_why_a_role_cannot_be_assumed_is_said(cloud: Cloud, inventory: Path) -> None:
    environment = aws_environment(cloud.endpoint) | {"AWS_PROFILE": "nobody"}
    done, _seconds = provision(inventory, 1, "-e", json.dumps({"pulsegrid_aws_environment": environment}))

    said = " ".join(done.stdout.split())
    assert "the role cannot be assumed: " in said
    assert "The config profile (nobody) could not be found" in said
