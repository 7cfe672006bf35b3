# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run one task of ECS to its end, such as a migration before a release, show what it logs meanwhile, and say how it ended."""

from __future__ import annotations

import re
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.pulsegrid.aws.plugins.module_utils.ecs_rollout import why_stopped
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import plain
from ansible_collections.pulsegrid.aws.plugins.module_utils.task_definition import log_stream

FIRST_INTERVAL, LAST_INTERVAL, INTERVAL_GROWTH = 1.0, 4.0, 1.3
# So often it is said that the task still runs, when it has nothing to say itself.
SILENCE_SECONDS = 30
# A container gets SIGTERM and, stopTimeout seconds later (at most 120), SIGKILL.
STOPPED_AFTER_SECONDS = 150
# For so long after the end a line may still be under way to CloudWatch Logs; a task that failed without a word is worth more patience.
LATE_SECONDS, LATE_SILENT_SECONDS = 2, 10
LINES = 20
STARTED_BY_CHARACTERS = 128

# Why a task could not be started that another attempt may start: no capacity just now, or a role that was made a moment ago.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
PASSES = re.compile(r"^(RESOURCE|AGENT)\b|capacity is unavailable|waiting for network interface|unable to assume the role", re.IGNORECASE)
ATTEMPTS_AFTER_SECONDS = (5, 10, 20, 40, 60)
# How a task ends whose own command has ended. With any other it was stopped, and an exit code of 0 says no more than that it went willingly.
BY_ITSELF = (None, "", "EssentialContainerExited")


@dataclass(frozen=True)
class End:
    """How the task ended: completed, or why not in one sentence, without a full stop."""

    completed: bool
    reason: str = ""
    exit_code: int | None = None
    task_arn: str = ""
    lines: list[str] = field(default_factory=list)  # the last ones that it logged


class Log:
    """What one container of one task logs, read on from where it was read to."""

    def __init__(self, client_for: Callable[[str], Any], definition: dict[str, Any], task_id: str) -> None:
        self.client_for = client_for
        self.where = log_stream(definition, task_id) or {}
        self.readable = bool(self.where)
        self.token: dict[str, str] = {}
        self.problem = "" if self.readable else f"Its lines are not shown: container {definition['name']} has no log in CloudWatch Logs with a stream prefix"

    def read(self) -> Iterator[str]:
        """The new lines. A log that cannot be read is a pity, and not what the task fails for: see problem."""
        while self.readable:
            try:
                page = self.client_for("logs").get_log_events(**self.where, **self.token, startFromHead=True, aws_retry=True)
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":  # the stream begins with the first line
                    self.readable, self.problem = False, f"Its log cannot be read: {error}"
                return
            except botocore.exceptions.BotoCoreError as error:
                self.readable, self.problem = False, f"Its log cannot be read: {error}"
                return
            for event in page["events"]:
                yield from (plain(line) for line in event["message"].splitlines())
            token = page["nextForwardToken"]
            if token == self.token.get("nextToken"):
                return
            self.token = {"nextToken": token}


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, which ends a process on the spot, becomes an exception, unless somebody has seen to it already."""
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal waits: a task that was started is a task that is known, and can be stopped. A mask would hold in one thread alone."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


class OneOff:
    """One task of a revision, in the place of a service's tasks, with a command of its own.

    ask: calls an operation of ECS, ask(operation, **arguments), and ends the module when AWS answers with an error.
    client_for: the client of a service, with retries: client_for("logs").
    say: shows a line.
    cluster: name or ARN.
    service: what CreateService takes or DescribeServices answers: networkConfiguration, capacityProviderStrategy or launchType, platformVersion, tags ...
    definition: the revision as AWS describes it.
    container: the one that gets the command; its end is the end of the task.
    """

    def __init__(
        self,
        ask: Callable[..., dict[str, Any]],
        client_for: Callable[[str], Any],
        say: Callable[[str], None],
        *,
        cluster: str,
        service: dict[str, Any],
        definition: dict[str, Any],
        container: str,
        command: list[str],
        started_by: str = "one-off",
    ) -> None:
        self.ask = ask
        self.client_for = client_for
        self.say = say
        self.cluster = cluster
        self.definition = definition
        self.container = container
        self.command = command
        self.began = False
        self.arguments = {
            "cluster": cluster,
            "taskDefinition": definition["taskDefinitionArn"],
            "count": 1,
            "overrides": {"containerOverrides": [{"name": container, "command": command}]},
            "startedBy": re.sub(r"[^A-Za-z0-9/_-]", "-", started_by)[:STARTED_BY_CHARACTERS],
            **placement(service),
        }
        self.lines: deque[str] = deque(maxlen=LINES)
        self.spoke = 0.0

    def run(self, seconds: float) -> End:
        """The task's end. Whatever happens meanwhile, it leaves no task that runs."""
        end = time.monotonic() + seconds
        waits = iter(ATTEMPTS_AFTER_SECONDS)
        with terminable():
            while True:
                done = self.attempt(end, seconds)
                wait = next(waits, None)
                if done.completed or self.began or not PASSES.search(done.reason) or wait is None or time.monotonic() + wait >= end:
                    return done
                self.say(f"{done.reason}: trying again in {wait} s")
                time.sleep(wait)

    def attempt(self, end: float, seconds: float) -> End:
        self.began = False
        task: dict[str, Any] | None = None
        over = False
        token = uuid.uuid4().hex
        try:
            with undisturbed():
                answer = self.ask("run_task", clientToken=token, **self.arguments)
                task = next(iter(answer["tasks"]), None)
            if task is None:
                return End(False, "; ".join(": ".join(filter(None, (each.get("reason"), each.get("detail")))) for each in answer["failures"]))
            self.tell(f"Task {task_id(task)} of {revision(self.definition)} is started: {' '.join(self.command)}")
            log = Log(self.client_for, self.definition_of_container(), task_id(task))
            if log.problem:
                self.tell(log.problem)
            task, timed_out = self.follow(task, log, end)
            if timed_out:
                self.stop(task, f"not ended after {seconds:.0f} s")
                task, _again = self.follow(task, log, time.monotonic() + STOPPED_AFTER_SECONDS)
            over = stopping(task)
            self.read_the_rest(log, LATE_SECONDS if self.lines or self.exit_code(task) == 0 else LATE_SILENT_SECONDS)
            return self.judge(task, f"it had not ended after {seconds:.0f} s and was stopped" if timed_out else "")
        finally:
            if task and not over:
                self.stop(task, "the run that waited for it has ended")

    def follow(self, task: dict[str, Any], log: Log, end: float) -> tuple[dict[str, Any], bool]:
        """The task as it is when its container has ended, or the time is over, and whether it was the time."""
        interval, status = FIRST_INTERVAL, task.get("lastStatus")
        while not self.ended(task):
            if time.monotonic() >= end:
                return task, True
            time.sleep(min(interval, max(0.1, end - time.monotonic())))
            interval = min(LAST_INTERVAL, interval * INTERVAL_GROWTH)
            # A task that was started just now may not be known everywhere yet
            task = next(iter(self.ask("describe_tasks", cluster=self.cluster, tasks=[task["taskArn"]])["tasks"]), task)
            self.began = self.began or bool(task.get("startedAt")) or task.get("lastStatus") == "RUNNING"
            if self.show(log):
                continue
            if task.get("lastStatus") != status or time.monotonic() - self.spoke >= SILENCE_SECONDS:
                self.tell(f"Task {task_id(task)} is {task.get('lastStatus')}")
            status = task.get("lastStatus")
        return task, False

    def ended(self, task: dict[str, Any]) -> bool:
        """The exit code is there some time before Fargate has taken the task's network interface away."""
        return task.get("lastStatus") == "STOPPED" or self.exit_code(task) is not None

    def exit_code(self, task: dict[str, Any]) -> int | None:
        return next((each.get("exitCode") for each in task.get("containers", []) if each["name"] == self.container), None)

    def judge(self, task: dict[str, Any], timed_out: str) -> End:
        code = self.exit_code(task)
        self.began = self.began or code is not None
        completed = code == 0 and not timed_out and task.get("stopCode") in BY_ITSELF
        why = why_stopped(task) if stopping(task) else f"container {self.container}: exit code {code}"
        return End(completed, "" if completed else timed_out or why, code, task["taskArn"], list(self.lines))

    def show(self, log: Log) -> bool:
        had_problem = bool(log.problem)
        any_line = False
        for line in log.read():
            any_line = True
            self.lines.append(line)
            self.tell(f"{self.container} | {line}")
        if log.problem and not had_problem:
            self.tell(log.problem)
        return any_line

    def read_the_rest(self, log: Log, quiet_seconds: float) -> None:
        quiet_since = time.monotonic()
        while log.readable:
            if self.show(log):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= quiet_seconds:
                return
            time.sleep(1)

    def tell(self, line: str) -> None:
        self.spoke = time.monotonic()
        self.say(line)

    def stop(self, task: dict[str, Any], why: str) -> None:
        """That it cannot be stopped must not hide why it has to be."""
        try:
            self.client_for("ecs").stop_task(cluster=self.cluster, task=task["taskArn"], reason=f"pulsegrid.aws: {why}"[:255], aws_retry=True)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.say(f"Task {task_id(task)} could not be stopped: {error}")

    def definition_of_container(self) -> dict[str, Any]:
        return next(each for each in self.definition["containerDefinitions"] if each["name"] == self.container)


def placement(service: dict[str, Any]) -> dict[str, Any]:
    """Where and as whose the service's tasks run, as RunTask takes it."""
    providers = service.get("capacityProviderStrategy") or []
    arguments: dict[str, Any] = {key: service[key] for key in ("networkConfiguration", "platformVersion", "enableECSManagedTags") if service.get(key)}
    if providers and all(each["capacityProvider"].startswith("FARGATE") for each in providers):
        arguments["launchType"] = "FARGATE"  # not Spot, which may stop a migration half way
    elif providers:
        arguments["capacityProviderStrategy"] = providers
    elif service.get("launchType"):
        arguments["launchType"] = service["launchType"]
    if service.get("propagateTags") == "TASK_DEFINITION":
        arguments["propagateTags"] = "TASK_DEFINITION"
    elif service.get("propagateTags") == "SERVICE":  # RunTask knows no service
        tags = [tag for tag in service.get("tags") or [] if not tag["key"].startswith("aws:")]
        arguments |= {"tags": tags} if tags else {}
    return arguments


def stopping(task: dict[str, Any]) -> bool:
    return task.get("lastStatus") == "STOPPED" or task.get("desiredStatus") == "STOPPED"


def task_id(task: dict[str, Any]) -> str:
    return task["taskArn"].split("/")[-1]


def revision(definition: dict[str, Any]) -> str:
    return definition["taskDefinitionArn"].split("/")[-1]
