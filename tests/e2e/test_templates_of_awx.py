"""Each job template of playbooks/vars/awx.yml, run as AWX runs it: by ansible-runner, from a fresh clone in a private data directory of the job's own.

What AWX does is written out in `Awx.job`: the inventory is what `ansible-inventory` made of the project's files, handed over as a script; a survey's answers
are text that is never a template; credentials are environment variables. What a real environment has from AWS is the local cloud's here (`elsewhere`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pytest
import requests
import yaml
from contracts import awx_assets

from .conftest import CHECKOUT, Cloud

DATA = awx_assets.definitions()
TEMPLATES = {it["name"]: it for it in DATA["awx_job_templates"]}
LOCAL = yaml.safe_load((CHECKOUT / "inventories/local/group_vars/local.yml").read_text())
OWN_OF_LOCAL = {"pulsegrid_aws_environment", "pulsegrid_outputs_file", "pulsegrid_work_dir"}


class Answer(str):
    """A survey's answer, which AWX writes as text that is not a template."""


yaml.SafeDumper.add_representer(Answer, lambda dumper, answer: dumper.represent_scalar("!unsafe", answer))


@dataclass
class Ended:
    status: str
    output: str
    events: list[dict[str, Any]]

    @property
    def changes(self) -> list[str]:
        return [it["event_data"]["task"] for it in self.events if it["event"] == "runner_on_ok" and it["event_data"]["res"].get("changed")]

    @property
    def hosts(self) -> set[str]:
        return {it["event_data"]["host"] for it in self.events if it["event"].startswith("runner_on_") and "host" in it["event_data"]}


@dataclass
class Awx:
    cloud: Cloud
    repository: Path  # what the project clones
    directory: Path
    jobs: list[Path] = field(default_factory=list)

    def commit(self, path: str, text: str) -> None:
        (self.repository / path).write_text(text)
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-qm", f"Change {path}")

    @property
    def credentials(self) -> dict[str, str]:
        """The environment variables of the job templates' two credentials."""
        injectors = DATA["awx_credential_types"][0]["injectors"]["env"]
        own = {name: jinja2.Environment(autoescape=False).from_string(text).render(npm_token="") for name, text in injectors.items()}
        return {**own, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

    @property
    def elsewhere(self) -> dict[str, Any]:
        """What is different on the local cloud, as a template's own variables."""
        return {name: value for name, value in LOCAL.items() if name not in OWN_OF_LOCAL} | self.cloud.variables

    def inventory(self, project: Path) -> dict[str, Any]:
        """What the syncs of the inventory's sources leave in AWX, as its script hands it to a job."""
        found: dict[str, Any] = {"all": {"children": []}, "_meta": {"hostvars": {}}}
        for source in DATA["awx_inventories"][0]["sources"]:
            command = ["ansible-inventory", "-i", project / source["source_path"], "--list", "--export"]
            groups = json.loads(subprocess.run(command, cwd=project, capture_output=True, check=True, text=True).stdout)
            found["_meta"]["hostvars"] |= groups.pop("_meta")["hostvars"]
            found["all"]["children"] += groups.pop("all")["children"]
            found |= groups
        return found

    def job(self, name: str, limit: str = "", **answers: str) -> Ended:
        template = TEMPLATES[name]
        asked = {question["variable"]: question for question in template["survey"]}
        assert answers.keys() <= asked.keys()
        given = {variable: answers.get(variable, question["default"]) for variable, question in asked.items()}
        directory = self.directory / str(len(self.jobs))
        self.jobs.append(directory)
        project = directory / "project"
        git(self.directory, "clone", "-q", "--no-hardlinks", self.repository, project)
        writable(project, False)
        before = state(project)

        (directory / "inventory").mkdir()
        script = directory / "inventory/hosts"
        script.write_text(f"#! /usr/bin/env python3\nprint({json.dumps(self.inventory(project))!r})\n")
        script.chmod(0o700)
        variables = {**self.elsewhere, **template.get("extra_vars", {}), "awx_job_id": len(self.jobs), "awx_user_name": "somebody"}
        arguments = [f"--limit={limit}"] * bool(limit) + ["--check", "--diff"] * (template.get("job_type") == "check")
        collections = next(line for line in (project / "ansible.cfg").read_text().splitlines() if line.startswith("collections_path")).split("= ")[1]
        environment = {
            **self.credentials,
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "ANSIBLE_COLLECTIONS_PATH": f"{directory}/requirements_collections:{collections}",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
        }
        (directory / "env").mkdir()
        (directory / "env/extravars").write_text(yaml.safe_dump({**variables, **{key: Answer(value) for key, value in given.items()}}))
        (directory / "env/envvars").write_text(json.dumps(environment))
        (directory / "env/cmdline").write_text(" ".join(arguments))
        (directory / "env/settings").write_text(json.dumps({"runner_mode": "subprocess", "suppress_env_files": True}))
        (directory / "home").mkdir()
        done = subprocess.run(
            ["ansible-runner", "run", str(directory), "-p", template["playbook"], "--ident", "job"],
            env={"PATH": os.environ["PATH"], "HOME": str(directory / "home"), "LANG": "C.UTF-8"},
            cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
        assert sorted({path for path, _when in state(project) ^ before}) == [], "the job wrote into the project"
        artifacts = directory / "artifacts/job"
        events = [json.loads(path.read_text()) for path in sorted((artifacts / "job_events").glob("*.json"), key=lambda path: int(path.name.split("-")[0]))]
        print(done.stdout[-3000:])
        return Ended((artifacts / "status").read_text(), done.stdout + done.stderr, events)


def git(where: Path, *arguments: str | Path) -> None:
    subprocess.run(["git", "-C", where, "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments], check=True, capture_output=True)


def state(directory: Path) -> set[tuple[str, int]]:
    """Root may write whatever the mode says, so what was written is looked for. Bytecode is what Python leaves where it can."""
    files = {path for path in directory.rglob("*") if path.is_symlink() or path.is_file()}
    return {(str(path.relative_to(directory)), path.lstat().st_mtime_ns) for path in files if path.parent.name != "__pycache__"}


def writable(directory: Path, yes: bool) -> None:
    subprocess.run(["chmod", "-R", "u+w" if yes else "a-w", directory], check=True)


@pytest.fixture(scope="module")
def awx(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    directory = tmp_path_factory.mktemp("awx")
    repository = directory / "repository"
    git(directory, "clone", "-q", CHECKOUT, repository)
    changed = subprocess.run(["git", "-C", CHECKOUT, "ls-files", "-z", "-m", "-o", "--exclude-standard"], check=True, capture_output=True, text=True).stdout
    for name in filter(None, changed.split("\0")):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes((CHECKOUT / name).read_bytes())
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "What the checkout has beside its commit")
    yield Awx(cloud, repository, directory)
    writable(directory, True)


def version(cloud: Cloud) -> str:
    """The release that serves, asked for through the distribution."""
    distributions = cloud.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    domain = next(it["DomainName"] for it in distributions if any("pulsegrid-dev" in origin["DomainName"] for origin in it["Origins"]["Items"]))
    host = f"{domain.replace('.net', '.localhost')}:{cloud.port}"
    return requests.get(f"{cloud.endpoint}/api/v1/health", headers={"Host": host}, timeout=10).json()["version"]


def successful(ended: Ended) -> Ended:
    assert ended.status == "successful", ended.output[-6000:]
    return ended


def test_every_job_template(awx: Awx) -> None:
    """In the order in which people start them. Each is started once at least; the last line counts them."""
    started: set[str] = set()

    def job(name: str, **answers: str) -> Ended:
        started.add(name)
        return successful(awx.job(name, **answers))

    # A limit leaves out what a survey names: production is not there.
    assert job("Plan", pulsegrid_hosts="all", limit="dev").hosts == {"pulsegrid-dev"}
    assert job("Provision", pulsegrid_hosts="dev").changes != []
    assert job("Plan", pulsegrid_hosts="dev").changes == []
    assert job("Provision", pulsegrid_hosts="dev").changes == []

    job("Deploy backend", pulsegrid_hosts="dev", pulsegrid_why="{{ it's not a template }}")
    job("Deploy frontend", pulsegrid_hosts="dev")
    job("Smoke test", pulsegrid_hosts="dev")
    first = version(awx.cloud)

    awx.commit("files/backend/CHANGED", "a second release\n")
    awx.commit("files/frontend/public/changed.txt", "a second release\n")
    job("Deploy backend", pulsegrid_hosts="dev")
    job("Deploy frontend", pulsegrid_hosts="dev")
    second = version(awx.cloud)
    assert second != first
    assert first in job("Releases", pulsegrid_hosts="dev").output

    job("Roll back backend", pulsegrid_hosts="dev", pulsegrid_rollback_to="")
    assert version(awx.cloud) == first
    job("Roll back backend", pulsegrid_hosts="dev", pulsegrid_rollback_to=second)
    assert version(awx.cloud) == second
    job("Roll back frontend", pulsegrid_hosts="dev", pulsegrid_why="the second is bad")
    assert "pulsegrid-dev" in job("Outputs", pulsegrid_hosts="dev").output
    job("Smoke test", pulsegrid_hosts="dev")

    refused = awx.job("Destroy", pulsegrid_hosts="dev", pulsegrid_confirm="pulsegrid-production")
    assert (refused.status, refused.changes) == ("failed", [])
    job("Destroy", pulsegrid_hosts="dev", pulsegrid_confirm="pulsegrid-dev")
    assert awx.cloud.client("ecs").describe_services(cluster="pulsegrid-dev", services=["pulsegrid-dev"])["services"] == []
    assert started == TEMPLATES.keys()
