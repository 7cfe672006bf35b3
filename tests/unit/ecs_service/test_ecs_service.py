# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from contextlib import nullcontext
from email.message import Message
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_rollout, smoke_request, task_definition
from ansible_collections.pulsegrid.aws.plugins.module_utils.ecs_one_off import End
from ansible_collections.pulsegrid.aws.plugins.modules import ecs_service as module
from botocore.exceptions import ClientError

from .fake_ecs import ARN, POLLING, TARGET_GROUP, FakeEcs

TARGET = {"target_group_arn": TARGET_GROUP, "container_name": "app", "container_port": 8080}


class Exit(Exception):
    pass


def definition(image: str | None, **container: Any) -> dict[str, Any]:
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop", "awslogs-stream-prefix": "ecs"}}
    app = {"name": "app", "portMappings": [{"containerPort": 8080}], "logConfiguration": log, **container}
    return {"cpu": 256, "memory": "512", "containerDefinitions": [{**app, "image": image} if image else app]}


class Cloud(FakeEcs):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(module.Service, "client_for", lambda _service, _name: self)
        for patched in (module, ecs_rollout, smoke_request):
            monkeypatch.setattr(patched, "time", self)
        self.lines: list[str] = []
        monkeypatch.setattr(module.Progress, "say", lambda _progress, line: self.lines.append(line))

    def run(self, image: str | None = None, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        outcome: dict[str, Any] = {}

        def end(_module: Any, **result: Any) -> None:
            outcome.update(result)
            raise Exit

        self.calls.clear()
        self.lines.clear()
        arguments = {
            "name": "shop",
            "cluster": "shop",
            "region": "eu-central-1",
            "task_definition": definition(image),
            "desired_count": 2,
            "subnets": ["subnet-b", "subnet-a"],
            "security_groups": ["sg-a"],
            "load_balancers": [TARGET],
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        arguments = {option: value for option, value in arguments.items() if value is not None}
        with self.monkeypatch.context() as patched, patch_module_args(arguments):
            patched.setattr(basic.AnsibleModule, "fail_json" if fails else "exit_json", end)
            with pytest.raises(Exit):
                module.main()
        return outcome

    @property
    def counts(self) -> tuple[int, int]:
        return self.service["desiredCount"], self.service["runningCount"]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(monkeypatch)


@pytest.fixture
def serving(cloud: Cloud) -> Cloud:
    cloud.run()
    cloud.run("good:1")
    assert cloud.counts == (2, 2)
    return cloud


def test_without_a_release_the_service_has_no_task(cloud: Cloud) -> None:
    made = cloud.run()

    assert (made["changed"], made["images"], cloud.counts) == (True, {}, (0, 0))
    assert cloud.image(cloud.service["taskDefinition"]) == task_definition.NO_RELEASE
    assert cloud.run()["changed"] is False
    assert cloud.mutations == []


def test_the_first_release_starts_with_one_task(cloud: Cloud) -> None:
    cloud.run()
    released = cloud.run("good:1")

    assert [arguments.get("desiredCount") for arguments in cloud.arguments("update_service")] == [1, 2]
    assert (released["changed"], released["registered"], cloud.counts) == (True, True, (2, 2))
    assert released["images"] == {"app": "good:1"}
    assert released["deployment_id"] == cloud.primary()["id"]


def test_a_service_that_is_made_with_its_first_release(cloud: Cloud) -> None:
    cloud.run("good:1")

    assert cloud.arguments("create_service")[0]["desiredCount"] == 1
    assert cloud.counts == (2, 2)


def test_nothing_differs(serving: Cloud) -> None:
    outcome = serving.run("good:1")

    assert (outcome["changed"], outcome["registered"], outcome["diff"]) == (False, False, {})
    assert serving.mutations == []
    assert len(serving.calls) <= 4


def test_provisioning_keeps_the_image_and_the_count(serving: Cloud) -> None:
    serving.service["desiredCount"] = 5
    serving.tick()

    assert serving.run()["changed"] is False
    changed = serving.run(task_definition=definition(None, environment=[{"name": "A", "value": "1"}]))
    assert changed["images"] == {"app": "good:1"}
    assert changed["registered"] is True
    assert serving.counts == (5, 5)


def test_a_new_image_rolls_and_the_difference_is_shown(serving: Cloud) -> None:
    rolled = serving.run("good:2")

    before, after = (rolled["diff"][side]["task_definition"]["containerDefinitions"]["app"]["image"] for side in ("before", "after"))
    assert (before, after) == ("good:1", "good:2")
    assert serving.mutations == ["register_task_definition", "update_service"]
    assert "desiredCount" not in serving.arguments("update_service")[0]
    assert {serving.image(task["taskDefinitionArn"]) for task in serving.tasks} == {"good"}
    assert serving.counts == (2, 2)


def test_a_count_that_is_moved_during_the_rollout_is_followed(serving: Cloud) -> None:
    serving.at(serving.now + 2, lambda: serving.service.update(desiredCount=4))

    serving.run("good:2")
    assert serving.counts == (4, 4)


def test_a_service_that_a_person_scaled_to_nothing_stays_so(serving: Cloud) -> None:
    serving.service["desiredCount"] = 0
    serving.tick()

    assert serving.run("good:2")["changed"] is True
    assert serving.counts == (0, 0)


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize("breaker", [True, False])
def test_a_crashing_first_release_fails_and_leaves_no_task(cloud: Cloud, breaker: bool, made_before: bool) -> None:
    if made_before:
        cloud.run(circuit_breaker=breaker)
    failed = cloud.run("crash:1", fails=True, circuit_breaker=breaker)

    first_line = failed["msg"].splitlines()[0]
    assert "3 of its tasks stopped: Essential container in task exited (container app: exit code 3)" in first_line
    assert "It was the first release: the service has no task" in first_line
    assert "  fatal: no database" in failed["msg"]
    assert cloud.counts == (0, 0)
    assert cloud.image(cloud.service["taskDefinition"]) == task_definition.NO_RELEASE

    cloud.run("good:1", circuit_breaker=breaker)
    assert cloud.counts == (2, 2)


@pytest.mark.parametrize(
    ("found", "means"),
    [
        ("Request timed out", "nothing answered the load balancer's check"),
        ("Health checks failed", "nothing answered the load balancer's check"),
        ("Health checks failed with these codes: [404]", "unhealthy"),
    ],
)
def test_what_the_load_balancers_findings_mean(found: str, means: str) -> None:
    task = {"stoppedReason": "Task failed ELB health checks in (target-group shop)", "unhealthy": found, "containers": [{"name": "app", "exitCode": 137}]}
    assert ecs_rollout.meaning(ecs_rollout.why_stopped(task)) == f", {means}"


def test_tasks_that_stopped_for_the_same_cause_are_told_together() -> None:
    def task(number: int, unhealthy: str) -> dict[str, Any]:
        reason = f"Task failed ELB health checks in (target-group {TARGET_GROUP}): task 0123456789abcdef{number}"
        return {"stoppedReason": reason, "unhealthy": unhealthy, "containers": []}

    tasks = [task(3, ""), task(2, "Request timed out"), task(1, "Health checks failed")]
    why = "Task failed ELB health checks in (target-group shop): task 0123456789abcdef2: Request timed out"
    assert ecs_rollout.by_cause(tasks) == [(3, why)]


BAD = [
    ("crash:2", "stopped: Essential container in task exited (container app: exit code 3)"),
    ("late:2", "stopped: Essential container in task exited (container app: exit code 4)"),
    ("oom:2", "stopped, out of memory: Essential container in task exited (container app: exit code 137, OutOfMemoryError: Container killed"),
    ("pull:2", "stopped, the image could not be pulled: CannotPullContainerError: "),
    ("secret:2", "stopped, a secret could not be read: ResourceInitializationError: "),
    ("gone:2", "stopped, unhealthy: Task failed ELB health checks in (target-group shop): Health checks failed with these codes: [500] (container app: exit"),
]


@pytest.mark.parametrize("breaker", [True, False])
@pytest.mark.parametrize(("image", "why"), BAD)
def test_a_bad_update_fails_and_what_served_serves_again(serving: Cloud, image: str, why: str, breaker: bool) -> None:
    serving.run("good:1", circuit_breaker=breaker)
    before = serving.service["taskDefinition"]
    failed = serving.run(image, fails=True, circuit_breaker=breaker)

    assert why in failed["msg"].splitlines()[0]
    assert f"{before.split('/')[-1]} serves again." in failed["msg"].splitlines()[0]
    assert f" x {why.partition(': ')[2]}" in failed["msg"]
    assert failed["msg"].splitlines()[-1] == "Now shop:2 serves with 2 of 2 tasks: good:1"
    assert serving.service["taskDefinition"] == before
    assert serving.counts == (2, 2)
    # ECS calls a deployment completed whose tasks run, and looks at it no more
    assert failed["outcome"] == ("rolled_back" if breaker and image not in ("late:2", "gone:2") else "failed")
    # What was the same of several tasks is told as AWS told it of one of them; a task that was never started has logged nothing
    assert "…" not in failed["msg"]
    assert ("Last log lines" in failed["msg"]) is (image not in ("pull:2", "secret:2"))


def test_the_number_of_failures_that_are_enough(serving: Cloud) -> None:
    failed = serving.run("crash:2", fails=True, failures_before_giving_up=1)

    assert failed["outcome"] == "failed"
    assert "1 of its tasks stopped" in failed["msg"]
    assert serving.counts == (2, 2)


@pytest.mark.parametrize("listed", [True, False])
def test_a_deployment_that_is_rolled_back_before_aws_answers_is_a_failure(serving: Cloud, monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    answer = FakeEcs.__dict__["_update_service"]

    def slow_answer(cloud: Any, **arguments: Any) -> Any:
        answer(cloud, **arguments)
        while cloud.primary()["taskDefinition"] == arguments["taskDefinition"]:
            cloud.tick()
        if not listed:
            cloud.service["deployments"] = [cloud.primary()]
        return {"service": cloud.service}

    monkeypatch.setattr(FakeEcs, "_update_service", slow_answer)
    failed = serving.run("crash:2", fails=True)
    assert failed["outcome"] == "rolled_back"
    assert bool(failed["deployment_id"]) is listed
    first_line = failed["msg"].splitlines()[0]
    assert "ECS rolled it back: 3 of its tasks stopped: Essential container in task exited (container app: exit code 3)" in first_line
    assert "shop:2 serves again." in first_line
    assert serving.image(serving.service["taskDefinition"]) == "good"


@pytest.mark.parametrize(
    ("operation", "serves"), [("update_service", "Now shop:3 serves with"), ("describe_services", "What serves now is not known: could not")]
)
def test_a_rollback_that_is_refused_hides_nothing(serving: Cloud, monkeypatch: pytest.MonkeyPatch, operation: str, serves: str) -> None:
    def refuse(_cloud: Any, **_arguments: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, operation)

    def log(_cloud: Any, **_where: Any) -> Any:  # it is read when the deployment has failed
        monkeypatch.setattr(FakeEcs, f"_{operation}", refuse)
        return {"events": []}

    serving.run("good:1", circuit_breaker=False)
    monkeypatch.setattr(FakeEcs, "_get_log_events", log)
    failed = serving.run("late:2", fails=True, circuit_breaker=False, failures_before_giving_up=1)

    first_line = failed["msg"].splitlines()[0]
    assert "the deployment failed: 2 of its tasks stopped: Essential container in task exited (container app: exit code 4)." in first_line
    assert f"What served before could not be put back: could not {operation.replace('_', ' ')}: An error occurred (AccessDeniedException)" in first_line
    assert failed["msg"].splitlines()[-1].startswith(serves)
    assert failed["outcome"] == "failed"


def test_a_log_that_cannot_be_read_hides_nothing(serving: Cloud) -> None:
    serving.logs = []
    failed = serving.run("crash:2", fails=True)

    assert "exit code 3" in failed["msg"].splitlines()[0]
    assert "container app, could not be read: " in failed["msg"]


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("unhealthy:2", "Health checks failed with these codes: [500]"),
        ("port:2", "Request timed out"),
        ("ill:2", "its container's health check fails"),
    ],
)
def test_tasks_that_are_unhealthy_when_their_grace_is_over_fail_at_once(serving: Cloud, image: str, why: str) -> None:
    serving.run("good:1", health_check_grace_period_seconds=40)
    serving.at(serving.now + 2, lambda: serving.primary().update(rolloutState="COMPLETED"))  # whatever ECS says
    began = serving.now
    failed = serving.run(image, fails=True, health_check_grace_period_seconds=40)

    first_line = failed["msg"].splitlines()[0]
    assert f"all 2 of its tasks that run are unhealthy, and the grace period of 40 s is over: {why}" in first_line
    assert f"  2 x {why}" in failed["msg"]
    assert "  fatal: no database" in failed["msg"]
    assert any(f"2 unhealthy ({why})" in line for line in serving.lines)
    assert 40 < serving.now - began < 75
    assert serving.run("good:1", health_check_grace_period_seconds=40)["changed"] is False


def test_a_task_that_was_healthy_is_given_its_time(serving: Cloud) -> None:
    def recovers() -> None:
        for task in serving.tasks:
            task["target"] = None

    serving.at(serving.now + 5, lambda: serving.tasks[-1].update(target=None))
    serving.at(serving.now + 60, recovers)
    serving.run("unhealthy:2")
    assert serving.counts == (2, 2)


def test_a_task_that_ecs_stops_for_its_health_says_what_was_found(serving: Cloud) -> None:
    def stop() -> None:
        for task in serving.tasks[-2:]:
            serving.stop(task, "Task failed ELB health checks in (target-group arn:aws:tg)", "ServiceSchedulerInitiated")

    serving.at(serving.now + 5, stop)
    failed = serving.run("unhealthy:2", fails=True, failures_before_giving_up=2, health_check_grace_period_seconds=60)
    assert (
        "2 of its tasks stopped, unhealthy: Task failed ELB health checks in (target-group arn:aws:tg): Health checks failed with these codes: [500]."
        in failed["msg"]
    )


def test_too_much_time(serving: Cloud) -> None:
    began = serving.now
    failed = serving.run("stuck:2", fails=True, wait_timeout_seconds=120)

    assert failed["outcome"] == "timed_out"
    assert "it was not steady after 120 s: 0 of 2 tasks run, 0 pending, 0 failed, 0 of 2 are healthy targets, 2 old." in failed["msg"]
    assert serving.now - began < 150
    assert serving.image(serving.service["taskDefinition"]) == "good"


def test_tasks_that_cannot_be_started_time_out_with_what_ecs_says(serving: Cloud) -> None:
    message = "(service shop) was unable to place a task. Reason: Capacity is unavailable at this time."
    serving.at(serving.now + 2, lambda: serving.service["events"].insert(0, {"createdAt": serving.date, "message": message}))
    failed = serving.run("stuck:2", fails=True, wait_timeout_seconds=60)

    assert "Capacity is unavailable at this time" in failed["msg"].splitlines()[0]


def test_another_deployment_takes_its_place_and_is_left_alone(serving: Cloud) -> None:
    def somebody_else() -> None:
        arn = f"{ARN}:task-definition/shop:99"
        serving.revisions[arn] = serving.revisions[serving.service["taskDefinition"]] | {"taskDefinitionArn": arn}
        serving.deploy(f"{ARN}:task-definition/shop:99")

    serving.at(serving.now + 2, somebody_else)
    failed = serving.run("stuck:2", fails=True)

    assert failed["outcome"] == "superseded"
    assert "shop:99" in failed["msg"].splitlines()[0]
    assert serving.mutations == ["register_task_definition", "update_service"]


@pytest.mark.parametrize("breaker", [True, False])
def test_a_deployment_under_way_is_joined_and_undone_when_it_fails(serving: Cloud, breaker: bool) -> None:
    serving.run("good:1", circuit_breaker=breaker)
    serving.run("crash:2", wait=False, circuit_breaker=breaker)
    joined = serving.run("crash:2", fails=True, circuit_breaker=breaker)

    assert "exit code 3" in joined["msg"]
    assert serving.mutations == ([] if breaker else ["update_service"])
    assert serving.image(serving.service["taskDefinition"]) == "good"
    assert serving.counts == (2, 2)


def test_a_deployment_under_way_is_joined_to_its_good_end(serving: Cloud) -> None:
    serving.run("good:2", wait=False)
    assert serving.run("good:2")["changed"] is False
    assert (serving.mutations, serving.counts) == ([], (2, 2))


def test_a_failed_deployment_with_nothing_to_return_to_is_started_again(cloud: Cloud) -> None:
    cloud.run("crash:1", wait=False)
    for _second in range(4):
        cloud.sleep(1)
    assert cloud.primary()["rolloutState"] == "FAILED"

    assert "exit code 3" in cloud.run("crash:1", fails=True)["msg"]
    assert cloud.arguments("update_service")[0]["forceNewDeployment"] is True
    assert cloud.counts == (0, 0)


def test_check_mode_predicts_and_calls_nothing_that_changes(cloud: Cloud) -> None:
    assert cloud.run("good:1", check=True)["changed"] is True
    assert cloud.mutations == []
    cloud.run("good:1")
    predicted = cloud.run("good:2", check=True)
    assert (predicted["changed"], predicted["registered"]) == (True, True)
    assert predicted["diff"]["after"]["task_definition"]["containerDefinitions"]["app"]["image"] == "good:2"
    assert cloud.run("good:1", check=True)["changed"] is False
    assert cloud.run(check=True, state="absent")["changed"] is True
    assert cloud.mutations == []


def test_only_what_differs_of_the_service_is_updated(serving: Cloud) -> None:
    serving.run("good:1", enable_execute_command=True)
    assert serving.arguments("update_service") == [{"cluster": "shop", "service": "shop", "enableExecuteCommand": True}]

    spot = [{"capacity_provider": "FARGATE_SPOT", "weight": 1}]
    serving.run("good:1", enable_execute_command=True, capacity_provider_strategy=spot)
    assert serving.arguments("update_service")[0]["forceNewDeployment"] is True


def test_a_container_without_an_image_to_keep_is_refused(serving: Cloud) -> None:
    containers = [*definition("good:1")["containerDefinitions"], {"name": "sidecar"}]
    assert "container sidecar needs an image" in serving.run(fails=True, task_definition={"containerDefinitions": containers})["msg"]
    assert serving.mutations == []


SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3"


@pytest.mark.parametrize("reference", [SECRET, f"{SECRET}:password::", f"{SECRET}::AWSCURRENT:", "/shop/password"])
def test_a_secret_with_a_new_value_makes_a_revision(serving: Cloud, reference: str) -> None:
    serving.secrets[SECRET], serving.parameters["/shop/password"] = "first", 1
    asked = {"task_definition": definition("good:1", secrets=[{"name": "PASSWORD", "valueFrom": reference}])}
    assert serving.run(**asked)["registered"]
    assert not serving.run(**asked)["changed"]

    serving.secrets[SECRET], serving.parameters["/shop/password"] = "second", 2
    assert serving.run(check=True, **asked)["registered"]
    assert serving.mutations == []
    assert serving.run(**asked)["registered"]
    assert not serving.run(**asked)["changed"]


@pytest.mark.parametrize("reference", [f"{SECRET}:::first", f"{SECRET}::AWSPREVIOUS:", f"{SECRET}-none"])
def test_a_reference_that_does_not_move_makes_none(serving: Cloud, reference: str) -> None:
    serving.secrets[SECRET] = "first"
    asked = {"task_definition": definition("good:1", secrets=[{"name": "PASSWORD", "valueFrom": reference}])}
    serving.run(**asked)
    serving.secrets[SECRET] = "second"
    assert not serving.run(**asked)["changed"]


def test_alarms_roll_back_and_can_be_turned_off(serving: Cloud) -> None:
    assert serving.run(alarms=["b", "a"])["changed"]
    assert serving.service["deploymentConfiguration"]["alarms"] == {"alarmNames": ["a", "b"], "enable": True, "rollback": True}
    assert not serving.run(alarms=["a", "b"])["changed"]
    assert serving.run()["changed"]
    assert serving.service["deploymentConfiguration"]["alarms"] == {"alarmNames": [], "enable": False, "rollback": False}
    assert not serving.run()["changed"]


def test_absent_leaves_nothing(serving: Cloud) -> None:
    for number in range(12):
        serving.run(f"good:{number}")
    assert serving.run(state="absent")["changed"] is True
    assert (serving.service, serving.revisions) == (None, {})
    assert serving.run(state="absent")["changed"] is False
    assert serving.mutations == []


def test_the_service_is_described(serving: Cloud) -> None:
    described = serving.run(task_definition=None)

    assert (described["changed"], described["images"], described["service"]["running_count"]) == (False, {"app": "good:1"}, 2)
    assert serving.mutations == []


ONE = {
    "family": "shop",
    "cpu": 256,
    "containerDefinitions": [
        {
            "name": "app",
            "image": "good:1",
            "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
            "secrets": [{"name": "S", "valueFrom": "arn:s"}, {"name": "R", "valueFrom": "arn:r"}],
            "portMappings": [{"containerPort": 8080}],
            "healthCheck": {"command": ["CMD", "/app"]},
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": False},
        }
    ],
}
SAME = {
    "family": "shop",
    "cpu": "256",
    "revision": 7,
    "taskDefinitionArn": "arn",
    "volumes": [],
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "containerDefinitions": [
        {
            "name": "app",
            "image": "good:1",
            "cpu": 0,
            "essential": True,
            "mountPoints": [],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "secrets": [{"name": "R", "valueFrom": "arn:r"}, {"name": "S", "valueFrom": "arn:s"}],
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "healthCheck": {"command": ["CMD", "/app"], "interval": 30, "timeout": 5, "retries": 3},
            "linuxParameters": {"capabilities": {"add": [], "drop": ["ALL"]}},
        }
    ],
}


def test_what_aws_adds_and_an_order_that_means_nothing_are_no_differences() -> None:
    assert task_definition.comparable(ONE) == task_definition.comparable(SAME)


@pytest.mark.parametrize(
    "container",
    [
        {"environment": [{"name": "A", "value": "1"}]},
        {"secrets": [{"name": "R", "valueFrom": "arn:other"}, {"name": "S", "valueFrom": "arn:s"}]},
        {"essential": False},
        {"command": ["b", "a"]},
        {"readonlyRootFilesystem": True},
        {"portMappings": [{"containerPort": 8080, "protocol": "udp"}]},
        {"dockerLabels": {"protocol": "tcp"}},
        {"healthCheck": {"command": ["CMD", "/app"], "retries": 5}},
    ],
)
def test_what_was_changed_is_a_difference(container: dict[str, Any]) -> None:
    changed = {**ONE, "containerDefinitions": [{**ONE["containerDefinitions"][0], **container}]}
    assert task_definition.comparable(changed) != task_definition.comparable(ONE)


# What a release is


RELEASE = {"name": "v2 (test)", "commit": "abc", "by": "a <b@c>"}
REVISION = f"{ARN}:task-definition/shop:"


class Killed(BaseException):
    pass


def kill(cloud: Cloud, seconds: float, image: str, **options: Any) -> None:
    """The run's process is gone so many seconds after the run began; ECS goes on."""

    def die() -> None:
        raise Killed

    cloud.at(cloud.now + seconds, die)
    with pytest.raises(Killed):
        cloud.run(image, **options)
    cloud.events.clear()


def test_a_rollout_takes_six_calls_besides_those_that_follow_it(serving: Cloud) -> None:
    serving.secrets[SECRET] = "first"
    references = [{"name": "A", "valueFrom": f"{SECRET}:a::"}, {"name": "B", "valueFrom": f"{SECRET}:b::"}]
    serving.run("good:2", release=RELEASE, task_definition=definition("good:2", secrets=references))

    operations = [operation for operation, _arguments in serving.calls]
    until_update = operations[: operations.index("update_service") + 1]
    assert until_update == ["describe_services", "describe_task_definition", "describe_secret", "register_task_definition", "update_service"]
    assert [operation for operation in operations[len(until_update) :] if operation not in POLLING] == ["tag_resource"]

    serving.run("good:2", release=RELEASE, task_definition=definition("good:2", secrets=references))
    assert [operation for operation, _arguments in serving.calls] == ["describe_services", "describe_task_definition", "describe_secret"]


def test_all_parameters_are_asked_for_at_once(serving: Cloud) -> None:
    serving.parameters = {f"/shop/{number}": 1 for number in range(9)}
    serving.run("good:1", task_definition=definition("good:1", secrets=[{"name": f"P{name[-1]}", "valueFrom": name} for name in serving.parameters]))
    assert len(serving.arguments("get_parameters")) == 1


def test_a_release_is_kept_on_its_revision(serving: Cloud) -> None:
    serving.run("good:2", release=RELEASE, tags={"Owner": "me"})
    ours = {"Release": "v2 test", "Commit": "abc", "DeployedBy": "a b@c", "Replaces": "shop:2"}
    assert serving.tags[f"{REVISION}3"] == {"Owner": "me", **ours, "ReleaseState": "completed"}

    failed = serving.run("crash:3", fails=True, release={"name": "v3"})
    assert serving.tags[f"{REVISION}4"] == {"Release": "v3", "Replaces": "shop:3", "ReleaseState": "failed"}
    assert failed["msg"].splitlines()[-1] == "Now shop:3 (release v2 test) serves with 2 of 2 tasks: good:2"

    # Another configuration of the same images, as site.yml rolls it, is the same release
    serving.run(task_definition=definition(None, environment=[{"name": "A", "value": "1"}]))
    assert serving.tags[f"{REVISION}5"] == {**ours, "Replaces": "shop:3", "ReleaseState": "completed"}
    serving.run("good:9")
    assert serving.tags[f"{REVISION}6"] == {}


def test_a_state_that_cannot_be_tagged_is_no_failure(serving: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = FakeEcs.__dict__["_tag_resource"]

    def refuse(cloud: Any, resourceArn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        if tags and tags[0]["key"] == "ReleaseState":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "TagResource")
        return tag(cloud, resourceArn, tags)

    monkeypatch.setattr(FakeEcs, "_tag_resource", refuse)
    warned: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, warning: warned.append(warning))
    assert serving.run("good:2", release=RELEASE)["changed"] is True
    assert "shop:3 could not be tagged ReleaseState=completed" in warned[0]


def test_a_revision_is_put_back_as_it_is(serving: Cloud) -> None:
    serving.run("good:2", release=RELEASE)
    back = {"task_definition": None, "revision": "shop:2", "subnets": None, "security_groups": None, "load_balancers": None}

    assert serving.run(check=True, **back)["changed"] is True
    assert serving.mutations == []
    put_back = serving.run(**back)
    assert (put_back["changed"], put_back["registered"], put_back["images"]) == (True, False, {"app": "good:1"})
    assert put_back["diff"]["after"]["task_definition"]["containerDefinitions"]["app"]["image"] == "good:1"
    assert serving.arguments("update_service") == [{"cluster": "shop", "service": "shop", "taskDefinition": f"{REVISION}2"}]
    assert serving.counts == (2, 2)

    assert serving.run(**back | {"revision": f"{REVISION}2"})["changed"] is False
    assert serving.mutations == []
    serving.run(**back | {"revision": "shop:3"})
    assert serving.tags[f"{REVISION}3"]["ReleaseState"] == "completed"


def test_a_revision_that_fails_when_it_is_put_back_is_undone(serving: Cloud) -> None:
    serving.run("good:2", release=RELEASE)
    serving.run("good:3")
    serving.revisions[f"{REVISION}3"]["containerDefinitions"][0]["image"] = "crash:2"  # what it needs is not there any more
    failed = serving.run(task_definition=None, revision="shop:3", fails=True)

    assert "shop:4 serves again." in failed["msg"].splitlines()[0]
    assert serving.tags[f"{REVISION}3"]["ReleaseState"] == "completed"
    assert serving.counts == (2, 2)


def test_a_count_that_was_moved_while_the_first_release_began_stays(cloud: Cloud) -> None:
    cloud.run("stuck:1", wait=False)
    cloud.service["desiredCount"] = 5
    cloud.run("stuck:2", wait=False)
    assert cloud.counts == (5, 0)


@pytest.mark.parametrize(
    ("revision", "why"),
    [("shop:9", "there is none of that name"), ("shop:1", "it is from before the first release"), ("shop:2", "was deregistered")],
)
def test_a_revision_that_cannot_run_is_refused(serving: Cloud, revision: str, why: str) -> None:
    serving.run("good:2")
    serving.revisions[f"{REVISION}2"]["status"] = "INACTIVE"
    assert why in serving.run(task_definition=None, revision=revision, fails=True)["msg"]
    assert serving.mutations == []


def test_a_revision_needs_a_service(cloud: Cloud) -> None:
    assert "cluster shop has no service" in cloud.run(task_definition=None, revision="shop:9", fails=True)["msg"]
    assert cloud.run(task_definition=None, revision="shop:9", check=True)["changed"] is True


# How long it must have been well


def test_the_tasks_must_have_run_for_as_long_as_asked(serving: Cloud) -> None:
    began = serving.now
    serving.run("late:2", steady_seconds=5)  # not found out
    assert 5 <= serving.now - began < 12

    began = serving.now
    serving.run("good:3", steady_seconds=90)
    assert 90 <= serving.now - began < 100


def test_a_first_release_is_watched_once(cloud: Cloud) -> None:
    cloud.run()
    began = cloud.now
    cloud.run("good:1", steady_seconds=60)
    assert 60 <= cloud.now - began < 80


# What is said meanwhile


def test_progress_says_what_is_going_on(serving: Cloud) -> None:
    serving.run("late:2", fails=True)
    said = "\n".join(serving.lines)

    for line in (
        "registering a revision of shop\n",
        "updating the service: shop:3\n",
        "2 of 2 tasks run, 0 pending, 0 failed, 2 of 2 are healthy targets",
        "steady for ",
        " of 30 s",
        " 2 failed",
        "; deployment ecs-svc/0000000000000000003 began",
        "rolling back to shop:2: 4 of its tasks stopped: Essential container in task exited (container app: exit code 4)",
    ):
        assert line in said
    assert said.count("ecs-svc/0000000000000000003 began") == 1
    assert all("\n" not in line and line.isprintable() for line in serving.lines)
    times = [int(line.split(" s: ")[0]) for line in serving.lines if line.split(" ")[0].isdecimal()]
    assert max(after - before for before, after in zip(times, times[1:], strict=False)) <= 12


# The one-off task


class OneOff:
    end = End(True)
    made: list[dict[str, Any]] = []
    happens: Any = staticmethod(lambda: None)

    def __init__(self, ask: Any, client_for: Any, say: Any, **options: Any) -> None:
        self.options = options
        OneOff.made.append(options)

    def run(self, seconds: float) -> End:
        OneOff.made[-1]["seconds"] = seconds
        OneOff.happens()
        return self.end


@pytest.fixture
def one_off(monkeypatch: pytest.MonkeyPatch) -> type[OneOff]:
    monkeypatch.setattr(module, "OneOff", OneOff)
    OneOff.made, OneOff.end = [], End(True)
    return OneOff


MIGRATE = {"command": ["/app", "migrate"]}


def test_a_new_image_is_migrated_to_before_the_service_is_updated(cloud: Cloud, one_off: type[OneOff]) -> None:
    one_off.happens = staticmethod(lambda: seen.append(list(cloud.mutations)))
    seen: list[list[str]] = []
    cloud.run(one_off=MIGRATE)
    assert one_off.made == []
    cloud.run("good:1", one_off=MIGRATE)
    cloud.run("good:2", one_off={**MIGRATE, "timeout_seconds": 60})
    cloud.run("good:2", one_off=MIGRATE)
    cloud.run(one_off=MIGRATE, task_definition=definition(None, environment=[{"name": "A", "value": "1"}]))

    assert seen == [["register_task_definition"]] * 2
    assert [made["definition"]["containerDefinitions"][0]["image"] for made in one_off.made] == ["good:1", "good:2"]
    assert {(made["container"], *made["command"]) for made in one_off.made} == {("app", "/app", "migrate")}
    assert [made["seconds"] for made in one_off.made] == [900, 60]
    assert one_off.made[0]["service"]["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-a", "subnet-b"]


@pytest.mark.parametrize("serves", [True, False])
def test_a_failed_migration_changes_nothing(cloud: Cloud, one_off: type[OneOff], serves: bool) -> None:
    if serves:
        cloud.run("good:1")
    before = cloud.service and dict(cloud.service)
    one_off.end = End(False, "container app: exit code 7", 7, "arn", ["no such table"])
    failed = cloud.run("good:2", fails=True, one_off=MIGRATE, release=RELEASE, tags={"Owner": "me"})

    assert failed["msg"].splitlines()[0] == "ECS service shop: the one-off task failed, nothing was changed: container app: exit code 7."
    assert "  no such table" in failed["msg"]
    assert (failed["exit_code"], cloud.service) == (7, before)
    assert cloud.mutations == ["register_task_definition", "tag_resource", "deregister_task_definition"]
    newest = list(cloud.revisions)[-1]
    assert (cloud.revisions[newest]["status"], cloud.tags[newest]["ReleaseState"]) == ("INACTIVE", "failed")


def test_a_migration_that_could_not_be_run_leaves_no_revision(serving: Cloud, one_off: type[OneOff]) -> None:
    def refuse() -> None:
        raise Killed

    one_off.happens = staticmethod(refuse)
    with pytest.raises(Killed):
        serving.run("good:2", one_off=MIGRATE)
    one_off.happens = staticmethod(lambda: None)
    assert serving.revisions[f"{REVISION}3"]["status"] == "INACTIVE"


# The smoke request

SMOKE = {"url": "http://shop.test/health", "headers": {"Host": "shop"}, "timeout_seconds": 10}


def refuse(answer: Any) -> None:
    if isinstance(answer, Exception):
        raise answer


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is answered, the last one again and again."""
    answers: list[Any] = [200]

    def open_url(url: str, headers: dict[str, str], **_how: Any) -> Any:
        assert (url, headers) == (SMOKE["url"], SMOKE["headers"])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        refuse(answer)
        if answer >= 400:
            raise HTTPError(url, answer, "no", Message(), BytesIO(b"database\x1b is down " + b"x" * 1000))
        return nullcontext(SimpleNamespace(status=answer))

    monkeypatch.setattr(smoke_request, "open_url", open_url)
    return answers


def test_a_smoke_request_that_is_answered_in_the_end(serving: Cloud, web: list[Any]) -> None:
    web[:] = [ConnectionRefusedError("refused"), 503, 200]
    serving.run("good:2", smoke_request=SMOKE)
    assert any("503 database is down" in line for line in serving.lines)
    assert len(web) == 1

    web[:] = [500, 200]
    serving.run("good:2", smoke_request=SMOKE)  # nothing was rolled
    assert len(web) == 2


@pytest.mark.parametrize(("answer", "said"), [(503, "503 database is down x"), (ConnectionRefusedError("refused"), "no answer (refused)"), (204, "204")])
def test_a_failing_smoke_request_rolls_back(serving: Cloud, web: list[Any], answer: Any, said: str) -> None:
    web[:] = [answer]
    failed = serving.run("good:2", fails=True, smoke_request=SMOKE, release=RELEASE)

    first_line = failed["msg"].splitlines()[0]
    assert f"the smoke request to http://shop.test/health was not answered 200 within 10 s, but: {said}" in first_line
    assert "shop:2 serves again." in first_line
    assert len(first_line) < 500
    assert "  fatal: no database" in failed["msg"]
    assert serving.tags[f"{REVISION}3"]["ReleaseState"] == "failed"
    assert (serving.service["taskDefinition"], serving.counts) == (f"{REVISION}2", (2, 2))


def test_a_smoke_request_of_a_first_release(cloud: Cloud, web: list[Any]) -> None:
    web[:] = [503]
    assert "the service has no task" in cloud.run("good:1", fails=True, smoke_request=SMOKE)["msg"].splitlines()[0]
    assert cloud.counts == (0, 0)
    web[:] = [204]
    cloud.run("good:1", smoke_request={**SMOKE, "status": [200, 204]})
    assert cloud.counts == (2, 2)


# The lock


class Lock:
    held: bool = True
    holding: bool = False
    taken: int = 0
    happens: Any = staticmethod(lambda: None)

    def __init__(self, _module: Any) -> None:
        pass

    def __enter__(self) -> Lock:
        Lock.holding, Lock.taken = True, Lock.taken + 1
        Lock.happens()
        return self

    def __exit__(self, *_error: Any) -> None:
        Lock.holding = False


LOCK = {"bucket": "b", "holder": "me"}


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> type[Lock]:
    monkeypatch.setattr(module, "DeployLock", Lock)
    Lock.taken, Lock.happens = 0, staticmethod(lambda: None)
    return Lock


def test_what_changes_is_changed_with_the_lock(serving: Cloud, lock: type[Lock], monkeypatch: pytest.MonkeyPatch) -> None:
    serving.run("good:1", lock=LOCK)
    assert lock.taken == 0

    held: dict[str, bool] = {}

    def watched(operation: str) -> Any:
        answer = FakeEcs.__dict__[operation]

        def watch(cloud: Any, **arguments: Any) -> Any:
            held[operation] = lock.holding
            return answer(cloud, **arguments)

        return watch

    for operation in ("_register_task_definition", "_update_service"):
        monkeypatch.setattr(FakeEcs, operation, watched(operation))
    serving.run("good:2", lock=LOCK)
    assert held == {"_register_task_definition": True, "_update_service": True}
    serving.run("crash:3", lock=LOCK, fails=True)
    assert (lock.taken, lock.holding) == (2, False)


def test_what_another_deployed_meanwhile_is_seen(serving: Cloud, lock: type[Lock]) -> None:
    def another() -> None:
        Lock.happens = staticmethod(lambda: None)
        registered = FakeEcs.__dict__["_register_task_definition"](serving, **serving.revisions[f"{REVISION}2"] | definition("good:2") | {"family": "shop"})
        serving.deploy(registered["taskDefinition"]["taskDefinitionArn"])
        serving.tick()

    lock.happens = staticmethod(another)
    failed = serving.run("crash:3", fails=True, lock=LOCK)
    assert "shop:3 serves again." in failed["msg"].splitlines()[0]


# Killed in the middle


@pytest.mark.parametrize("breaker", [True, False])
@pytest.mark.parametrize("seconds", [1, 2, 4, 8, 15, 30])
@pytest.mark.parametrize("image", ["good:2", "crash:2", "late:2", "unhealthy:2"])
def test_the_next_run_sees_through_what_a_killed_one_began(serving: Cloud, image: str, seconds: float, breaker: bool) -> None:
    options: dict[str, Any] = {"circuit_breaker": breaker, "release": RELEASE}
    serving.run("good:1", circuit_breaker=breaker)
    try:
        kill(serving, seconds, image, **options)
    except SystemExit:
        pytest.skip("it had ended by then")
    good = image == "good:2"
    ended = serving.run(image, fails=not good, **options)

    assert serving.image(serving.service["taskDefinition"]) == "good"
    assert (serving.service["taskDefinition"] == f"{REVISION}2") is not good
    assert serving.counts == (2, 2)
    if good:
        assert serving.tags[f"{REVISION}3"]["ReleaseState"] == "completed"
        assert serving.run(image, **options)["changed"] is False
    else:
        assert "serves again" in ended["msg"] or "Now shop:2 serves" in ended["msg"]


@pytest.mark.parametrize("listed", [True, False])
def test_the_next_run_after_one_that_was_killed_while_it_rolled_back(serving: Cloud, monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    def die() -> None:
        raise Killed

    options: dict[str, Any] = {"circuit_breaker": False}
    serving.run("good:2", release=RELEASE, **options)
    good = serving.service["taskDefinition"]
    say = module.Progress.say
    monkeypatch.setattr(module.Progress, "say", lambda it, line: (say(it, line), line.startswith("rolling back") and serving.at(serving.now, die)))
    with pytest.raises(Killed):
        serving.run("unhealthy:3", release={**RELEASE, "name": "v3"}, **options)
    monkeypatch.setattr(module.Progress, "say", say)
    assert [each["rolloutState"] for each in serving.service["deployments"]] == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    if not listed:
        del serving.service["deployments"][-1]

    failed = serving.run("unhealthy:3", fails=True, release={**RELEASE, "name": "v3"}, **options)
    assert f"{good.split('/')[-1]} serves again." in failed["msg"].splitlines()[0]
    assert serving.service["taskDefinition"] == good


@pytest.mark.parametrize("seconds", [1, 2, 4, 8, 15, 30])
def test_a_killed_release_is_replaced_by_another(serving: Cloud, seconds: float) -> None:
    kill(serving, seconds, "stuck:2", circuit_breaker=False, release=RELEASE)
    failed = serving.run("crash:3", fails=True, circuit_breaker=False, release={"name": "v3"})

    assert "shop:2 serves again." in failed["msg"].splitlines()[0]
    assert serving.counts == (2, 2)


@pytest.mark.parametrize("seconds", [0.5, 2, 4, 8, 15, 30])
@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize("image", ["good:1", "crash:1", "unhealthy:1"])
def test_a_first_release_that_was_killed(cloud: Cloud, image: str, made_before: bool, seconds: float) -> None:
    if made_before:
        cloud.run(circuit_breaker=False)
    try:
        kill(cloud, seconds, image, circuit_breaker=False, release=RELEASE)
    except SystemExit:
        pytest.skip("it had ended by then")
    good = image == "good:1"
    ended = cloud.run(image, fails=not good, circuit_breaker=False, release=RELEASE)

    if good:
        assert (ended["changed"], cloud.counts) == (True, (2, 2))
        assert cloud.run(image, circuit_breaker=False, release=RELEASE)["changed"] is False
    else:
        assert "It was the first release: the service has no task" in ended["msg"].splitlines()[0]
        assert cloud.counts == (0, 0)


# What is put back


def test_a_network_in_which_nothing_works_is_put_back(serving: Cloud) -> None:
    serving.run("good:1", circuit_breaker=False)
    before = serving.service["networkConfiguration"]
    serving.run("pull:2", circuit_breaker=False, subnets=["subnet-c"], fails=True)
    assert serving.service["networkConfiguration"] == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"steady_seconds": -1}, "steady_seconds is -1: allowed is 0 or more."),
        ({"failures_before_giving_up": 0}, "failures_before_giving_up is 0: allowed is 1 or more."),
        ({"task_definition": None, "revision": "shop"}, "revision is 'shop': allowed is family:revision"),
        ({"release": {"name": "()"}}, "allowed is a name with a letter"),
        ({"one_off": {"command": []}}, "allowed is a command that is not empty"),
        ({"one_off": {"command": ["a"], "container": "none"}}, "allowed is a container of app"),
        ({"smoke_request": {"url": "shop.test"}}, "allowed is a url that begins with http:// or https://"),
        ({"revision": "shop:1"}, "mutually exclusive"),
    ],
)
def test_bad_input_is_refused_before_the_first_call(cloud: Cloud, options: dict[str, Any], why: str) -> None:
    assert why in cloud.run("good:1", fails=True, **options)["msg"]
    assert cloud.calls == []
