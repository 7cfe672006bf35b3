# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_rollout, task_definition
from ansible_collections.pulsegrid.aws.plugins.modules import ecs_service as module

from .fake_ecs import ARN, FakeEcs

TARGET = {"target_group_arn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/1", "container_name": "app", "container_port": 8080}


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
        for patched in (module, ecs_rollout):
            monkeypatch.setattr(patched, "time", self)

    def run(self, image: str | None = None, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        outcome: dict[str, Any] = {}

        def end(_module: Any, **result: Any) -> None:
            outcome.update(result)
            raise Exit

        self.calls.clear()
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


@pytest.mark.parametrize("breaker", [True, False])
@pytest.mark.parametrize(("image", "why"), [("crash:2", "exit code 3"), ("pull:2", "CannotPullContainerError")])
def test_a_bad_update_fails_and_what_served_serves_again(serving: Cloud, image: str, why: str, breaker: bool) -> None:
    serving.run("good:1", circuit_breaker=breaker)
    before = serving.service["taskDefinition"]
    failed = serving.run(image, fails=True, circuit_breaker=breaker)

    assert why in failed["msg"].splitlines()[0]
    assert f"{before.split('/')[-1]} serves again." in failed["msg"].splitlines()[0]
    assert f"  3 x {'Essential' if 'crash' in image else 'CannotPull'}" in failed["msg"]
    assert failed["msg"].splitlines()[-1] == "Now shop:2 serves with 2 of 2 tasks: good:1"
    assert serving.service["taskDefinition"] == before
    assert serving.counts == (2, 2)
    assert failed["outcome"] == ("rolled_back" if breaker else "failed")


def test_the_number_of_failures_that_are_enough(serving: Cloud) -> None:
    failed = serving.run("crash:2", fails=True, failures_before_giving_up=1)

    assert failed["outcome"] == "failed"
    assert "1 of its tasks stopped" in failed["msg"]
    assert serving.counts == (2, 2)


def test_a_log_that_cannot_be_read_hides_nothing(serving: Cloud) -> None:
    serving.logs = []
    failed = serving.run("crash:2", fails=True)

    assert "exit code 3" in failed["msg"].splitlines()[0]
    assert "Its log could not be read" in failed["msg"]


def test_unhealthy_targets_never_end_well(serving: Cloud) -> None:
    serving.at(serving.now + 2, lambda: serving.primary().update(rolloutState="COMPLETED"))  # whatever ECS says
    failed = serving.run("unhealthy:2", fails=True, wait_timeout_seconds=60)

    assert failed["outcome"] == "timed_out"
    assert "not all of them as healthy targets" in failed["msg"]
    assert serving.run("good:1")["changed"] is False


def test_too_much_time(serving: Cloud) -> None:
    began = serving.now
    failed = serving.run("stuck:2", fails=True, wait_timeout_seconds=120)

    assert failed["outcome"] == "timed_out"
    assert "it was not steady after 120 s: 0 of 2 tasks run, 0 failed" in failed["msg"]
    assert serving.now - began < 150
    assert serving.image(serving.service["taskDefinition"]) == "good"


def test_another_deployment_takes_its_place_and_is_left_alone(serving: Cloud) -> None:
    def somebody_else() -> None:
        serving.revisions[f"{ARN}:task-definition/shop:99"] = serving.revisions[serving.service["taskDefinition"]]
        serving.deploy(f"{ARN}:task-definition/shop:99")

    serving.at(serving.now + 2, somebody_else)
    failed = serving.run("stuck:2", fails=True)

    assert failed["outcome"] == "superseded"
    assert "shop:99" in failed["msg"].splitlines()[0]
    assert serving.mutations == ["register_task_definition", "update_service"]


def test_a_deployment_under_way_is_joined_and_not_undone(serving: Cloud) -> None:
    serving.run("crash:2", wait=False)
    joined = serving.run("crash:2", fails=True, circuit_breaker=True, failures_before_giving_up=2)

    assert "exit code 3" in joined["msg"]
    assert serving.mutations == []


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
