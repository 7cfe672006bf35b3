"""Deploys that go wrong, for real: tests/e2e/breakable is one image that fails as BREAK says. Each failure is a later release of the API, while requests
come in through CloudFront, and the first release of a service of its own, behind a target group of its own. The two run side by side."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .conftest import CHECKOUT, Cloud, Run, kill, running_version, steady_requests, until

APP = CHECKOUT / "tests" / "e2e" / "breakable"
CLUSTER = API = "pulsegrid-local"
FIRST = f"{CLUSTER}-first"
REGISTRY_IMAGE = "127.0.0.1:{port}/pulsegrid-local@sha256:{digest}"
MISSING_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:pulsegrid-local-missing-AbCdEf"
# From the first change to the end of a deploy that is certain to fail. Fifteen minutes would be what ECS gives it.
CERTAIN_SECONDS = 60
CONTROL_CHARACTER = r"[\x00-\x08\x0b-\x1f\x7f]"


@dataclass
class Service:
    """One service, and how the breakable application is deployed to it."""

    cloud: Cloud
    name: str
    variables: dict[str, Any] = field(default_factory=dict)

    def deploy(self, *arguments: str, break_: str = "", release: str = "", ok: bool = True, **variables: Any) -> Run:
        env = {"PORT": "8080", "BREAK": break_, "RELEASE": release}
        settings = {"pulsegrid_backend_dir": str(APP), "pulsegrid_backend_secrets": {}, "pulsegrid_backend_env": env, **self.variables, **variables}
        return self.cloud.playbook("deploy_backend.yml", *arguments, ok=ok, **settings)

    @property
    def state(self) -> dict[str, Any]:
        return self.cloud.client("ecs").describe_services(cluster=CLUSTER, services=[self.name])["services"][0]

    @property
    def revision(self) -> str:
        return self.state["taskDefinition"].split("/")[-1]

    def revisions(self) -> list[str]:
        # MiniStack takes familyPrefix by its name, as a prefix; the family of the first releases, beside it, begins alike
        arns = self.cloud.client("ecs").list_task_definitions(familyPrefix=self.name, status="ACTIVE")["taskDefinitionArns"]
        return [arn for arn in arns if f"/{self.name}:" in arn]


def short(steady_seconds: int = 3, failures: int = 2) -> dict[str, Any]:
    return {
        "pulsegrid_smoke_path": "/api/v1/health",
        "ecs_service_steady_seconds": steady_seconds,
        "ecs_service_failures_before_giving_up": failures,
        "ecs_service_health_check_grace_period_seconds": 5,
        "ecs_service_autoscaling": {},
    }


@pytest.fixture(scope="module")
def api(provisioned: Cloud) -> Service:
    """The API's own service, serving the breakable application while it is well. The load balancer finds an ill task within 10 s."""
    balancing = provisioned.client("elbv2")
    group = provisioned.outputs["load_balancer"]["target_group_arn"]
    balancing.modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=4, UnhealthyThresholdCount=2)
    secrets = {"DB_PASSWORD": f"{provisioned.outputs['database']['secret_arn']}:password::"}
    service = Service(provisioned, API, short() | {"pulsegrid_backend_secrets": secrets})
    service.deploy(release="well")
    return service


@pytest.fixture(scope="module")
def first(api: Service) -> Iterator[Service]:
    """A service that never had a release, with a target group that the load balancer uses for a path of its own."""
    balancing = api.cloud.client("elbv2")
    outputs = api.cloud.outputs
    group = balancing.create_target_group(
        Name=FIRST, Protocol="HTTP", Port=8080, VpcId=outputs["vpc"]["vpc_id"], TargetType="ip", HealthCheckPath="/api/v1/health",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=4, UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    balancer = balancing.describe_target_groups(TargetGroupArns=[outputs["load_balancer"]["target_group_arn"]])["TargetGroups"][0]["LoadBalancerArns"][0]
    listener = balancing.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
    rule = balancing.create_rule(
        ListenerArn=listener,
        Priority=900,
        Conditions=[{"Field": "path-pattern", "Values": ["/first/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Rules"][0]["RuleArn"]
    variables = short() | {
        "ecs_service_name": FIRST,
        "ecs_service_target_group_arn": group,
        "ecs_service_desired_count": 1,
        "ecs_service_lock": {},  # it is deployed while the API is
        "pulsegrid_smoke_path": "",
    }
    settings = variables | {"pulsegrid_part": "ecs_service", "pulsegrid_backend_secrets": {}, "pulsegrid_backend_env": {"PORT": "8080"}}
    api.cloud.playbook("playbooks/part.yml", **settings)
    yield Service(api.cloud, FIRST, variables)
    api.cloud.playbook("playbooks/part.yml", **settings, ecs_service_state="absent")
    balancing.delete_rule(RuleArn=rule)
    balancing.delete_target_group(TargetGroupArn=group)


@pytest.fixture(scope="module")
def changed_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a change: another image."""
    directory = tmp_path_factory.mktemp("changed") / "breakable"
    shutil.copytree(APP, directory)
    (directory / "CHANGED").write_text("another release\n")
    return directory


@dataclass(frozen=True)
class Failure:
    """A release that goes wrong, and what a person must be told."""

    reason: str  # in the first sentence
    details: tuple[str, ...] = ()
    break_: str = ""
    arguments: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)


FAILURES = {
    "crash_at_start": Failure(r"exit code 3", (r"configuration refused: leaving with 3",), "exit:3"),
    "crash_after_20_s": Failure(
        r"exit code 4",
        (r"the connection pool is exhausted",),
        "late:20",
        variables={"ecs_service_steady_seconds": 25, "ecs_service_failures_before_giving_up": 1},
    ),
    "out_of_memory": Failure(r"out of memory.*exit code 137", (r"OutOfMemoryError", r"loading everything into memory"), "memory"),
    "image_missing": Failure(
        r"image could not be pulled", (r"CannotPullContainerError",), arguments=("--skip-tags", "verify"), variables={"ecs_service_image": ""}
    ),
    "secret_missing": Failure(
        r"secret could not be read",
        (r"ResourceInitializationError", r"pulsegrid-local-missing"),
        arguments=("--skip-tags", "verify"),
        variables={"pulsegrid_backend_secrets": {"SECRET": MISSING_SECRET}},
    ),
    "health_check_500": Failure(r"unhealthy.*Health checks failed with these codes: \[500\]", (r"listening on 8080",), "status:500"),
    "wrong_port": Failure(r"(nothing answered the load balancer's check|unhealthy).*Health checks failed", (r"listening on 8081",), "port:8081"),
}


MIGRATION = Failure(
    r"one-off task failed, nothing was changed: .*exit code 3",
    (r"migrating: 1 of 2 applied", r'relation "services" already exists'),
    "migration",
    variables={"ecs_service_one_off_command": ["migrate"]},
)


def break_it(service: Service, failure: Failure, **variables: Any) -> Run:
    variables |= failure.variables
    if "ecs_service_image" in variables:
        variables["ecs_service_image"] = REGISTRY_IMAGE.format(port=service.cloud.port, digest="0" * 64)
    return service.deploy(*failure.arguments, break_=failure.break_, ok=False, **variables)


def assert_explained(run: Run, failure: Failure) -> None:
    assert run.code == 2, run.output[-4000:]
    assert re.search(failure.reason, run.reason), run.reason
    for detail in failure.details:
        assert re.search(detail, run.output), f"{detail} is not in\n{run.output[-4000:]}"
    assert not re.search(CONTROL_CHARACTER, run.output)
    [began] = run.when("registering a revision of")
    assert run.seconds - began < CERTAIN_SECONDS


@pytest.fixture(scope="module")
def first_releases(first: Service) -> Iterator[dict[str, Future[tuple[Run, dict[str, Any]]]]]:
    """Each failure as the first release of a service, one after another, and what is then; the tests deploy to the API meanwhile."""

    def attempt(failure: Failure) -> tuple[Run, dict[str, Any]]:
        return break_it(first, failure), first.state

    with ThreadPoolExecutor(1) as line:
        yield {name: line.submit(attempt, failure) for name, failure in (FAILURES | {"migration": MIGRATION}).items()}
        line.shutdown(cancel_futures=True)


@pytest.mark.usefixtures("first_releases")
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_release_that_fails_says_why_and_what_served_before_serves(api: Service, failure: Failure) -> None:
    before, version = api.revision, running_version(api.cloud)
    with steady_requests(api.cloud, 0.1) as answers:
        run = break_it(api, failure)

    assert_explained(run, failure)
    assert f"{before} serves again" in run.reason
    assert f"Now {before}" in run.output
    assert api.revision == before
    assert (api.state["runningCount"], api.state["desiredCount"]) == (2, 2)
    assert running_version(api.cloud) == version
    assert len(answers) > 20
    if failure.break_.startswith("late"):  # it was well, and answered: what it was asked when it died is lost
        assert answers.count(200) > 0.9 * len(answers)
    else:
        assert set(answers) == {200}


def test_a_migration_that_fails_changes_nothing(api: Service, changed_app: Path) -> None:
    before, revisions, deployments = api.revision, api.revisions(), [each["id"] for each in api.state["deployments"]]
    with steady_requests(api.cloud, 0.1) as answers:
        run = break_it(api, MIGRATION, pulsegrid_backend_dir=str(changed_app))

    assert_explained(run, MIGRATION)
    assert f"Now {before}" in run.output
    assert api.revisions() == revisions
    assert [each["id"] for each in api.state["deployments"]] == deployments
    assert api.revision == before
    assert set(answers) == {200}


def test_a_smoke_request_that_fails_rolls_back(api: Service) -> None:
    before = api.revision
    smoke = {"url": f"{api.cloud.endpoint}/api/v1/smoke", "headers": {"Host": api.cloud.site_host}, "timeout_seconds": 5}
    run = api.deploy(break_="smoke", ok=False, ecs_service_smoke_request=smoke)

    assert_explained(run, Failure(r"/api/v1/smoke.*503", (r"listening on 8080",)))
    assert f"{before} serves again" in run.reason
    assert api.revision == before
    assert api.cloud.get("/api/v1/smoke").status_code == 200


def test_a_new_secret_value_redeploys(api: Service) -> None:
    secrets = api.cloud.client("secretsmanager")
    secret = api.cloud.outputs["database"]["secret_arn"]
    revision, before = api.revision, secrets.get_secret_value(SecretId=secret)["SecretString"]
    password = "another-" + "x" * 40
    try:
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(json.loads(before) | {"password": password}))
        run = api.deploy(release="well")
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=before)
    assert api.revision != revision
    assert api.cloud.get("/api/v1/health").json()["secret"] == len(password)
    assert password not in run.output


# One at a time


def lock_of(cloud: Cloud) -> bool:
    return any(each["Key"] == "deploy.lock" for each in cloud.client("s3").list_objects_v2(Bucket=cloud.outputs["site"]["bucket_name"]).get("Contents", []))


def test_of_two_deploys_at_once_one_deploys_and_the_other_says_who_does(api: Service) -> None:
    def deploy(who: str) -> Run:
        return api.deploy(release=who, ok=False, pulsegrid_deployer=who, pulsegrid_why=f"the release of {who}", ecs_service_steady_seconds=15)

    names = ("Ada", "Grace")
    with ThreadPoolExecutor(2) as pool:
        runs = dict(zip(names, pool.map(deploy, names), strict=True))

    [winner] = [who for who, run in runs.items() if run.code == 0]
    [refused] = [run for who, run in runs.items() if who != winner]
    assert refused.code == 2
    assert re.search(rf"held by {winner} since \d{{4}}-.*\(the release of {winner}\)", refused.reason), refused.reason
    assert re.search(r"expires at .* unlock\.yml", refused.reason), refused.reason
    assert api.cloud.get("/api/v1/health").json()["release"] == winner
    assert not lock_of(api.cloud)

    said = runs[winner].when(r"\d+ of 2 tasks run, .* healthy targets")
    assert said[-1] - said[0] > 10, "the lines came all at once"
    assert not re.search(CONTROL_CHARACTER, runs[winner].output)


def test_a_deploy_that_is_killed_is_completed_by_the_next(api: Service) -> None:
    before = api.revision
    started: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(
            api.deploy,
            release="killed",
            ok=False,
            started=started.append,
            ansible_connection="local",  # a module is then a process of the run that is killed
            pulsegrid_deployer="Ada",
            pulsegrid_why="killed",
            ecs_service_steady_seconds=600,
        )
        until(lambda: api.revision != before or killed.done(), "rolling", 180)
        kill(started[0])
    assert killed.result().code == -signal.SIGKILL, killed.result().output[-4000:]

    refused = api.cloud.playbook("playbooks/lock.yml", ok=False, pulsegrid_why="stocktaking")
    assert refused.code == 2
    assert re.search(r"held by Ada since .*\(killed\).* expires at .* in \d+ min", refused.reason), refused.reason
    unlocked = api.cloud.playbook("playbooks/unlock.yml")
    assert re.search(r"removed the deploy lock of Ada", unlocked.output)
    assert not lock_of(api.cloud)

    completed = api.deploy(release="killed")
    assert not completed.when("registering a revision of")
    assert completed.when(r"\d+ of 2 tasks run")
    assert api.revision == f"{API}:{int(before.partition(':')[2]) + 1}"
    assert [(each["rolloutState"], each["runningCount"]) for each in api.state["deployments"]] == [("COMPLETED", 2)]
    assert api.cloud.get("/api/v1/health").json()["release"] == "killed"


def test_a_freeze_refuses_deploys_before_they_build_until_it_is_ended(api: Service) -> None:
    before = api.revision
    api.cloud.playbook("playbooks/lock.yml", pulsegrid_why="stocktaking", pulsegrid_deployer="Ada")
    try:
        runs = (
            api.deploy(ok=False, pulsegrid_release="frozen"),
            api.cloud.playbook("deploy_frontend.yml", ok=False, pulsegrid_frontend_env={"VITE_FROZEN": "yes"}),
        )
    finally:
        api.cloud.playbook("playbooks/unlock.yml")
    for run in runs:
        assert run.code == 2
        assert re.search(r"frozen by Ada since .*\(stocktaking\).*unlock\.yml", run.reason), run.reason
        assert not run.when("is built")
    assert api.revision == before
    assert not lock_of(api.cloud)


# Before anything is changed


def test_what_would_fail_is_refused_before_anything_is_changed(api: Service) -> None:
    secrets = api.cloud.client("secretsmanager")
    unreadable = secrets.create_secret(Name="pulsegrid-local-unreadable", SecretString="text")["ARN"]
    state, revisions = api.state, api.revisions()
    try:
        run = api.deploy(
            ok=False,
            ecs_service_image=REGISTRY_IMAGE.format(port=api.cloud.port, digest="0" * 64),
            pulsegrid_backend_secrets={"UNREADABLE": unreadable, "MISSING": MISSING_SECRET},
            ecs_service_port=9090,
            ecs_service_container_override={
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": "/ecs/missing", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"},
                }
            },
            ecs_service_subnet_ids=api.cloud.outputs["vpc"]["database_subnet_ids"],
        )
    finally:
        secrets.delete_secret(SecretId=unreadable, ForceDeleteWithoutRecovery=True)

    assert run.code == 2
    assert re.search(r"would fail, and nothing was changed", run.reason), run.reason
    for problem in (
        r"Image .*@sha256:0+ is not in ECR",
        r"execution role .* may not .*pulsegrid-local-unreadable",
        r"secret of MISSING does not exist",
        r"Log group /ecs/missing does not exist",
        r"Target group .* has port 8080 and container app is to answer on 9090",
        r"Subnets .* do not reach ECR",
    ):
        assert re.search(problem, run.output), f"{problem} is not in\n{run.output[-4000:]}"
    assert api.revisions() == revisions
    assert (api.state["taskDefinition"], len(api.state["deployments"])) == (state["taskDefinition"], len(state["deployments"]))


# Without a release before it


@pytest.mark.parametrize("name", [*FAILURES, "migration"])
def test_a_first_release_that_fails_says_why_and_leaves_no_task(first_releases: dict[str, Future[tuple[Run, dict[str, Any]]]], name: str) -> None:
    run, service = first_releases[name].result()

    assert_explained(run, FAILURES.get(name, MIGRATION))
    assert ("first release: the service has no task" in run.reason) is (name != "migration")
    assert "Now nothing serves" in run.output
    assert (service["runningCount"], service["desiredCount"]) == (0, 0)


# Back to a release: the last test, since it removes the image


def test_a_release_can_be_returned_to_while_its_image_is_there(api: Service, changed_app: Path) -> None:
    cloud = api.cloud
    was = running_version(cloud)
    api.deploy(release="another", pulsegrid_backend_dir=str(changed_app))
    another, revision = running_version(cloud), api.revision
    assert another != was
    with steady_requests(cloud, 0.1) as answers:
        cloud.playbook("playbooks/rollback_backend.yml", **api.variables)
        assert running_version(cloud) == was
        cloud.playbook("playbooks/rollback_backend.yml", pulsegrid_rollback_to=another, **api.variables)
    assert (running_version(cloud), api.revision) == (another, revision)
    assert set(answers) == {200}

    listed = cloud.playbook("playbooks/releases.yml", **api.variables)
    assert re.search(rf"serving\s+{another}", listed.output)
    assert re.search(rf"completed\s+{was}", listed.output)
    assert "failed" in listed.output

    cloud.client("ecr").batch_delete_image(repositoryName=API, imageIds=[{"imageTag": was}])
    refused = cloud.playbook("playbooks/rollback_backend.yml", ok=False, pulsegrid_rollback_to=was, **api.variables)
    assert refused.code == 2
    assert re.search(r"image", refused.reason), refused.reason
    assert another in refused.output
    assert running_version(cloud) == another
