"""lock.yml freezes an environment: then site.yml and destroy.yml refuse, and say who froze it and why, until unlock.yml ends that."""

from __future__ import annotations

import json
import subprocess

import pytest

from ..conftest import CountingApi, run
from .conftest import ENVIRONMENT
from .fake_s3 import FakeS3

KEY = "/pulsegrid-local-site-999999999999/deploy.lock"
WHY = "holidays, until 2 January"
READING = {"GetCallerIdentity", "ListAccountAliases"}


class Environment:
    def __init__(self, s3: FakeS3, api: CountingApi) -> None:
        self.s3 = s3
        self.api = api

    def play(self, playbook: str, *options: str, **variables: str) -> str:
        given = {"local_cloud_port": self.api.port, "pulsegrid_account_id": "", **variables}
        command = ["ansible-playbook", "-i", "inventories/local", playbook, "-e", json.dumps(given), *options]
        self.done: subprocess.CompletedProcess[str] = run(*command, **ENVIRONMENT, AWS_ENDPOINT_URL_S3=self.s3.url, USER="alice")
        return " ".join((self.done.stdout + self.done.stderr).split())


@pytest.fixture
def environment(s3: FakeS3, api: CountingApi) -> Environment:
    return Environment(s3, api)


def test_a_freeze_and_its_end(environment: Environment) -> None:
    s3, api = environment.s3, environment.api

    said = environment.play("playbooks/lock.yml", pulsegrid_why=WHY)
    assert environment.done.returncode == 0, said
    assert "pulsegrid-local: Deploys are frozen by alice since 20" in said
    lock = json.loads(s3.objects[KEY][0])
    assert (lock["holder"], lock["why"], lock["expires_seconds"]) == ("alice", WHY, None)

    for playbook, variables in (("site.yml", {}), ("playbooks/destroy.yml", {"pulsegrid_confirm": "pulsegrid-local"})):
        said = environment.play(playbook, **variables)
        assert environment.done.returncode == 2
        assert "pulsegrid-local: Deploys are frozen by alice since 20" in said
        assert f"({WHY}). The playbook unlock.yml ends the freeze." in said
        assert set(api.requests) <= READING
    assert s3.requests.count("PUT") == 1

    said = environment.play("playbooks/unlock.yml", "--check")
    assert "pulsegrid-local: would remove the freeze of alice" in said
    assert KEY in s3.objects
    said = environment.play("playbooks/unlock.yml")
    assert "pulsegrid-local: removed the freeze of alice since 20" in said
    assert s3.objects == {}
    assert "pulsegrid-local: there was no lock." in environment.play("playbooks/unlock.yml")


def test_a_freeze_without_a_reason_is_refused_before_the_first_call(environment: Environment) -> None:
    said = environment.play("playbooks/lock.yml")
    assert "pulsegrid_why is '': say what everybody is told" in said
    assert environment.api.requests == environment.s3.requests == []


def test_in_awx_it_is_the_user_of_awx(environment: Environment) -> None:
    environment.play("playbooks/lock.yml", pulsegrid_why=WHY, awx_user_name="bob", awx_job_id="12")
    assert json.loads(environment.s3.objects[KEY][0])["holder"] == "bob"


def test_a_second_site_has_the_environments_lock(environment: Environment) -> None:
    environment.play("playbooks/lock.yml", pulsegrid_why=WHY, static_site_name="pulsegrid-local-status")
    assert list(environment.s3.objects) == [KEY]
