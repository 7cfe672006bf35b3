# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Follow one deployment of an ECS service, by its id, to its end, and say what happens."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

COMPLETED, FAILED, ROLLED_BACK, SUPERSEDED, TIMED_OUT = "completed", "failed", "rolled_back", "superseded", "timed_out"

FIRST_INTERVAL, LAST_INTERVAL, INTERVAL_GROWTH = 1.0, 5.0, 1.3
# For so long the same tasks must have run where nothing else is said: a container that fails at its start has failed by then,
# also where ECS calls a deployment completed as soon as its tasks run.
STEADY_SECONDS = 3
# For so long all tasks of a deployment must have been unhealthy beyond their grace period: ECS itself has then begun to replace them.
UNHEALTHY_SECONDS = 10
# A line of progress at least this often
SAY_SECONDS = 5
# For so long AWS may describe a service as it was before it was updated.
UNSEEN_SECONDS = 30
LOG_LINES = 20
EVENTS = 5

# Why a task stopped that was not the release's fault: the service was scaled or deployed, a person stopped it, AWS took the Spot capacity back.
FAILURE_CODES = ("EssentialContainerExited", "TaskFailedToStart")
UNHEALTHY = re.compile(r"failed (elb|container) health checks", re.IGNORECASE)
# The event with which ECS tells what the load balancer found. A task may be stopped for it before it is seen as an unhealthy target.
UNHEALTHY_TARGET = re.compile(r"is unhealthy in \(target-group [^)]*\) due to \(reason (.*)\)")
TARGET_GROUP = re.compile(r"arn:[^()\s]*:targetgroup/([^/()\s]+)[^()\s]*")
UNABLE = re.compile(r"\bunable to\b|\bfailed to\b", re.IGNORECASE)
# What AWS's words mean, the first that fits
MEANINGS = (
    (re.compile(r"OutOfMemory"), "out of memory"),
    (re.compile(r"failed elb health checks.*(Request timed out|Health checks failed(?! with))", re.IGNORECASE), "nothing answered the load balancer's check"),
    (UNHEALTHY, "unhealthy"),  # ECS stopped it, and killed it when that took too long: exit code 137, too
    (re.compile(r"exit code 137\b"), "killed, as is what takes more memory than it may"),
    (re.compile(r"CannotPull"), "the image could not be pulled"),
    (re.compile(r"ResourceInitializationError.*(secret|\basm\b|\bssm\b)", re.IGNORECASE | re.DOTALL), "a secret could not be read"),
    (re.compile(r"ResourceInitializationError"), "they could not be set up"),
)


@dataclass(frozen=True)
class Outcome:
    """How a deployment ended, and why in one sentence."""

    state: str
    reason: str = ""


def chunks(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def deployment(service: dict[str, Any], deployment_id: str) -> dict[str, Any] | None:
    return next((each for each in service["deployments"] if each["id"] == deployment_id), None)


def primary(service: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in service["deployments"] if each["status"] == "PRIMARY")


def settled(service: dict[str, Any]) -> bool:
    """Whether the deployment has ended well and every task that is wanted runs."""
    if service["desiredCount"] == 0:
        return service["runningCount"] == service["pendingCount"] == 0
    return primary(service).get("rolloutState") == COMPLETED.upper() and service["runningCount"] == service["desiredCount"] and not service["pendingCount"]


def failed(task: dict[str, Any]) -> bool:
    return task.get("stopCode") in FAILURE_CODES or bool(UNHEALTHY.search(task.get("stoppedReason", "")))


def why_stopped(task: dict[str, Any]) -> str:
    """The task's stopped reason and its containers' exit codes."""
    reason = TARGET_GROUP.sub(r"\1", task.get("stoppedReason") or task.get("stopCode") or "no reason given").strip()
    ends = []
    for container in task.get("containers", []):
        said = [f"exit code {container['exitCode']}"] if container.get("exitCode") is not None else []
        if container.get("reason") and container["reason"] not in reason:
            said.append(container["reason"])
        if said:
            ends.append(f"container {container['name']}: {', '.join(said)}")
    reason += f": {task['unhealthy']}" if task.get("unhealthy") and UNHEALTHY.search(reason) else ""
    return f"{reason} ({'; '.join(ends)})" if ends else reason


def meaning(why: str) -> str:
    return next((f", {means}" for pattern, means in MEANINGS if pattern.search(why)), "")


def cause(task: dict[str, Any]) -> str:
    """why_stopped without what differs from task to task: ids, addresses, times, what the load balancer found last."""
    return re.sub(
        r"[0-9a-f]{8}-[0-9a-f-]{20,}|\b[0-9a-f]{12,}\b|\b\d+\.\d+\.\d+\.\d+(:\d+)?|\d{4}-\d\d-\d\dT\S+|:\d+->\S+", "…", why_stopped(task | {"unhealthy": ""})
    )


def by_cause(tasks: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """How many of the tasks, the newest first, stopped for the same cause, and why the newest of them did; the most frequent cause first."""
    oldest_first = sorted(reversed(tasks), key=lambda task: bool(task.get("unhealthy")))  # of those of which it is known what the load balancer found
    newest = {cause(task): why_stopped(task) for task in oldest_first}
    return [(count, newest[same]) for same, count in Counter(map(cause, tasks)).most_common()]


def addresses(task: dict[str, Any]) -> set[str]:
    attached = {
        detail["value"] for attachment in task.get("attachments", []) for detail in attachment.get("details", []) if detail["name"] == "privateIPv4Address"
    }
    return attached | {
        interface["privateIpv4Address"]
        for container in task.get("containers", [])
        for interface in container.get("networkInterfaces", [])
        if interface.get("privateIpv4Address")
    }


def words_of(event: dict[str, Any]) -> str:
    """An event of the service without the service's name."""
    return TARGET_GROUP.sub(r"\1", re.sub(r"^\(service [^)]*\)\s*", "", event["message"])).rstrip(".")


class Rollout:
    """One deployment of one service.

    ask: calls an operation, ask(operation, client=None, **arguments), and ends the module when AWS answers with an error.
    describe: the service as it is now; None where there is none.
    say: takes one line about what is going on.
    followed: the deployment, as ECS described it when it began.
    previous: the revision that served before; None where that is not known.
    """

    def __init__(
        self,
        ask: Callable[..., dict[str, Any]],
        describe: Callable[[], dict[str, Any] | None],
        load_balancing: Callable[[], Any],
        say: Callable[[str], None],
        followed: dict[str, Any],
        previous: str | None,
        failures_before_giving_up: int,
    ) -> None:
        self.ask = ask
        self.describe = describe
        self.load_balancing = load_balancing
        self.say = say
        self.followed = followed
        self.deployment_id = followed["id"]
        self.previous = previous
        self.limit = failures_before_giving_up
        self.began = time.monotonic()
        # What look() saw: the service, the tasks of the deployment that are wanted and those that stopped, and what is wrong with a task that runs
        self.service: dict[str, Any] | None = None
        self.tasks: list[dict[str, Any]] = []
        self.stopped: dict[str, dict[str, Any]] = {}
        self.ill: dict[str, str] = {}
        self.well: set[str] = set()
        self.draining = 0
        self.ran_since: dict[str, float] = {}  # task: when it was seen running first
        self.was_ill: dict[str, str] = {}
        self.was_well = False
        # What was said
        self.said = ("", 0.0)
        self.said_events: set[str] = set()

    def follow(self, seconds: float, steady_seconds: float = STEADY_SECONDS) -> Outcome:
        began = time.monotonic()
        interval = FIRST_INTERVAL
        steady: set[str] | None = None
        since, seen = began, False
        while True:
            now = time.monotonic()
            service = self.service = self.describe()
            if service is None:
                return Outcome(SUPERSEDED, "the service was removed meanwhile")
            if service["desiredCount"] == 0:
                return Outcome(SUPERSEDED, "the service was scaled to no task meanwhile")
            seen = seen or bool(deployment(service, self.deployment_id))
            pause = interval * random.uniform(0.8, 1.2)
            if seen or now - began > UNSEEN_SECONDS:
                self.look(service, now)
                if outcome := self.judge(service, now):
                    return outcome
                tasks = self.steady_tasks(service)
                if tasks is None or tasks != steady:
                    steady, since = tasks, now
                self.tell(service, now, f"steady for {now - since:.0f} of {steady_seconds} s" if steady else "")
                if steady and now - since >= steady_seconds:
                    return Outcome(COMPLETED)
                if steady:
                    pause = min(pause, max(0.2, steady_seconds - (now - since)))
            if now - began >= seconds and not steady:
                return Outcome(TIMED_OUT, f"it was not steady after {seconds:.0f} s: {self.counts(service)}{self.trouble(service)}")
            time.sleep(pause)
            interval = min(LAST_INTERVAL, interval * INTERVAL_GROWTH)

    # What there is

    def look(self, service: dict[str, Any], now: float) -> None:
        """The deployment's tasks and their health as they are now."""
        over = {arn for arn, task in self.stopped.items() if task["lastStatus"] == "STOPPED"}
        wanted = self.listed(service, "RUNNING")
        stopped = [arn for arn in self.listed(service, "STOPPED") if arn not in over and arn not in wanted]
        described = [
            task for chunk in chunks(wanted + stopped, 100) for task in self.ask("describe_tasks", cluster=service["clusterArn"], tasks=chunk)["tasks"]
        ]
        ours = {task["taskArn"]: task for task in described if self.is_ours(task)}
        self.stopped.update({arn: ours[arn] | {"unhealthy": self.was_ill.get(arn) or self.unhealthy(service)} for arn in stopped if arn in ours})
        self.tasks = [ours[arn] for arn in wanted if arn in ours]
        for task in self.running():
            self.ran_since.setdefault(task["taskArn"], now)
        self.look_at_health(service)

    def listed(self, service: dict[str, Any], desired_status: str) -> list[str]:
        arns: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.ask("list_tasks", cluster=service["clusterArn"], serviceName=service["serviceName"], desiredStatus=desired_status, **token)
            arns += page["taskArns"]
            if not page.get("nextToken"):
                return arns
            token = {"nextToken": page["nextToken"]}

    def look_at_health(self, service: dict[str, Any]) -> None:
        running = self.running()
        self.ill = {task["taskArn"]: "its container's health check fails" for task in running if task.get("healthStatus") == "UNHEALTHY"}
        self.well = {task["taskArn"] for task in running} - self.ill.keys()
        self.draining = 0
        for balancer in service.get("loadBalancers", []):
            if "targetGroupArn" not in balancer:
                continue
            described = self.ask("describe_target_health", client=self.load_balancing(), TargetGroupArn=balancer["targetGroupArn"])["TargetHealthDescriptions"]
            self.draining = max(self.draining, sum(target["TargetHealth"]["State"] == "draining" for target in described))
            targets = {target["Target"]["Id"]: target["TargetHealth"] for target in described if target["Target"].get("Port") == balancer["containerPort"]}
            for task in running:
                health = next((targets[address] for address in sorted(addresses(task)) if address in targets), {"State": "unused"})
                if health["State"] != "healthy":
                    self.well.discard(task["taskArn"])
                if health["State"] == "unhealthy":
                    self.ill[task["taskArn"]] = health.get("Description") or health.get("Reason") or "its target is unhealthy"
        self.was_ill.update(self.ill)
        self.was_well = self.was_well or bool(self.well)

    def is_ours(self, task: dict[str, Any]) -> bool:
        """A service's tasks of one revision are its newest deployment's when they are not older than that."""
        return task["taskDefinitionArn"] == self.followed["taskDefinition"] and task["createdAt"] >= self.followed["createdAt"]

    def running(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks if task["lastStatus"] == "RUNNING"]

    def failures(self) -> list[dict[str, Any]]:
        """The tasks of this deployment that failed, newest first."""
        ours = [task for task in self.stopped.values() if task["lastStatus"] == "STOPPED" and failed(task)]
        return sorted(ours, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)

    # What is to be thought of it

    def judge(self, service: dict[str, Any], now: float) -> Outcome | None:
        """The end of the deployment, where it is a bad one."""
        ours = deployment(service, self.deployment_id)
        serving = primary(service)
        causes = by_cause(self.failures())
        count, most = causes[0] if causes else (0, "")
        why = f"{count} of its tasks stopped{meaning(most)}: {most}" if count else (ours or {}).get("rolloutStateReason") or "ECS gives no reason"
        if serving["id"] != self.deployment_id:
            if (ours or {}).get("rolloutState") == "FAILED" or serving["taskDefinition"] == self.previous:
                return Outcome(ROLLED_BACK, f"ECS rolled it back: {why}")
            return Outcome(SUPERSEDED, f"another deployment ({serving['id']}, {serving['taskDefinition'].split('/')[-1]}) took its place")
        if serving.get("rolloutState") == "FAILED" or count >= self.limit:
            return Outcome(FAILED, why)
        return self.never_healthy(service, now)

    def never_healthy(self, service: dict[str, Any], now: float) -> Outcome | None:
        """Every task of the deployment is unhealthy, was never anything else, and has no grace left: what ECS replaces it by is the same."""
        grace = service.get("healthCheckGracePeriodSeconds") or 0
        running = {task["taskArn"] for task in self.running()}
        if self.was_well or len(running) < min(self.limit, service["desiredCount"]) or running - self.ill.keys():
            return None
        if any(now - self.ran_since[arn] < grace + UNHEALTHY_SECONDS for arn in running):
            return None
        most, _count = Counter(self.ill.values()).most_common(1)[0]
        return Outcome(FAILED, f"all {len(running)} of its tasks that run are unhealthy, and the grace period of {grace} s is over: {most}")

    def steady_tasks(self, service: dict[str, Any]) -> set[str] | None:
        """The running tasks, where they are all that are wanted, all of this deployment and all healthy."""
        running = {task["taskArn"] for task in self.running()}
        return running if settled(service) and len(running) == service["desiredCount"] and running <= self.well else None

    # What a person is told

    def tell(self, service: dict[str, Any], now: float, steady: str) -> None:
        """One line, when there is something new, and every few seconds."""
        counts = self.counts(service)
        event = self.new_event(service)
        if counts == self.said[0] and not event and now - self.said[1] < SAY_SECONDS:
            return
        self.said = (counts, now)
        self.say(f"{now - self.began:.0f} s: " + ", ".join(filter(None, (counts, steady))) + (f"; {event}" if event else ""))

    def counts(self, service: dict[str, Any]) -> str:
        wanted, running = service["desiredCount"], self.running()
        said = [f"{len(running)} of {wanted} tasks run", f"{len(self.tasks) - len(running)} pending", f"{len(self.failures())} failed"]
        if service.get("loadBalancers"):
            said.append(f"{len(self.well)} of {wanted} are healthy targets")
        if self.ill:
            said.append(f"{len(self.ill)} unhealthy ({Counter(self.ill.values()).most_common(1)[0][0]})")
        if old := sum(each.get("runningCount", 0) for each in service["deployments"] if each["id"] != self.deployment_id):
            said.append(f"{old} old")
        if self.draining:
            said.append(f"{self.draining} draining")
        return ", ".join(said)

    def trouble(self, service: dict[str, Any]) -> str:
        """Why tasks cannot even be started, which only an event tells."""
        return next((f"; {words_of(event)}" for event in self.events(service) if UNABLE.search(event["message"])), "")

    def unhealthy(self, service: dict[str, Any]) -> str:
        found = (UNHEALTHY_TARGET.search(event["message"]) for event in self.events(service))
        return next((match[1] for match in found if match), "")

    def events(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        """What happened since the deployment began, the newest first."""
        return [event for event in service.get("events", []) if event["createdAt"] >= self.followed["createdAt"]]

    def new_event(self, service: dict[str, Any]) -> str:
        """The newest event of the service since the deployment began that was not said yet."""
        events = self.events(service)[:20]
        new = [words_of(event) for event in events if f"{event['createdAt']} {event['message']}" not in self.said_events]
        self.said_events.update(f"{event['createdAt']} {event['message']}" for event in events)
        return new[0] if new else ""

    def report(self, log_tail: Callable[[dict[str, Any]], list[str]]) -> list[str]:
        """What a person wants to see of a deployment that ended badly."""
        lines = []
        failures = self.failures()
        if failures:
            lines.append("Stopped tasks:")
            lines += [f"  {count} x {why}" for count, why in by_cause(failures)]
        ill = [task for task in self.running() if task["taskArn"] in self.ill]
        if ill:
            lines.append("Unhealthy tasks:")
            lines += [f"  {count} x {why}" for why, count in Counter(self.ill[task["taskArn"]] for task in ill).most_common()]
        ran = [task for task in failures + ill or self.running() if task.get("stopCode") != "TaskFailedToStart"]
        lines += log_tail(ran[0]) if ran else []
        events = self.events(self.service or {})[:EVENTS]
        if events:
            lines.append("Events of the service, newest first:")
            lines += [f"  {event['createdAt']:%H:%M:%S} {words_of(event)}" for event in events]
        return lines
