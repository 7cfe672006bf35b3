# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One ECS service, its tasks, load balancer and log, with a clock that only sleeping moves. What a task does is in its image's name:
good, crash, late (crashes after 20 s), oom (takes too much memory), pull (cannot be pulled), secret (has one that is not there), unhealthy (answers the load
balancer's check with 500), gone (is stopped for that before it is seen), port (listens on another), ill (fails its container's check), stuck (never starts)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

ARN = "arn:aws:ecs:eu-central-1:123456789012"
READING = ("describe", "list", "get")
TARGET_GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/1"
POLLING = ("describe_services", "list_tasks", "describe_tasks", "describe_target_health")
LATE_SECONDS = 20
# image: stopped reason, stop code, exit code and the container's own reason
ENDS: dict[str, tuple[str, str, int | None, str]] = {
    "crash": ("Essential container in task exited", "EssentialContainerExited", 3, ""),
    "late": ("Essential container in task exited", "EssentialContainerExited", 4, ""),
    "oom": ("Essential container in task exited", "EssentialContainerExited", 137, "OutOfMemoryError: Container killed due to memory usage"),
    "pull": ("CannotPullContainerError: pull image manifest has been retried 1 time(s), task {task}", "TaskFailedToStart", None, ""),
    "secret": (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: ResourceNotFoundException, request {task}",
        "TaskFailedToStart",
        None,
        "",
    ),
    "gone": (f"Task failed ELB health checks in (target-group {TARGET_GROUP})", "ServiceSchedulerInitiated", 137, ""),
}
# image: what the load balancer finds
TARGETS = {
    "unhealthy": ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"),
    "port": ("Target.Timeout", "Request timed out"),
}
RUNNING = ("good", "late", "unhealthy", "port", "ill")


class FakeEcs:
    """Is the client of ECS, Elastic Load Balancing and CloudWatch Logs at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.revisions: dict[str, dict[str, Any]] = {}
        self.service: dict[str, Any] | None = None
        self.tasks: list[dict[str, Any]] = []
        self.deployed = 0
        self.events: list[Any] = []  # (time, what then happens)
        self.logs: list[str] = ["starting", "fatal: no database"]
        self.secrets: dict[str, str] = {}  # ARN: current version
        self.parameters: dict[str, int] = {}  # name: version
        self.tags: dict[str, dict[str, str]] = {}

    def __getattr__(self, operation: str) -> Any:
        answer = vars(FakeEcs).get(f"_{operation}")
        if answer is None:
            raise AttributeError(operation)

        def call(aws_retry: bool = False, **arguments: Any) -> dict[str, Any]:
            assert aws_retry, f"{operation} is not retried"
            self.calls.append((operation, arguments))
            return copy.deepcopy(answer(self, **arguments))

        return call

    @property
    def mutations(self) -> list[str]:
        return [operation for operation, _arguments in self.calls if not operation.startswith(READING)]

    def arguments(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == operation]

    # Secrets

    def _describe_secret(self, SecretId: str) -> dict[str, Any]:
        if SecretId not in self.secrets:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no such secret"}}, "DescribeSecret")
        return {"ARN": SecretId, "VersionIdsToStages": {"old": ["AWSPREVIOUS"], self.secrets[SecretId]: ["AWSCURRENT"]}}

    def _get_parameters(self, Names: list[str], WithDecryption: bool) -> dict[str, Any]:
        assert not WithDecryption
        assert len(Names) == len(set(Names)) <= 10
        return {"Parameters": [{"Name": name, "Version": self.parameters[name]} for name in Names if name in self.parameters]}

    # The clock

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()
        self.tick()

    def at(self, seconds: float, happens: Any) -> None:
        self.events.append((seconds, happens))

    @property
    def date(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now)

    # What ECS does by itself

    def image(self, arn: str) -> str:
        return self.revisions[arn]["containerDefinitions"][0]["image"].partition(":")[0]

    def primary(self) -> dict[str, Any]:
        return next(each for each in self.service["deployments"] if each["status"] == "PRIMARY")

    def running(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        return [task for task in self.tasks if task["startedBy"] == deployment["id"] and task["lastStatus"] == "RUNNING"]

    def tick(self) -> None:
        if not self.service:
            return
        primary, wanted = self.primary(), self.service["desiredCount"]
        doing = self.image(primary["taskDefinition"])
        for task in [task for task in self.tasks if task["lastStatus"] == "RUNNING" and self.image(task["taskDefinitionArn"]) == "late"]:
            if self.date - task["createdAt"] >= timedelta(seconds=LATE_SECONDS):
                self.end(task, "late")
        if doing in RUNNING:
            while len(self.running(primary)) < wanted:
                self.start(primary, doing)
        elif doing != "stuck" and wanted:
            self.start(primary, doing)
        for task in self.running(primary)[wanted:]:
            self.stop(task, "Scaling activity initiated by deployment", "ServiceSchedulerInitiated")
        failures = [
            task for task in self.tasks if task["startedBy"] == primary["id"] and task.get("stopCode") in ("TaskFailedToStart", "EssentialContainerExited")
        ]
        breaker = self.service["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"]
        if breaker and primary["rolloutState"] == "IN_PROGRESS" and len(failures) >= 3:
            self.roll_back(primary)
        elif len(self.running(primary)) == wanted and not any(task["target"] or "healthStatus" in task for task in self.running(primary)):
            primary["rolloutState"] = "COMPLETED"
            for task in self.tasks:
                if task["startedBy"] != primary["id"] and task["lastStatus"] == "RUNNING":
                    self.stop(task, "Scaling activity initiated by deployment", "ServiceSchedulerInitiated")
            self.service["deployments"] = [primary]
        self.count()

    def count(self) -> None:
        self.service["runningCount"] = sum(task["lastStatus"] == "RUNNING" for task in self.tasks)
        for each in self.service["deployments"]:
            each["runningCount"] = len(self.running(each))

    def start(self, deployment: dict[str, Any], doing: str) -> None:
        number = len(self.tasks) + 1
        task = {
            "taskArn": f"{ARN}:task/shop/{number:032x}",
            "taskDefinitionArn": deployment["taskDefinition"],
            "startedBy": deployment["id"],
            "createdAt": self.date,
            "lastStatus": "RUNNING",
            "attachments": [{"details": [{"name": "privateIPv4Address", "value": f"10.0.0.{number}"}]}],
            "containers": [{"name": "app"}],
            "target": TARGETS.get(doing),
            **({"healthStatus": "UNHEALTHY"} if doing == "ill" else {}),
        }
        self.tasks.append(task)
        if doing not in RUNNING:
            self.end(task, doing)

    def end(self, task: dict[str, Any], doing: str) -> None:
        reason, code, exit_code, why = ENDS.get(doing, ENDS["pull"])
        if doing == "gone":
            found = f"is unhealthy in (target-group {TARGET_GROUP}) due to (reason Health checks failed with these codes: [500])."
            self.service["events"].insert(0, {"createdAt": self.date, "message": f"(service shop) (port 8080) {found}"})
        task["containers"] = [{"name": "app"} | ({"exitCode": exit_code} if exit_code is not None else {}) | ({"reason": why} if why else {})]
        self.stop(task, reason.format(task=task["taskArn"].split("/")[-1]), code)

    def stop(self, task: dict[str, Any], reason: str, code: str) -> None:
        task.update(lastStatus="STOPPED", stoppedReason=reason, stopCode=code, stoppedAt=self.date)

    def roll_back(self, failed: dict[str, Any]) -> None:
        completed = next((each for each in self.service["deployments"] if each["rolloutState"] == "COMPLETED"), None)
        failed.update(rolloutState="FAILED", rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.")
        if completed:
            failed["status"] = "INACTIVE"
            self.deploy(completed["taskDefinition"])

    def deploy(self, arn: str) -> None:
        for each in self.service["deployments"]:
            each["status"] = "ACTIVE" if each["status"] == "PRIMARY" else each["status"]
        self.deployed += 1
        identity = f"ecs-svc/{self.deployed:019d}"
        self.service["deployments"].insert(
            0, {"id": identity, "status": "PRIMARY", "taskDefinition": arn, "rolloutState": "IN_PROGRESS", "runningCount": 0, "createdAt": self.date}
        )
        self.service["taskDefinition"] = arn
        self.service["events"].insert(0, {"createdAt": self.date, "message": f"(service shop) deployment {identity} began"})
        self.count()

    # The API

    def _describe_services(self, **_where: Any) -> dict[str, Any]:
        return {"services": [self.service] if self.service else []}

    def _describe_task_definition(self, taskDefinition: str, include: list[str]) -> dict[str, Any]:
        arn = taskDefinition if taskDefinition.startswith("arn:") else f"{ARN}:task-definition/{taskDefinition}"
        if arn not in self.revisions:
            raise ClientError({"Error": {"Code": "ClientException", "Message": "Unable to describe task definition."}}, "DescribeTaskDefinition")
        return {"taskDefinition": self.revisions[arn], "tags": [{"key": key, "value": value} for key, value in self.tags.get(arn, {}).items()]}

    def _register_task_definition(self, tags: list[dict[str, str]] | None = None, **definition: Any) -> dict[str, Any]:
        number = len(self.revisions) + 1
        arn = f"{ARN}:task-definition/{definition['family']}:{number}"
        self._tag_resource(arn, tags or [])
        # What AWS adds
        containers = [
            {"cpu": 0, "essential": True, "mountPoints": [], "volumesFrom": [], "environment": [], **each} for each in definition["containerDefinitions"]
        ]
        added = {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE", "volumes": [], "compatibilities": ["FARGATE"], "placementConstraints": []}
        self.revisions[arn] = {**definition, **added, "containerDefinitions": containers}
        return {"taskDefinition": self.revisions[arn]}

    def _create_service(self, serviceName: str, taskDefinition: str, desiredCount: int, cluster: str, **properties: Any) -> dict[str, Any]:
        self.service = {
            **properties,
            "serviceName": serviceName,
            "serviceArn": f"{ARN}:service/{cluster}/{serviceName}",
            "clusterArn": f"{ARN}:cluster/{cluster}",
            "status": "ACTIVE",
            "desiredCount": desiredCount,
            "runningCount": 0,
            "pendingCount": 0,
            "deployments": [],
            "events": [],
        }
        self.deploy(taskDefinition)
        return {"service": self.service}

    def _update_service(self, cluster: str, service: str, forceNewDeployment: bool = False, **changes: Any) -> dict[str, Any]:
        if "desiredCount" in changes:
            self.service["desiredCount"] = changes["desiredCount"]
        if forceNewDeployment or changes.get("taskDefinition", self.service["taskDefinition"]) != self.service["taskDefinition"]:
            self.deploy(changes.get("taskDefinition", self.service["taskDefinition"]))
        self.service.update(changes)
        return {"service": self.service}

    def _delete_service(self, cluster: str, service: str, force: bool) -> dict[str, Any]:
        self.service = None
        return {}

    def _list_tasks(self, cluster: str, serviceName: str, desiredStatus: str, nextToken: str = "0") -> dict[str, Any]:
        arns = [task["taskArn"] for task in self.tasks if (task["lastStatus"] == "STOPPED") == (desiredStatus == "STOPPED")]
        begin, end = int(nextToken), int(nextToken) + 2  # small pages
        return {"taskArns": arns[begin:end], **({"nextToken": str(end)} if end < len(arns) else {})}

    def _describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        return {"tasks": [task for task in self.tasks if task["taskArn"] in tasks]}

    def _describe_target_health(self, TargetGroupArn: str) -> dict[str, Any]:
        return {
            "TargetHealthDescriptions": [
                {
                    "Target": {"Id": task["attachments"][0]["details"][0]["value"], "Port": 8080},
                    "TargetHealth": {"State": "unhealthy", "Reason": task["target"][0], "Description": task["target"][1]}
                    if task["target"]
                    else {"State": "healthy"},
                }
                for task in self.tasks
                if task["lastStatus"] == "RUNNING"
            ]
        }

    def _get_log_events(self, **_where: Any) -> dict[str, Any]:
        if not self.logs:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, "GetLogEvents")
        return {"events": [{"message": f"{line}\n"} for line in self.logs]}

    def _list_task_definitions(self, familyPrefix: str, status: str) -> dict[str, Any]:
        return {"taskDefinitionArns": [arn for arn, each in self.revisions.items() if each["status"] == status and familyPrefix in arn]}

    def _deregister_task_definition(self, taskDefinition: str) -> dict[str, Any]:
        assert self.revisions[taskDefinition]["status"] == "ACTIVE"
        self.revisions[taskDefinition]["status"] = "INACTIVE"
        return {}

    def _delete_task_definitions(self, taskDefinitions: list[str]) -> dict[str, Any]:
        assert len(taskDefinitions) <= 10
        for arn in taskDefinitions:
            assert self.revisions[arn]["status"] == "INACTIVE"
            del self.revisions[arn]
        return {"failures": []}

    def _tag_resource(self, resourceArn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        self.tags.setdefault(resourceArn, {}).update({tag["key"]: tag["value"] for tag in tags})
        return {}
