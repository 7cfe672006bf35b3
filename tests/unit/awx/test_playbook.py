"""playbooks/awx.yml with the awx.awx modules against the stand-in: creates, changes nothing again, predicts, mends, removes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from ..conftest import CHECKOUT, run
from .stand_in import TOKEN, Awx, Json, serving

DATA: Json = yaml.safe_load((CHECKOUT / "playbooks/vars/awx.yml").read_text())
LISTS = [name for name, value in DATA.items() if isinstance(value, list) and name not in {"awx_answers", "awx_questions"}]
SECRET = "the-secret-of-the-test"


@dataclass
class Result:
    output: str
    changed: list[str]  # "task: item"
    failed: bool


@dataclass
class Controller:
    awx: Awx
    url: str

    def play(self, *arguments: str, ok: bool = True, environment: dict[str, str] | None = None, **variables: Any) -> Result:
        done = run(
            "ansible-playbook", "playbooks/awx.yml", *arguments, "-e", json.dumps({"awx_project_sync_seconds": 15, **variables}),
            timeout_seconds=1200, CONTROLLER_HOST=self.url, CONTROLLER_OAUTH_TOKEN=TOKEN, **(environment or {}),
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert not ok or done.returncode == 0, output[-5000:]
        tasks = [(task.partition("]")[0], task) for task in re.split(r"^TASK \[", done.stdout, flags=re.M)[1:]]
        changed = [f"{name}: {item}" for name, task in tasks for item in re.findall(r"^changed: \[localhost\] => \(item=(.*?)\)", task, re.M)]
        assert TOKEN not in output
        return Result(output, changed, done.returncode != 0)


@pytest.fixture
def controller() -> Iterator[Controller]:
    awx = Awx()
    with serving(awx) as url:
        yield Controller(awx, url)


def imported(controller: Controller) -> None:
    environment = {**os.environ, "CONTROLLER_HOST": controller.url, "CONTROLLER_OAUTH_TOKEN": TOKEN}
    for number in (1, 2):
        assets = (CHECKOUT / f"docs/awx-assets-{number}.json").read_text()
        done = subprocess.run(["awx", "import"], input=assets, env=environment, text=True, capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def a_few() -> Json:
    """The shipped definitions without most of what there are several of."""
    few = {name: DATA[name] for name in LISTS}
    few["awx_job_templates"] = [it for it in DATA["awx_job_templates"] if it["name"] in {"Plan", "Deploy backend"}]
    few["awx_labels"] = [{"name": name} for name in sorted({label for it in few["awx_job_templates"] for label in it["labels"]})]
    few["awx_teams"] = DATA["awx_teams"][:1]
    few["awx_inventories"] = [{**DATA["awx_inventories"][0], "sources": DATA["awx_inventories"][0]["sources"][:1]}]
    approval = next(node for node in DATA["awx_workflow_job_templates"][0]["nodes"] if "approval" in node)
    deploy = {"identifier": "deploy", "job_template": "Deploy backend", "answers": {"pulsegrid_hosts": "dev"}, "then": ["approve-production"]}
    few["awx_workflow_job_templates"] = [{**DATA["awx_workflow_job_templates"][0], "nodes": [deploy, {**approval, "then": []}]}]
    few["awx_roles"] = [{"team": "Developers", "role": "execute", "workflows": ["Release"], "job_templates": ["Plan"]}]
    return few


def test_all_that_is_shipped_is_created_and_the_second_run_changes_nothing(controller: Controller) -> None:
    awx = controller.awx
    first = controller.play(environment={"PULSEGRID_AWX_ACCESS_KEY_ID": "AKIAEXAMPLE", "PULSEGRID_AWX_SECRET_ACCESS_KEY": SECRET})

    for name in LISTS:
        kind = name.removeprefix("awx_")
        if kind != "roles":
            assert {it["name"] for it in awx.objects[kind].values()} >= {it["name"].replace("{{ awx_organization }}", "PulseGrid") for it in DATA[name]}
    assert len(awx.objects["inventory_sources"]) == 2
    assert len(awx.objects["workflow_job_template_nodes"]) == 9
    assert awx.named("credentials", "PulseGrid AWS")["inputs"] == {"username": "AKIAEXAMPLE", "password": "$encrypted$"}
    assert SECRET not in first.output
    assert sum(map(len, awx.role_teams.values())) == sum(len(it["workflows"]) + len(it["job_templates"]) for it in DATA["awx_roles"])
    assert [change for change in awx.changes if "/tokens/" in change] == []

    made = list(awx.changes)
    second = controller.play()
    assert second.changed == []
    assert awx.changes == made

    # awxkit makes the same of the asset files
    other = Awx()
    with serving(other) as url:
        imported(Controller(other, url))
    mine, its = awx.described(), other.described()
    assert mine.pop("credentials PulseGrid AWS") == its.pop("credentials PulseGrid AWS") | {"inputs": {"username": "AKIAEXAMPLE", "password": "$encrypted$"}}
    assert mine == its


def test_check_mode_predicts_what_is_created_and_mended(controller: Controller) -> None:
    """One after another: each run starts with what the one before left."""
    awx, few = controller.awx, a_few()

    predicted = controller.play("--check", **few)
    assert awx.changes == []
    created = controller.play(**few)
    assert predicted.changed == created.changed
    assert len(created.changed) == sum(len(few[name]) for name in LISTS) + 4  # an inventory's source, a workflow's two nodes and the link between them
    made = len(awx.changes)

    # Somebody has changed things by hand
    plan = awx.named("job_templates", "Plan")
    plan["description"], plan["job_type"] = "edited", "run"
    number = next(number for number, it in awx.objects["job_templates"].items() if it is plan)
    awx.surveys["job_templates", number] = {"name": "", "description": "", "spec": [{**DATA["awx_questions"][0], "choices": ["dev", "mars"]}]}
    awx.attached["job_templates", number, "labels"].clear()
    awx.named("schedules", "Nightly plan")["enabled"] = False
    awx.named("projects", "PulseGrid playbooks")["scm_branch"] = "experiment"
    awx.named("inventory_sources", "Environment dev")["update_on_launch"] = False
    nodes = {it["identifier"]: number for number, it in awx.objects["workflow_job_template_nodes"].items()}
    awx.attached["workflow_job_template_nodes", nodes["deploy"], "success_nodes"].clear()
    awx.attached["workflow_job_template_nodes", nodes["deploy"], "failure_nodes"].append(nodes["approve-production"])
    approval = awx.objects["workflow_job_template_nodes"][nodes["approve-production"]]["unified_job_template"]
    awx.objects["workflow_approval_templates"][approval]["timeout"] = 0
    workflow = awx.objects["workflow_job_template_nodes"][nodes["deploy"]]["workflow_job_template"]
    awx.create("workflow_job_template_nodes", {"identifier": "by hand", "workflow_job_template": workflow, "unified_job_template": number})
    awx.role_teams[awx.role("job_templates", number, "execute_role")].clear()

    drift = [
        "Projects: PulseGrid playbooks",
        "Inventory sources: Environment dev",
        "Job templates: Plan",
        "Nodes that are not defined are gone: by hand",
        "Nodes: deploy",
        "Nodes: approve-production",
        "Links from node to node: deploy",
        "Schedules: Nightly plan",
        "Roles of teams: Developers: execute",
    ]
    assert controller.play("--check", **few).changed == drift
    assert len(awx.changes) == made
    assert controller.play(**few).changed == drift
    assert (plan["job_type"], awx.named("projects", "PulseGrid playbooks")["scm_branch"]) == ("check", "main")
    assert awx.surveys["job_templates", number]["spec"][0]["choices"] == ["all", "dev", "production"]
    assert awx.attached["workflow_job_template_nodes", nodes["deploy"], "failure_nodes"] == []

    # One definition is given up, and nothing else is left to do
    few["awx_schedules"] = [{**few["awx_schedules"][0], "state": "absent"}]
    assert controller.play(**few).changed == ["Schedules: Nightly plan"]
    assert awx.objects["schedules"] == {}


def test_all_definitions_can_be_removed(controller: Controller) -> None:
    imported(controller)
    controller.play(awx_state="absent")

    assert {kind for kind, found in controller.awx.objects.items() if found} == {"credential_types", "labels"}  # AWX's own, and what AWX itself removes
    assert len(controller.awx.objects["credential_types"]) == 1
    made = len(controller.awx.changes)
    assert controller.play(awx_state="absent").changed == []
    assert len(controller.awx.changes) == made


@pytest.mark.parametrize(("sync", "said"), [("running", "has not synced the project PulseGrid playbooks within 15 seconds"), ("failed", "could not sync")])
def test_a_sync_of_the_project_that_does_not_end_or_fails_ends_the_run(controller: Controller, sync: str, said: str) -> None:
    controller.awx.sync = sync
    only = {name: [] for name in LISTS} | {"awx_organizations": DATA["awx_organizations"], "awx_projects": DATA["awx_projects"]}
    result = controller.play(ok=False, **only)

    assert result.failed
    assert said in " ".join(result.output.split())


def test_secrets_that_awx_has_stay_until_somebody_says_otherwise(controller: Controller) -> None:
    only = {name: [] for name in LISTS} | {"awx_organizations": DATA["awx_organizations"], "awx_credentials": DATA["awx_credentials"][:1]}
    new = {"PULSEGRID_AWX_ACCESS_KEY_ID": "AKIAEXAMPLE", "PULSEGRID_AWX_SECRET_ACCESS_KEY": SECRET}
    controller.play(environment=new, **only)
    made = len(controller.awx.changes)

    assert controller.play(environment={}, **only).changed == []
    assert controller.play(environment=new, **only).changed == []
    assert len(controller.awx.changes) == made
    assert controller.play(environment=new, awx_update_secrets=True, **only).changed == ["Credentials: PulseGrid AWS"]
    _method, _path, body = controller.awx.requests[-1]
    assert body["inputs"]["password"] == SECRET


def test_it_says_what_it_needs_to_know_where_awx_is() -> None:
    result = run("ansible-playbook", "playbooks/awx.yml", CONTROLLER_HOST="", CONTROLLER_OAUTH_TOKEN="")

    assert result.returncode == 2
    assert "CONTROLLER_HOST" in result.stdout


def test_the_definitions_fit_each_other_and_the_repository() -> None:
    inventories = {path.parent.name for path in (CHECKOUT / "inventories").glob("*/hosts.yml")}
    templates = {it["name"]: it for it in DATA["awx_job_templates"]}
    for it in templates.values():
        assert (CHECKOUT / it["playbook"]).is_file()
        for question in it["survey"]:
            if question["variable"] == "pulsegrid_hosts":
                assert set(question["choices"]) <= inventories | {"all"}
    for source in DATA["awx_inventories"][0]["sources"]:
        assert (CHECKOUT / source["source_path"]).is_file()
    nodes = DATA["awx_workflow_job_templates"][0]["nodes"]
    order = [node["identifier"] for node in nodes]
    production = {node["identifier"] for node in nodes if node.get("answers", {}).get("pulsegrid_hosts") == "production"}
    assert production
    assert all(order.index(identifier) > order.index("approve-production") for identifier in production)
    before = {node["identifier"] for node in nodes if set(node["then"]) & production} - production
    assert before == {"approve-production"}, "production is reached past the approval"
    # AWX finds a node's or schedule's template by name among all that can be started
    started = [it["name"] for kind in ("projects", "job_templates", "workflow_job_templates") for it in DATA[f"awx_{kind}"]]
    started += [source["name"] for source in DATA["awx_inventories"][0]["sources"]] + [node["approval"]["name"] for node in nodes if "approval" in node]
    assert len(started) == len(set(started))
    may = {(role["team"], name) for role in DATA["awx_roles"] if role["role"] == "execute" for name in role["job_templates"]}
    assert [team for team, name in may if name == "Destroy"] == ["Owners"]
    assert not {name for team, name in may if team == "Developers"} & {name for name, it in templates.items() if it["labels"] != ["reads only"]}
