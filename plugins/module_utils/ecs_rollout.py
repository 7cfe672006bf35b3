# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Follow one deployment of an ECS service, by its id, to its end, and say what happened."""

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
# A deployment counts as completed when the same tasks have run for so long: a container that fails at its start has failed by then,
# also where ECS calls a deployment completed as soon as its tasks run.
STEADY_SECONDS = 3
# For so long AWS may describe a service as it was before it was updated.
UNSEEN_SECONDS = 30
LOG_LINES = 20
EVENTS = 5

# Why a task stopped that was not the release's fault: the service was scaled or deployed, a person stopped it, AWS took the Spot capacity back.
FAILURE_CODES = ("EssentialContainerExited", "TaskFailedToStart")
UNHEALTHY = re.compile(r"failed (elb|container) health checks", re.IGNORECASE)


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
    reason = (task.get("stoppedReason") or task.get("stopCode") or "no reason given").strip()
    ends = []
    for container in task.get("containers", []):
        said = [f"exit code {container['exitCode']}"] if container.get("exitCode") is not None else []
        if container.get("reason") and container["reason"] not in reason:
            said.append(container["reason"])
        if said:
            ends.append(f"container {container['name']}: {', '.join(said)}")
    return f"{reason} ({'; '.join(ends)})" if ends else reason


def cause(task: dict[str, Any]) -> str:
    """why_stopped without what differs from task to task: ids, addresses, times."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{20,}|\b[0-9a-f]{12,}\b|\b\d+\.\d+\.\d+\.\d+(:\d+)?|\d{4}-\d\d-\d\dT\S+|:\d+->\S+", "…", why_stopped(task))


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


class Rollout:
    """One deployment of one service.

    ask: calls an operation, ask(operation, client=None, **arguments), and ends the module when AWS answers with an error.
    describe: the service as it is now; None where there is none.
    followed: the deployment, as ECS described it when it began.
    previous: the revision that served before; None where that is not known.
    """

    def __init__(
        self,
        ask: Callable[..., dict[str, Any]],
        describe: Callable[[], dict[str, Any] | None],
        load_balancing: Callable[[], Any],
        followed: dict[str, Any],
        previous: str | None,
        failures_before_giving_up: int,
    ) -> None:
        self.ask = ask
        self.describe = describe
        self.load_balancing = load_balancing
        self.followed = followed
        self.deployment_id = followed["id"]
        self.previous = previous
        self.limit = failures_before_giving_up
        self.stopped: dict[str, dict[str, Any]] = {}

    def follow(self, seconds: float) -> Outcome:
        began = time.monotonic()
        interval = FIRST_INTERVAL
        steady: set[str] | None = None
        since, seen = began, False
        while True:
            now = time.monotonic()
            service = self.describe()
            if service is None:
                return Outcome(SUPERSEDED, "the service was removed meanwhile")
            if service["desiredCount"] == 0:
                return Outcome(SUPERSEDED, "the service was scaled to no task meanwhile")
            if deployment(service, self.deployment_id):
                seen = True
            if seen or now - began > UNSEEN_SECONDS:
                if outcome := self.judge(service):
                    return outcome
                tasks = self.steady_tasks(service)
                if tasks is None or tasks != steady:
                    steady, since = tasks, now
                if tasks and now - since >= STEADY_SECONDS:
                    return Outcome(COMPLETED)
            if now - began >= seconds:
                return Outcome(TIMED_OUT, f"it was not steady after {seconds:.0f} s: {self.pending(service)}")
            time.sleep(interval * random.uniform(0.8, 1.2))
            interval = min(LAST_INTERVAL, interval * INTERVAL_GROWTH)

    def judge(self, service: dict[str, Any]) -> Outcome | None:
        """The end of the deployment, where it is a bad one."""
        ours = deployment(service, self.deployment_id)
        serving = primary(service)
        self.collect_stopped(service)
        causes = Counter(cause(task) for task in self.failures())
        most, count = causes.most_common(1)[0] if causes else ("", 0)
        why = f"{count} of its tasks stopped: {most}" if count else (ours or {}).get("rolloutStateReason") or "ECS gives no reason"
        if serving["id"] != self.deployment_id:
            if (ours or {}).get("rolloutState") == "FAILED" or serving["taskDefinition"] == self.previous:
                return Outcome(ROLLED_BACK, f"ECS rolled it back: {why}")
            return Outcome(SUPERSEDED, f"another deployment ({serving['id']}, {serving['taskDefinition'].split('/')[-1]}) took its place")
        if serving.get("rolloutState") == "FAILED" or count >= self.limit:
            return Outcome(FAILED, why)
        return None

    def steady_tasks(self, service: dict[str, Any]) -> set[str] | None:
        """The running tasks, where they are all that are wanted, all of this deployment and all healthy."""
        if not settled(service):
            return None
        running = [task for task in self.tasks(service, "RUNNING") if task["lastStatus"] == "RUNNING" and self.is_ours(task)]
        if len(running) != service["desiredCount"] or not self.healthy(service, running):
            return None
        return {task["taskArn"] for task in running}

    def is_ours(self, task: dict[str, Any]) -> bool:
        """A service's tasks of one revision are its newest deployment's when they are not older than that."""
        return task["taskDefinitionArn"] == self.followed["taskDefinition"] and task["createdAt"] >= self.followed["createdAt"]

    def tasks(self, service: dict[str, Any], desired_status: str, known: Iterable[str] = ()) -> list[dict[str, Any]]:
        where = {"cluster": service["clusterArn"]}
        arns: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.ask("list_tasks", **where, serviceName=service["serviceName"], desiredStatus=desired_status, **token)
            arns += page["taskArns"]
            if not page.get("nextToken"):
                break
            token = {"nextToken": page["nextToken"]}
        new = [arn for arn in arns if arn not in known]
        return [task for chunk in chunks(new, 100) for task in self.ask("describe_tasks", **where, tasks=chunk)["tasks"]]

    def collect_stopped(self, service: dict[str, Any]) -> None:
        over = {arn for arn, task in self.stopped.items() if task["lastStatus"] == "STOPPED"}
        self.stopped.update({task["taskArn"]: task for task in self.tasks(service, "STOPPED", known=over)})

    def failures(self) -> list[dict[str, Any]]:
        """The tasks of this deployment that failed, newest first."""
        ours = [task for task in self.stopped.values() if self.is_ours(task) and task["lastStatus"] == "STOPPED" and failed(task)]
        return sorted(ours, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)

    def healthy(self, service: dict[str, Any], tasks: list[dict[str, Any]]) -> bool:
        """Whether each task is a healthy target in each of the service's target groups."""
        for balancer in service.get("loadBalancers", []):
            described = self.ask("describe_target_health", client=self.load_balancing(), TargetGroupArn=balancer["targetGroupArn"])
            healthy = {
                target["Target"]["Id"]
                for target in described["TargetHealthDescriptions"]
                if target["TargetHealth"]["State"] == "healthy" and target["Target"].get("Port") == balancer["containerPort"]
            }
            if not all(addresses(task) & healthy for task in tasks):
                return False
        return True

    def pending(self, service: dict[str, Any]) -> str:
        ours = deployment(service, self.deployment_id) or {}
        counts = f"{ours.get('runningCount', 0)} of {service['desiredCount']} tasks run"
        if ours.get("runningCount", 0) == service["desiredCount"] and service.get("loadBalancers"):
            counts += ", not all of them as healthy targets of the load balancer"
        return f"{counts}, {len(self.failures())} failed"

    # What a person is told when it ended badly

    def report(self, since: Any, log_tail: Callable[[dict[str, Any]], list[str]]) -> list[str]:
        lines = []
        failures = self.failures()
        if failures:
            lines.append("Stopped tasks:")
            lines += [f"  {count} x {why}" for why, count in Counter(map(cause, failures)).most_common()]
            lines += log_tail(failures[0])
        service = self.describe()
        events = [event for event in (service or {}).get("events", []) if since is None or event["createdAt"] >= since][:EVENTS]
        if events:
            lines.append("Events of the service, newest first:")
            lines += [f"  {event['createdAt']:%H:%M:%S} {event['message']}" for event in events]
        return lines
