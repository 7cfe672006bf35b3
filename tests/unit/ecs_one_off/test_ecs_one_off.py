# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_one_off
from botocore.exceptions import ClientError

ARN = "arn:aws:ecs:eu-central-1:123456789012"
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop", "awslogs-stream-prefix": "ecs"}}
DEFINITION = {
    "taskDefinitionArn": f"{ARN}:task-definition/shop:7",
    "containerDefinitions": [{"name": "sidecar"}, {"name": "app", "logConfiguration": LOG}],
}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"], "assignPublicIp": "DISABLED"}}
SERVICE = {
    "networkConfiguration": NETWORK,
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}],
    "platformVersion": "1.4.0",
    "enableECSManagedTags": True,
    "propagateTags": "SERVICE",
    "tags": [{"key": "Environment", "value": "dev"}, {"key": "aws:cloudformation:stack-name", "value": "x"}],
}


def ends(code: int | None, seconds: float = 12, **more: Any) -> dict[str, Any]:
    return {"seconds": seconds, "code": code, "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", **more}


class Cloud:
    """ECS and CloudWatch Logs, with a clock that only sleeping moves. `plays` says what each attempt comes to, `logged` when which line is to be had."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.plays: list[dict[str, Any]] = []
        self.logged: list[tuple[float, str]] = []
        self.log_error = ""
        self.tasks: list[dict[str, Any]] = []
        self.on_describe: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def called(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == operation]

    def ask(self, operation: str, client: Any = None, **arguments: Any) -> dict[str, Any]:
        return getattr(self, operation)(**arguments)

    def run_task(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(("run_task", arguments))
        play = self.plays.pop(0)
        if "failure" in play:
            return {"tasks": [], "failures": [play["failure"]]}
        number = len(self.tasks) + 1
        task = {"taskArn": f"{ARN}:task/shop/{number:032x}", "lastStatus": "PROVISIONING", "containers": [{"name": "sidecar"}, {"name": "app"}]}
        self.tasks.append({**task, "play": play, "began": self.now})
        return {"tasks": [task], "failures": []}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        self.calls.append(("describe_tasks", {}))
        self.on_describe()
        task = next(each for each in self.tasks if each["taskArn"] in tasks)
        play, age = task["play"], self.now - task["began"]
        if age < 2:
            return {"tasks": [], "failures": [{"reason": "MISSING"}]}  # not known everywhere yet
        if "stopped" in task or age >= play["seconds"]:
            stop = {"code": 143, "stopCode": "UserInitiated", "stoppedReason": task["stopped"]} if "stopped" in task else play
            code = {} if stop["code"] is None else {"exitCode": stop["code"]}
            task.update(lastStatus=play.get("lastStatus", "STOPPED"), desiredStatus="STOPPED", stopCode=stop["stopCode"], stoppedReason=stop["stoppedReason"])
            task["containers"] = [{"name": "sidecar"}, {"name": "app", **code}]
        elif play["code"] is not None and age > 5:
            task.update(lastStatus="RUNNING", desiredStatus="RUNNING", startedAt="then")
        return {"tasks": [dict(task)], "failures": []}

    def stop_task(self, cluster: str, task: str, reason: str, aws_retry: bool) -> dict[str, Any]:
        self.calls.append(("stop_task", {"reason": reason}))
        next(each for each in self.tasks if each["taskArn"] == task)["stopped"] = reason
        return {}

    def get_log_events(self, logGroupName: str, logStreamName: str, startFromHead: bool, aws_retry: bool, nextToken: str = "0") -> dict[str, Any]:
        self.calls.append(("get_log_events", {"logStreamName": logStreamName, "nextToken": nextToken}))
        assert startFromHead
        assert logGroupName == "/ecs/shop"
        there = [line for at, line in self.logged if at <= self.now]
        if self.log_error or not there:
            raise ClientError({"Error": {"Code": self.log_error or "ResourceNotFoundException", "Message": "no"}}, "GetLogEvents")
        begin, page = int(nextToken), there[int(nextToken) :][:2]  # small pages
        return {"events": [{"message": f"{line}\n"} for line in page], "nextForwardToken": str(begin + len(page))}

    def run(self, seconds: float = 900, service: dict[str, Any] | None = None, definition: dict[str, Any] | None = None) -> ecs_one_off.End:
        one_off = ecs_one_off.OneOff(
            self.ask,
            lambda _service: self,
            self.said.append,
            cluster="shop",
            service=service or SERVICE,
            definition=definition or DEFINITION,
            container="app",
            command=["migrate"],
            started_by="release 3f9c",
        )
        return one_off.run(seconds)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(ecs_one_off, "time", cloud)
    return cloud


def test_the_task_runs_as_the_services_own_do_and_not_on_spot(cloud: Cloud) -> None:
    cloud.plays = [ends(0)]
    end = cloud.run()
    assert (end.completed, end.exit_code, end.reason) == (True, 0, "")
    (asked,) = cloud.called("run_task")
    assert len(asked.pop("clientToken")) == 32
    assert asked == {
        "cluster": "shop",
        "taskDefinition": f"{ARN}:task-definition/shop:7",
        "count": 1,
        "overrides": {"containerOverrides": [{"name": "app", "command": ["migrate"]}]},
        "startedBy": "release-3f9c",
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "platformVersion": "1.4.0",
        "enableECSManagedTags": True,
        "tags": [{"key": "Environment", "value": "dev"}],
    }
    assert not cloud.called("stop_task")


def test_another_services_capacity_is_kept(cloud: Cloud) -> None:
    strategy = [{"capacityProvider": "own-machines", "weight": 1}]
    cloud.plays = [ends(0), ends(0)]
    cloud.run(service={"capacityProviderStrategy": strategy, "propagateTags": "TASK_DEFINITION", "tags": SERVICE["tags"]})
    cloud.run(service={"launchType": "EC2", "propagateTags": "NONE", "tags": SERVICE["tags"]})
    first, second = cloud.called("run_task")
    assert (first["capacityProviderStrategy"], first["propagateTags"], "launchType" in first, "tags" in first) == (strategy, "TASK_DEFINITION", False, False)
    assert (second["launchType"], "propagateTags" in second, "tags" in second) == ("EC2", False, False)


def test_lines_are_shown_as_they_come_and_late_ones_too(cloud: Cloud) -> None:
    cloud.plays = [ends(0, 60)]
    cloud.logged = [(8, "one"), (9, "two"), (9, "three"), (30, "four \x1b[31mred\x1b[0m\x07"), (61, "five")]
    shown_at: dict[str, float] = {}
    cloud.said = type("Said", (list,), {"append": lambda said, line: (shown_at.update({line: cloud.now}), list.append(said, line))})()
    end = cloud.run()
    lines = [f"app | {line}" for line in ("one", "two", "three", "four red", "five")]
    assert [line for line in cloud.said if line.startswith("app |")] == lines
    assert end.lines == [line.removeprefix("app | ") for line in lines]
    assert shown_at[lines[0]] < 15
    assert shown_at[lines[3]] < 36
    assert {asked["logStreamName"] for asked in cloud.called("get_log_events")} == {f"ecs/app/{1:032x}"}
    assert "Task 00000000000000000000000000000001 is RUNNING" in cloud.said


def test_a_silent_task_is_seen_to_run(cloud: Cloud) -> None:
    cloud.plays = [ends(0, 200)]
    cloud.run()
    assert sum("is RUNNING" in line for line in cloud.said) >= 5


def test_an_exit_code_is_a_failure_with_the_last_lines(cloud: Cloud) -> None:
    cloud.plays = [ends(3)]
    cloud.logged = [(6, f"line {number}") for number in range(30)]
    end = cloud.run()
    assert (end.completed, end.exit_code) == (False, 3)
    assert end.reason == "Essential container in task exited (container app: exit code 3)"
    assert end.lines == [f"line {number}" for number in range(10, 30)]


def test_the_exit_code_is_enough(cloud: Cloud) -> None:
    cloud.plays = [ends(0, lastStatus="DEPROVISIONING")]
    assert cloud.run().completed
    assert not cloud.called("stop_task")


def test_a_task_that_somebody_stops_has_not_completed(cloud: Cloud) -> None:
    cloud.plays = [ends(0, stopCode="UserInitiated", stoppedReason="Task stopped by user")]
    end = cloud.run()
    assert not end.completed
    assert end.reason == "Task stopped by user (container app: exit code 0)"


def test_a_task_that_cannot_start_says_why_and_is_not_tried_again(cloud: Cloud) -> None:
    cloud.plays = [ends(None, stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: not found")]
    end = cloud.run()
    assert (end.completed, end.exit_code, end.reason) == (False, None, "CannotPullContainerError: not found")
    assert len(cloud.called("run_task")) == 1


@pytest.mark.parametrize(
    "passes",
    [
        {"failure": {"reason": "RESOURCE:MEMORY"}},
        {"failure": {"reason": "Capacity is unavailable at this time. Please try again later or in a different availability zone"}},
        ends(None, 4, stopCode="TaskFailedToStart", stoppedReason="Capacity is unavailable at this time."),
        ends(None, 4, stopCode="TaskFailedToStart", stoppedReason="Timeout waiting for network interface provisioning to complete."),
    ],
)
def test_what_passes_is_tried_again_with_a_token_of_its_own(cloud: Cloud, passes: dict[str, Any]) -> None:
    cloud.plays = [passes, passes, ends(0)]
    assert cloud.run().completed
    assert len({asked["clientToken"] for asked in cloud.called("run_task")}) == 3


def test_a_command_that_has_begun_is_not_run_twice(cloud: Cloud) -> None:
    cloud.plays = [ends(1, stoppedReason="Capacity is unavailable, said the migration"), ends(0)]
    assert not cloud.run().completed
    assert len(cloud.called("run_task")) == 1


def test_trying_again_has_an_end(cloud: Cloud) -> None:
    cloud.plays = [{"failure": {"reason": "RESOURCE:CPU", "detail": "none left"}} for _again in range(20)]
    end = cloud.run()
    assert (end.completed, end.reason, len(cloud.called("run_task"))) == (False, "RESOURCE:CPU: none left", 6)


def test_what_does_not_pass_is_not_tried_again(cloud: Cloud) -> None:
    cloud.plays = [{"failure": {"reason": "ATTRIBUTE"}}, ends(0)]
    assert cloud.run().reason == "ATTRIBUTE"


def test_a_task_that_takes_too_long_is_stopped(cloud: Cloud) -> None:
    cloud.plays = [ends(0, 1000)]
    cloud.logged = [(8, "waiting for a lock")]
    end = cloud.run(60)
    assert (end.completed, end.reason, end.lines) == (False, "it had not ended after 60 s and was stopped", ["waiting for a lock"])
    assert cloud.called("stop_task") == [{"reason": "pulsegrid.aws: not ended after 60 s"}]
    assert cloud.now < 90


def test_a_log_that_may_not_be_read_is_said_once(cloud: Cloud) -> None:
    cloud.plays, cloud.log_error = [ends(0, 100)], "AccessDeniedException"
    assert cloud.run().completed
    assert sum("cannot be read" in line for line in cloud.said) == len(cloud.called("get_log_events")) == 1


def test_a_container_without_such_a_log_is_no_failure(cloud: Cloud) -> None:
    cloud.plays = [ends(0)]
    assert cloud.run(definition={**DEFINITION, "containerDefinitions": [{"name": "app"}]}).completed
    assert sum("not shown" in line for line in cloud.said) == 1
    assert not cloud.called("get_log_events")


def test_a_run_that_is_terminated_stops_the_task(cloud: Cloud) -> None:
    cloud.plays = [ends(0, 1000)]
    cloud.on_describe = lambda: os.kill(os.getpid(), signal.SIGTERM) if cloud.now > 20 else None
    with pytest.raises(SystemExit):
        cloud.run()
    assert len(cloud.called("stop_task")) == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_run_that_is_terminated_while_the_task_starts_stops_it(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.plays = [ends(0, 1000)]
    run_task = cloud.run_task

    def terminated(**arguments: Any) -> dict[str, Any]:
        answer = run_task(**arguments)
        os.kill(os.getpid(), signal.SIGTERM)
        return answer

    monkeypatch.setattr(cloud, "run_task", terminated)
    with pytest.raises(SystemExit):
        cloud.run()
    assert len(cloud.called("stop_task")) == 1


def test_a_module_that_fails_meanwhile_stops_the_task(cloud: Cloud) -> None:
    cloud.plays = [ends(0, 1000)]

    def fails() -> None:
        raise RuntimeError

    cloud.on_describe = fails
    with pytest.raises(RuntimeError):
        cloud.run()
    assert len(cloud.called("stop_task")) == 1
