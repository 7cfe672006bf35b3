#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: ecs_service
version_added: 0.1.0
short_description: Manage an ECS service on Fargate, its task definition and its rollout
description:
  - Compares the wanted task definition with the one that the service runs, registers a revision only where they differ, updates the service only where
    something differs, and follows the deployment that this started, by its ID, to its end.
  - Success is one thing only, the deployment completed with all its tasks running and healthy in their target groups. A deployment that failed, was rolled
    back, was superseded or took too long ends the task as failed, with the reasons for which tasks stopped, and the revision that was serving before is put
    back. A failed first release goes to zero tasks.
  - M(community.aws.ecs_service) fails in check mode where the cluster is not there yet, does not wait for a deployment, and compares a task definition by its
    name, not by what is in it.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  name:
    description: Name of the service, and of its task definitions' family.
    type: str
    required: true
  task_definition:
    description:
      - What C(RegisterTaskDefinition) takes, with AWS's own keys (C(containerDefinitions), C(cpu), C(executionRoleArn)), less C(family).
      - What AWS adds by default is no difference, nor is the order of variables, secrets and ports.
      - Required with O(state=present).
    type: dict
  keep_images:
    description: Whether containers keep the image that they run now, if the service is there. For whoever provisions but does not deploy.
    type: bool
    default: false
  desired_count:
    description:
      - How many tasks a service gets that is new or has none. A service that has tasks keeps its count, which autoscaling or a person may have moved.
      - The first release starts with one task; the others follow when it is healthy, so that its migrations run once.
    type: int
    default: 0
  subnets:
    description: IDs of the subnets of the tasks. Required with O(state=present).
    type: list
    elements: str
  security_groups:
    description: IDs of the security groups of the tasks. Required with O(state=present).
    type: list
    elements: str
  assign_public_ip:
    description: Whether tasks have a public address, which they need in a public subnet to reach ECR.
    type: bool
    default: false
  load_balancers:
    description: The target groups that the tasks are registered in.
    type: list
    elements: dict
    default: []
    suboptions:
      target_group_arn:
        description: ARN of the target group, of target type C(ip).
        type: str
        required: true
      container_name:
        description: Name of the container that answers.
        type: str
        required: true
      container_port:
        description: The port on which it answers.
        type: int
        required: true
  capacity_provider_strategy:
    description: How tasks are spread over capacity providers.
    type: list
    elements: dict
    default: [{capacity_provider: FARGATE, weight: 1, base: 0}]
    suboptions:
      capacity_provider:
        description: Name of the capacity provider.
        type: str
        choices: [FARGATE, FARGATE_SPOT]
        required: true
      weight:
        description: Share of the tasks beyond the bases.
        type: int
        default: 1
      base:
        description: How many tasks it gets first.
        type: int
        default: 0
  health_check_grace_period_seconds:
    description: For how many seconds after a task's start the load balancer's health checks do not stop it. Only with O(load_balancers).
    type: int
    default: 60
  minimum_healthy_percent:
    description: How many of the desired tasks stay healthy during a deployment, in percent.
    type: int
    default: 100
  maximum_percent:
    description: How many tasks there may be during a deployment, in percent of the desired ones.
    type: int
    default: 200
  circuit_breaker:
    description: Whether ECS itself gives up a deployment whose tasks do not start, and goes back to the last completed one.
    type: bool
    default: true
  enable_execute_command:
    description: Whether C(aws ecs execute-command) can reach the containers.
    type: bool
    default: false
  wait:
    description: Whether a deployment that this task started is followed to its end. Nothing is waited for where the service should have no task.
    type: bool
    default: true
  wait_timeout_seconds:
    description: After how many seconds a deployment that is still under way counts as failed; as long again may pass until the old revision is back.
    type: int
    default: 900
  failures_before_giving_up:
    description: After how many failed tasks the deployment is given up, before the circuit breaker would.
    type: int
    default: 3
  state:
    description: Whether the service is there. With V(absent) its tasks are stopped and the revisions of its task definition deregistered.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Predicts the change and changes nothing.
    support: full
  diff_mode:
    description: Shows the service and the task definition before and after. Secrets are in it as ARNs only.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The release runs, or the one before still does and this task failed
  pulsegrid.aws.ecs_service:
    cluster: pulsegrid-production
    name: pulsegrid-production
    task_definition:
      cpu: "256"
      memory: "512"
      networkMode: awsvpc
      requiresCompatibilities: [FARGATE]
      executionRoleArn: arn:aws:iam::123456789012:role/pulsegrid-production-execution
      containerDefinitions:
        - name: app
          image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-production@sha256:7d0b...
          portMappings: [{containerPort: 8080}]
    desired_count: 2
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
    load_balancers:
      - target_group_arn: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pulsegrid-production/0123456789abcdef
        container_name: app
        container_port: 8080
"""

RETURN = r"""
service:
  description: The service as ECS describes it, with snake_case keys; empty when it is absent.
  returned: success
  type: dict
  sample: {service_name: pulsegrid-production, status: ACTIVE, desired_count: 2, running_count: 2}
task_definition_arn:
  description: The revision that the service runs.
  returned: when the service is there
  type: str
  sample: arn:aws:ecs:us-east-1:123456789012:task-definition/pulsegrid-production:7
image:
  description: The image of the task definition's first container.
  returned: when the service is there
  type: str
  sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-production@sha256:7d0b...
deployment_id:
  description: The deployment that this task started.
  returned: when it started one
  type: str
  sample: ecs-svc/1234567890123456789
stopped_tasks:
  description: The failed tasks of the deployment, the newest first.
  returned: when a deployment failed
  type: list
  elements: dict
  sample: [{task: 0f1e2d, reason: Essential container in task exited, containers: {app: exit code 2}}]
serving:
  description: What the service runs after a failed deployment.
  returned: when a deployment failed
  type: dict
  sample: {task_definition: pulsegrid-production:6, running: 2}
"""

import copy
import time
from collections import Counter
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource, differs

# What DescribeTaskDefinition answers besides what was registered.
ANSWERED = {
    "compatibilities", "deregisteredAt", "family", "registeredAt", "registeredBy", "requiresAttributes", "revision", "status", "taskDefinitionArn",
    "deleteRequestedAt",
}  # fmt: skip
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def without_defaults(value: Any) -> Any:
    """A task definition without what means the same as leaving it out: empty, false, zero."""
    if isinstance(value, dict):
        return {key: kept for key, each in value.items() if (kept := without_defaults(each)) not in (None, False, 0, "", [], {})}
    if isinstance(value, list):
        return [without_defaults(each) for each in value]
    return value


def normalized_container(container: dict[str, Any]) -> dict[str, Any]:
    normal = without_defaults(container)
    if container.get("essential", True) is False:
        normal["essential"] = False
    else:
        normal.pop("essential", None)
    for key in ("environment", "secrets"):
        if key in normal:
            normal[key] = sorted(normal[key], key=lambda variable: variable["name"])
    if "portMappings" in normal:
        ports = [{"hostPort": port["containerPort"], "protocol": "tcp", **port} for port in normal["portMappings"]]
        normal["portMappings"] = sorted(ports, key=lambda port: (port["containerPort"], port["protocol"]))
    if "healthCheck" in normal:
        normal["healthCheck"] = {**HEALTH_CHECK_DEFAULTS, **normal["healthCheck"]}
    return normal


def normalized(definition: dict[str, Any]) -> dict[str, Any]:
    """A task definition in the one form in which two that mean the same are equal."""
    asked = {key: value for key, value in definition.items() if key not in ANSWERED and key != "containerDefinitions"}
    normal = without_defaults(asked)
    for key in ("cpu", "memory"):
        if key in normal:
            normal[key] = str(normal[key])
    normal["containerDefinitions"] = sorted(map(normalized_container, definition["containerDefinitions"]), key=lambda container: container["name"])
    return normal


def revision(arn: str) -> str:
    return arn.rpartition("/")[2]


class Rollout(Exception):
    """A deployment that did not end well; why, and whether somebody else's deployment is the reason."""

    def __init__(self, why: str, superseded: bool = False) -> None:
        super().__init__(why)
        self.superseded = superseded


class Service(Resource):
    service = "ecs"
    kind = "ECS service"
    result = "service"
    not_found = ("ClusterNotFoundException", "ServiceNotFoundException")
    keep_case_of = ("Tags",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.cluster = self.params["cluster"]
        self.deployment_id: str | None = None
        self.failed_tasks: dict[str, dict[str, Any]] = {}

    # The service as it is

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_services", cluster=self.cluster, services=[self.name], include=["TAGS"])
        service = next((service for service in (found or {}).get("services", []) if service["status"] == "ACTIVE"), None)
        if service is None:
            return None
        return {**service, "Tags": {tag["key"]: tag["value"] for tag in service.pop("tags", [])}}

    def definition(self, arn: str) -> dict[str, Any]:
        return self.call("describe_task_definition", taskDefinition=arn)["taskDefinition"]

    def revisions(self) -> list[str]:
        """All active revisions of the family, and of no other whose name begins alike."""
        arns, more = [], {}
        while True:
            page = self.call("list_task_definitions", familyPrefix=self.name, status="ACTIVE", **more)
            arns += [arn for arn in page["taskDefinitionArns"] if revision(arn).rpartition(":")[0] == self.name]
            if not page.get("nextToken"):
                return arns
            more = {"nextToken": page["nextToken"]}

    # As it should be

    def wanted_definition(self, running: dict[str, Any] | None) -> dict[str, Any]:
        wanted = copy.deepcopy(self.params["task_definition"])
        for container in wanted["containerDefinitions"]:
            for variable in container.get("environment", []):
                variable["value"] = str(variable["value"])
        if running and self.params["keep_images"]:
            images = {container["name"]: container["image"] for container in running["containerDefinitions"]}
            for container in wanted["containerDefinitions"]:
                container["image"] = images.get(container["name"], container["image"])
        return wanted

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        wanted = {
            "capacityProviderStrategy": [
                {"capacityProvider": item["capacity_provider"], "weight": item["weight"], "base": item["base"]}
                for item in self.params["capacity_provider_strategy"]
            ],
            "deploymentConfiguration": {
                "maximumPercent": self.params["maximum_percent"],
                "minimumHealthyPercent": self.params["minimum_healthy_percent"],
                "deploymentCircuitBreaker": {"enable": self.params["circuit_breaker"], "rollback": self.params["circuit_breaker"]},
            },
            "enableExecuteCommand": self.params["enable_execute_command"],
            "loadBalancers": [
                {"targetGroupArn": item["target_group_arn"], "containerName": item["container_name"], "containerPort": item["container_port"]}
                for item in self.params["load_balancers"]
            ],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": sorted(self.params["subnets"]),
                    "securityGroups": sorted(self.params["security_groups"]),
                    "assignPublicIp": "ENABLED" if self.params["assign_public_ip"] else "DISABLED",
                }
            },
            "propagateTags": "SERVICE",
        }
        if self.params["load_balancers"]:
            wanted["healthCheckGracePeriodSeconds"] = self.params["health_check_grace_period_seconds"]
        return wanted

    @staticmethod
    def comparable(service: dict[str, Any]) -> dict[str, Any]:
        """The service with its subnets and groups in order, which AWS answers in any, and the defaults that it may leave out."""
        network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
        network = {**network, "subnets": sorted(network.get("subnets", [])), "securityGroups": sorted(network.get("securityGroups", []))}
        strategy = [{"weight": 0, "base": 0, **item} for item in service.get("capacityProviderStrategy", [])]
        return {
            "enableExecuteCommand": False,
            **service,
            "capacityProviderStrategy": strategy,
            "networkConfiguration": {"awsvpcConfiguration": network},
        }

    # Changing it

    def run(self) -> None:
        if self.params["state"] == "absent":
            self.remove()
            return
        current = self.describe()
        running = self.definition(current["taskDefinition"]) if current else None
        definition = self.wanted_definition(running)
        wanted = self.wanted(current)
        count = current["desiredCount"] if current and current["desiredCount"] else self.params["desired_count"]
        new_revision = running is None or normalized(running) != normalized(definition)
        changes = {key: value for key, value in wanted.items() if current is None or differs(self.comparable(current).get(key), value)}
        if current and count != current["desiredCount"]:
            changes["desiredCount"] = count
        tags = self.wanted_tags(current)
        tagged = self.tag_changes(current or {}, {"Tags": tags})
        changed = current is None or new_revision or bool(changes) or any(tagged)
        before = {**self.shown(current, running), **({"tags": current["Tags"]} if current else {})}
        after = {**self.shown(current, running), **changes, "taskDefinition": normalized(definition), **({} if tags is None else {"tags": tags})}
        if changed and not self.module.check_mode:
            arn = self.register(definition, tags) if new_revision else current["taskDefinition"]
            if current is None:
                self.create_service(arn, wanted, tags)
                self.roll_out(None, arn, {}, count)
            else:
                if any(tagged):
                    self.tag(current["serviceArn"], *tagged)
                if new_revision or changes:
                    self.roll_out(current, arn, changes, count)
            current = self.describe() or {}
        elif changed:
            current = {**(current or {}), "taskDefinition": current["taskDefinition"] if current else "known-after-apply"}
        self.module.exit_json(
            changed=changed,
            diff={"before": before, "after": after} if changed else {},
            task_definition_arn=current["taskDefinition"],
            image=definition["containerDefinitions"][0]["image"],
            **({"deployment_id": self.deployment_id} if self.deployment_id else {}),
            **self.snake(current),
        )

    def shown(self, service: dict[str, Any] | None, running: dict[str, Any] | None) -> dict[str, Any]:
        if service is None:
            return {}
        kept = {key: value for key, value in self.comparable(service).items() if key in self.wanted(service)}
        return {**kept, "desiredCount": service["desiredCount"], "taskDefinition": normalized(running)}

    def snake(self, service: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in service.items() if key not in {"deployments", "events"}}
        return {self.result: camel_dict_to_snake_dict(kept, ignore_list=["Tags"])}

    def register(self, definition: dict[str, Any], tags: dict[str, str] | None) -> str:
        more = {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}
        answer = self.call("register_task_definition", "register a revision of its task definition", **{**definition, "family": self.name}, **more)
        return answer["taskDefinition"]["taskDefinitionArn"]

    def create_service(self, arn: str, wanted: dict[str, Any], tags: dict[str, str] | None) -> None:
        more = {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}
        self.call("create_service", cluster=self.cluster, serviceName=self.name, taskDefinition=arn, desiredCount=0, **wanted, **more)

    def tag(self, arn: str, to_set: dict[str, str], to_remove: list[str]) -> None:
        if to_set:
            self.call("tag_resource", resourceArn=arn, tags=[{"key": key, "value": value} for key, value in to_set.items()])
        if to_remove:
            self.call("untag_resource", resourceArn=arn, tagKeys=to_remove)

    def update_service(self, arn: str, **changes: Any) -> str:
        """Update the service and answer the ID of the deployment that is then the primary one."""
        # AWS wants a new deployment to be forced where the strategy changes
        force = {"forceNewDeployment": True} if "capacityProviderStrategy" in changes else {}
        service = self.call("update_service", cluster=self.cluster, service=self.name, taskDefinition=arn, **changes, **force)["service"]
        return self.primary(service)["id"]

    # A rollout

    def roll_out(self, before: dict[str, Any] | None, arn: str, changes: dict[str, Any], count: int) -> None:
        first = not before or before["desiredCount"] == 0
        start = min(count, 1) if first and self.params["wait"] else count
        self.deployment_id = self.update_service(arn, **{**changes, "desiredCount": start} if "desiredCount" in changes or not before else changes)
        if not self.params["wait"] or count == 0:
            return
        try:
            self.follow(self.deployment_id, start, self.params["wait_timeout_seconds"])
            if start != count:
                self.update_service(arn, desiredCount=count)
                self.follow(self.deployment_id, count, self.params["wait_timeout_seconds"])
        except Rollout as failure:
            self.give_up(failure, None if first else before["taskDefinition"])

    @staticmethod
    def primary(service: dict[str, Any]) -> dict[str, Any]:
        return next(deployment for deployment in service["deployments"] if deployment["status"] == "PRIMARY")

    def follow(self, deployment_id: str, count: int, seconds: int) -> None:
        """Return when the deployment has completed with all targets healthy, seen twice; raise Rollout in every other case."""
        end = time.monotonic() + seconds
        interval, seen = 1.0, 0
        while seen < 2:
            service = self.described()
            self.raise_if_it_failed(service, deployment_id)
            seen = seen + 1 if self.completed(service, deployment_id, count) else 0
            if time.monotonic() >= end:
                raise Rollout(f"it was still under way after {seconds} s: {self.progress(service, deployment_id)}")
            time.sleep(interval)
            interval = min(interval * 1.3, 5)

    def described(self) -> dict[str, Any]:
        service = self.describe()
        if service is None:
            raise Rollout("somebody removed the service", superseded=True)
        return service

    def raise_if_it_failed(self, service: dict[str, Any], deployment_id: str) -> None:
        mine = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), {})
        primary = self.primary(service)
        self.remember_failed_tasks(deployment_id)
        if mine.get("rolloutState") == "FAILED":
            raise Rollout(f"ECS gave it up: {mine.get('rolloutStateReason', 'no reason given')}")
        if primary["id"] != deployment_id:
            why = primary.get("rolloutStateReason", "")
            if "rolling back" in why or "rolled back" in why:
                raise Rollout(f"ECS rolled it back: {why}")
            raise Rollout(f"deployment {primary['id']} ({revision(primary['taskDefinition'])}) took its place", superseded=True)
        if len(self.failed_tasks) >= self.params["failures_before_giving_up"]:
            raise Rollout(f"{len(self.failed_tasks)} of its tasks failed")

    def completed(self, service: dict[str, Any], deployment_id: str, count: int) -> bool:
        mine = self.primary(service)
        if mine.get("rolloutState", "COMPLETED") != "COMPLETED" or mine["pendingCount"] or mine["runningCount"] != count or service["runningCount"] != count:
            return False
        return self.unhealthy_targets(service, deployment_id) == {}

    def progress(self, service: dict[str, Any], deployment_id: str) -> str:
        mine = self.primary(service)
        unhealthy = self.unhealthy_targets(service, deployment_id)
        targets = f", targets not healthy: {unhealthy}" if unhealthy else ""
        return f"{mine['runningCount']} of {mine['desiredCount']} tasks running, {mine['pendingCount']} pending, {len(self.failed_tasks)} failed{targets}"

    def tasks(self, status: str, deployment_id: str) -> list[dict[str, Any]]:
        """The deployment's tasks; AWS keeps stopped ones for about an hour."""
        arns = self.call("list_tasks", cluster=self.cluster, serviceName=self.name, desiredStatus=status, maxResults=100)["taskArns"]
        described = self.call("describe_tasks", cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [task for task in described if task.get("startedBy") == deployment_id]

    def unhealthy_targets(self, service: dict[str, Any], deployment_id: str) -> dict[str, str]:
        """The deployment's task addresses that are not healthy in a target group, with the reason."""
        if not service["loadBalancers"]:
            return {}
        addresses = {
            detail["value"]
            for task in self.tasks("RUNNING", deployment_id)
            for attachment in task.get("attachments", [])
            for detail in attachment.get("details", [])
            if detail["name"] == "privateIPv4Address"
        }
        unhealthy = {}
        client = self.client_for("elbv2")
        for balancer in service["loadBalancers"]:
            health = self.call("describe_target_health", client=client, TargetGroupArn=balancer["targetGroupArn"])["TargetHealthDescriptions"]
            states = {target["Target"]["Id"]: target["TargetHealth"] for target in health}
            for address in addresses:
                state = states.get(address, {"State": "not registered"})
                if state["State"] != "healthy":
                    unhealthy[address] = " ".join(filter(None, (state["State"], state.get("Description"))))
        return unhealthy

    # A failed rollout

    def remember_failed_tasks(self, deployment_id: str) -> None:
        for task in self.tasks("STOPPED", deployment_id):
            reason = task.get("stoppedReason", "")
            if task.get("stopCode") in {"EssentialContainerExited", "TaskFailedToStart"} or "failed" in reason.lower():
                self.failed_tasks[task["taskArn"]] = task

    @staticmethod
    def container_ends(task: dict[str, Any]) -> dict[str, str]:
        return {
            container["name"]: ", ".join(
                filter(None, (f"exit code {container['exitCode']}" if container.get("exitCode") is not None else "", container.get("reason")))
            )
            or container.get("lastStatus", "")
            for container in task.get("containers", [])
        }

    def last_log_lines(self, task: dict[str, Any]) -> list[str]:
        """Of the task's containers that log to CloudWatch Logs. Not having them hides no failure."""
        lines: list[str] = []
        logs = self.client_for("logs")
        for container in self.definition(task["taskDefinitionArn"])["containerDefinitions"]:
            options = container.get("logConfiguration", {}).get("options", {})
            if "awslogs-stream-prefix" not in options:
                continue
            stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{revision(task['taskArn'])}"
            try:
                events = logs.get_log_events(logGroupName=options["awslogs-group"], logStreamName=stream, limit=15, aws_retry=True)["events"]
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                lines.append(f"{stream}: {error}")
            else:
                lines += [event["message"].rstrip() for event in events]
        return lines

    def give_up(self, failure: Rollout, previous: str | None) -> None:
        """Put back what was serving, say what happened, and fail."""
        newest_first = sorted(self.failed_tasks.values(), key=lambda task: str(task.get("stoppedAt", "")), reverse=True)
        ends = [{"task": revision(task["taskArn"]), "reason": task.get("stoppedReason", ""), "containers": self.container_ends(task)} for task in newest_first]
        lines = [f"ECS service {self.name}: deployment {self.deployment_id} failed: {failure}."]
        grouped = Counter(f"{end['reason']} ({'; '.join(f'{name}: {how}' for name, how in end['containers'].items())})" for end in ends)
        lines += [f"Stopped: {times} x {what}" for what, times in grouped.most_common()]
        if newest_first:
            lines += [f"Log: {line}" for line in self.last_log_lines(newest_first[0])]
        service = self.describe()
        lines += [f"Event: {event['message']}" for event in (service or {}).get("events", [])[:3]]
        if not failure.superseded:
            lines.append(self.put_back(previous))
        service = self.describe() or {}
        serving = {"task_definition": revision(service.get("taskDefinition", "")), "running": service.get("runningCount", 0)}
        lines.append(f"Serving now: {serving['running']} tasks of {serving['task_definition']}.")
        self.module.fail_json(msg="\n".join(lines), deployment_id=self.deployment_id, stopped_tasks=ends, serving=serving)

    def put_back(self, previous: str | None) -> str:
        service = self.describe()
        if service is None:
            return "The service is gone."
        if previous is None:
            self.update_service(service["taskDefinition"], desiredCount=0)
            return "It was the first release: the service goes to zero tasks."
        primary = self.primary(service)
        deployment_id = self.update_service(previous) if primary["taskDefinition"] != previous else primary["id"]
        self.failed_tasks = {}
        try:
            self.follow(deployment_id, service["desiredCount"], self.params["wait_timeout_seconds"])
        except Rollout as failure:
            return f"Going back to {revision(previous)} failed too: {failure}."
        return f"{revision(previous)} was put back."

    # Removal

    def remove(self) -> None:
        current = self.describe()
        revisions = self.revisions()
        if not self.module.check_mode:
            if current:
                self.call("delete_service", cluster=self.cluster, service=self.name, force=True)
                self.wait_until(self.is_inactive, "drained", self.params["wait_timeout_seconds"], interval=2)
            for arn in revisions:
                self.call("deregister_task_definition", taskDefinition=arn)
            for start in range(0, len(revisions), 10):  # as many as AWS takes at once
                self.call("delete_task_definitions", taskDefinitions=revisions[start : start + 10])
        self.exit(bool(current or revisions), current, None, None)

    def is_inactive(self) -> bool:
        found = self.find("describe_services", cluster=self.cluster, services=[self.name])
        tasks = self.find("list_tasks", cluster=self.cluster, serviceName=self.name)
        return all(service["status"] == "INACTIVE" for service in (found or {}).get("services", [])) and not (tasks or {}).get("taskArns")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"required": True},
            "name": {"required": True},
            "task_definition": {"type": "dict"},
            "keep_images": {"type": "bool", "default": False},
            "desired_count": {"type": "int", "default": 0},
            "subnets": {"type": "list", "elements": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "assign_public_ip": {"type": "bool", "default": False},
            "load_balancers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "target_group_arn": {"required": True},
                    "container_name": {"required": True},
                    "container_port": {"type": "int", "required": True},
                },
            },
            "capacity_provider_strategy": {
                "type": "list",
                "elements": "dict",
                "default": [{"capacity_provider": "FARGATE", "weight": 1, "base": 0}],
                "options": {
                    "capacity_provider": {"choices": ["FARGATE", "FARGATE_SPOT"], "required": True},
                    "weight": {"type": "int", "default": 1},
                    "base": {"type": "int", "default": 0},
                },
            },
            "health_check_grace_period_seconds": {"type": "int", "default": 60},
            "minimum_healthy_percent": {"type": "int", "default": 100},
            "maximum_percent": {"type": "int", "default": 200},
            "circuit_breaker": {"type": "bool", "default": True},
            "enable_execute_command": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 900},
            "failures_before_giving_up": {"type": "int", "default": 3},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ("task_definition", "subnets", "security_groups"))],
        supports_check_mode=True,
    )
    Service(module).run()


if __name__ == "__main__":
    main()
