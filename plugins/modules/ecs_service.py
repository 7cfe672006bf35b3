#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service
version_added: 0.1.0
short_description: Manage an ECS service and see its rollouts through
description:
  - A service with its task definition. A revision is registered when the task definition differs from the one that the service runs, where AWS's defaults and
    an order that means nothing are no differences. Then the deployment that this starts is followed, by its id, to its end.
  - A deployment ends well when ECS calls it completed, every task that is wanted is one of its tasks, runs, and is a healthy target of the load balancer,
    and this has been so for some seconds. Everything else is a failure. Tasks that stop again and again for the same reason, a rollback by ECS, another
    deployment that takes its place, too much time. The message says why in its first sentence.
  - After a failure the revision that was serving serves again, brought back by ECS's circuit breaker or else by this module; a first release that
    failed leaves no task. The module fails all the same. A deployment that somebody else started in the meantime is left alone.
  - The number of tasks is set when a service gets its first release, and never again. Whoever changes it, a person or Application Auto Scaling, is right; that
    goes for no task at all too.
  - The first release starts with one task and gets the others when that one is healthy, since it may have a database to set up that
    nobody else must touch meanwhile.
  - M(community.aws.ecs_service) does not wait for a deployment, calls every task definition that is given by its ARN a change, fails in check mode where
    there is no cluster yet, and sets the number of tasks each time.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  task_definition:
    description:
      - The task definition, in the form of ECS's C(RegisterTaskDefinition), with its C(camelCase) keys. C(family) is O(name) by default.
      - A container reads its secrets when it starts. It gets a Docker label that says which versions of them were current, so that a secret with a new value,
        in Secrets Manager or Parameter Store, makes a new revision, and a deployment.
      - A container without C(image) keeps the image that the service runs. Where there is none yet, the service has no task until a release brings one.
      - Without it nothing is changed; the service is only described.
    type: dict
  desired_count:
    description: How many tasks a first release gets.
    type: int
    default: 1
  subnets:
    description: IDs of the subnets in which the tasks run.
    type: list
    elements: str
    default: []
  security_groups:
    description: IDs of the tasks' security groups.
    type: list
    elements: str
    default: []
  assign_public_ip:
    description: Whether the tasks get public addresses.
    type: bool
    default: false
  load_balancers:
    description: The target groups in which the tasks are registered.
    type: list
    elements: dict
    default: []
    suboptions:
      target_group_arn:
        description: ARN of the target group.
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
    description: How the tasks are spread over capacity providers, such as C(FARGATE) and C(FARGATE_SPOT).
    type: list
    elements: dict
    default: [{capacity_provider: FARGATE, weight: 1}]
    suboptions:
      capacity_provider:
        description: Name of the capacity provider.
        type: str
        required: true
      weight:
        description: Its share of the tasks, beyond the base.
        type: int
        default: 0
      base:
        description: How many tasks it gets first.
        type: int
        default: 0
  platform_version:
    description: Version of the Fargate platform. Without it a new service gets C(LATEST), and an existing one keeps its version.
    type: str
  health_check_grace_period_seconds:
    description: For how many seconds after its start a task may fail the load balancer's health check. It has no meaning without a load balancer.
    type: int
    default: 0
  minimum_healthy_percent:
    description: How many tasks stay healthy during a deployment, in percent of the desired ones.
    type: int
    default: 100
  maximum_percent:
    description: How many tasks there are at most during a deployment, in percent of the desired ones.
    type: int
    default: 200
  circuit_breaker:
    description: Whether ECS itself ends a deployment that fails and rolls it back.
    type: bool
    default: true
  alarms:
    description:
      - Names of CloudWatch alarms that end a deployment as failed and roll it back, when one of them goes off while the deployment is under way.
      - The deployment then takes longer, since ECS watches the alarms for a while after the last task has started.
    type: list
    elements: str
    default: []
  enable_execute_command:
    description: Whether C(aws ecs execute-command) gets into the containers.
    type: bool
    default: false
  wait:
    description:
      - Whether the deployment is followed to its end. Without it the module is done as soon as AWS has taken the deployment on, and a first release gets all of
        its tasks at once.
      - A deployment that is under way when nothing is to be changed is followed too.
    type: bool
    default: true
  wait_timeout_seconds:
    description: After how many seconds a deployment that has not ended is a failure.
    type: int
    default: 900
  failures_before_giving_up:
    description: How many tasks of a deployment may stop for the same reason before it is a failure.
    type: int
    default: 3
  state:
    description: Whether the service is there. An absent service's revisions are deregistered and deleted.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Predicts the change and changes nothing; a deployment is not followed.
  diff_mode:
    description: Shows what differs of the service and the task definition. Environment variables are shown, of secrets their ARNs.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes
notes:
  - The tags are the service's; its revisions get them when they are registered and its tasks when they start.
  - The last log lines of a failed task are shown where its container logs to CloudWatch Logs and C(logs:GetLogEvents) is allowed.
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The release serves
  pulsegrid.aws.ecs_service:
    name: shop
    cluster: shop
    desired_count: 2
    subnets: [subnet-0a1b2c3d4e5f60718, subnet-0f1e2d3c4b5a69788]
    security_groups: [sg-0a1b2c3d4e5f60718]
    load_balancers:
      - target_group_arn: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/73e2d6bc24d8a067
        container_name: shop
        container_port: 8080
    task_definition:
      requiresCompatibilities: [FARGATE]
      networkMode: awsvpc
      cpu: 256
      memory: 512
      executionRoleArn: arn:aws:iam::123456789012:role/shop-execution
      containerDefinitions:
        - name: shop
          image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:7d0b...
          portMappings: [{containerPort: 8080}]

- name: It is known what serves
  pulsegrid.aws.ecs_service:
    name: shop
    cluster: shop
  register: serving
"""

RETURN = r"""
service:
  description: The service as ECS describes it, without its events; empty when it is absent.
  returned: success
  type: dict
  contains:
    service_arn:
      description: Its ARN.
      type: str
    cluster_arn:
      description: Its cluster's ARN.
      type: str
    desired_count:
      description: How many tasks are wanted.
      type: int
    running_count:
      description: How many tasks run.
      type: int
    task_definition:
      description: ARN of the revision that it runs.
      type: str
    tags:
      description: Its tags.
      type: dict
  sample: {"service_name": "shop", "desired_count": 2, "running_count": 2}
task_definition_arn:
  description: ARN of the revision that the service runs; empty when there is none.
  returned: success
  type: str
  sample: arn:aws:ecs:us-east-1:123456789012:task-definition/shop:7
images:
  description: The image of each container that has one.
  returned: success
  type: dict
  sample: {"shop": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:7d0b..."}
deployment_id:
  description: ID of the service's deployment; empty when there is none.
  returned: success
  type: str
  sample: ecs-svc/1234567890123456789
registered:
  description: Whether a revision was, or would be, registered.
  returned: success
  type: bool
  sample: true
"""

import hashlib
import re
import time
from functools import cached_property
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_rollout as rollout
from ansible_collections.pulsegrid.aws.plugins.module_utils import task_definition as definitions
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    differs,
)

# A role that was made just now is not known to every part of AWS; neither is ECS's own role, which it makes with an account's first cluster.
NOT_KNOWN_YET = re.compile(r"role is not valid|unable to assume the (service linked )?role|does not have an associated load balancer", re.IGNORECASE)
SECRET_VERSIONS = "pulsegrid.aws.secret-versions"
KNOWN_AFTER_SECONDS = 60
GONE_AFTER_SECONDS = 600


def ecs_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return ansible_dict_to_boto3_tag_list(tags, tag_name_key_name="key", tag_value_key_name="value")


class Service(Resource):
    service = "ecs"
    kind = "ECS service"
    result = "service"
    not_found = ("ClusterNotFoundException", "ServiceNotFoundException", "ResourceNotFoundException")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.where = {"cluster": self.params["cluster"], "service": self.name}
        self.secret_versions: dict[str, str] = {}

    @cached_property
    def load_balancing(self) -> Any:
        return self.client_for("elbv2")

    # What there is

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_services", cluster=self.params["cluster"], services=[self.name], include=["TAGS"])
        services = [service for service in (found or {}).get("services", []) if service["status"] != "INACTIVE"]
        return services[0] | {"Tags": boto3_tag_list_to_ansible_dict(services[0].get("tags", []))} if services else None

    def definition(self, arn: str) -> dict[str, Any]:
        return self.call("describe_task_definition", taskDefinition=arn)["taskDefinition"]

    # What there should be

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        asked = self.params
        wanted = {
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": sorted(asked["subnets"]),
                    "securityGroups": sorted(asked["security_groups"]),
                    "assignPublicIp": "ENABLED" if asked["assign_public_ip"] else "DISABLED",
                }
            },
            "loadBalancers": [
                {"targetGroupArn": each["target_group_arn"], "containerName": each["container_name"], "containerPort": each["container_port"]}
                for each in sorted(asked["load_balancers"], key=lambda each: each["target_group_arn"])
            ],
            "capacityProviderStrategy": [
                {"capacityProvider": each["capacity_provider"], "weight": each["weight"], "base": each["base"]}
                for each in sorted(asked["capacity_provider_strategy"], key=lambda each: each["capacity_provider"])
            ],
            "deploymentConfiguration": {
                "minimumHealthyPercent": asked["minimum_healthy_percent"],
                "maximumPercent": asked["maximum_percent"],
                "deploymentCircuitBreaker": {"enable": asked["circuit_breaker"], "rollback": asked["circuit_breaker"]},
                "alarms": {"alarmNames": sorted(asked["alarms"]), "enable": bool(asked["alarms"]), "rollback": bool(asked["alarms"])},
            },
            "enableExecuteCommand": asked["enable_execute_command"],
            "enableECSManagedTags": True,
            "propagateTags": "SERVICE",
        }
        if asked["load_balancers"]:
            wanted["healthCheckGracePeriodSeconds"] = asked["health_check_grace_period_seconds"]
        if asked["platform_version"]:
            wanted["platformVersion"] = asked["platform_version"]
        return wanted

    @staticmethod
    def shown(service: dict[str, Any]) -> dict[str, Any]:
        """What AWS has, in the order of wanted()."""
        network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
        deployment = service.get("deploymentConfiguration", {})
        alarms = {"alarmNames": [], "enable": False, "rollback": False} | deployment.get("alarms", {})
        return service | {
            "deploymentConfiguration": deployment | {"alarms": alarms | {"alarmNames": sorted(alarms["alarmNames"])}},
            "networkConfiguration": {
                "awsvpcConfiguration": network | {key: sorted(network.get(key, [])) for key in ("subnets", "securityGroups")},
            },
            "loadBalancers": sorted(service.get("loadBalancers", []), key=lambda each: each.get("targetGroupArn", "")),
            "capacityProviderStrategy": sorted(
                ({"weight": 0, "base": 0} | each for each in service.get("capacityProviderStrategy", [])), key=lambda each: each["capacityProvider"]
            ),
        }

    def differences(self, current: dict[str, Any]) -> dict[str, Any]:
        """What UpdateService is to be given."""
        shown = self.shown(current)
        changes = {key: value for key, value in self.wanted(current).items() if differs(shown.get(key), value)}
        if "deploymentConfiguration" in changes:  # it is replaced as a whole
            changes["deploymentConfiguration"] = current.get("deploymentConfiguration", {}) | changes["deploymentConfiguration"]
        return changes

    def wanted_definition(self, running: dict[str, Any] | None) -> dict[str, Any]:
        asked = {"family": self.name} | self.params["task_definition"]
        containers = [self.with_secret_versions(container) for container in asked["containerDefinitions"]]
        wanted = definitions.with_images(asked | {"containerDefinitions": containers}, running)
        if running and definitions.released(running) and not definitions.released(wanted):
            unknown = [name for name, image in definitions.images(wanted).items() if image == definitions.NO_RELEASE]
            self.module.fail_json(msg=f"ECS service {self.name}: container {', '.join(unknown)} needs an image: the service runs none of that name to keep.")
        return wanted

    def with_secret_versions(self, container: dict[str, Any]) -> dict[str, Any]:
        versions = sorted({version for secret in container.get("secrets") or [] if (version := self.secret_version(secret["valueFrom"]))})
        if not versions:
            return container
        label = {SECRET_VERSIONS: hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]}
        return {**container, "dockerLabels": (container.get("dockerLabels") or {}) | label}

    def secret_version(self, reference: str) -> str:
        """The version of a secret that a task would get now; empty where the reference names one, or, in check mode, there is no such secret yet."""
        if reference not in self.secret_versions:
            self.secret_versions[reference] = self.find_secret_version(reference)
        return self.secret_versions[reference]

    def find_secret_version(self, reference: str) -> str:
        parts = reference.split(":")
        if parts[2:3] != ["secretsmanager"]:
            found = self.find("get_parameters", client=self.client_for("ssm"), Names=[reference], WithDecryption=False)
            return "".join(f"{reference} {parameter['Version']}" for parameter in (found or {}).get("Parameters", []))
        secret, (_key, stage, version) = ":".join(parts[:7]), (parts[7:] + ["", "", ""])[:3]  # arn:...:secret:NAME:key:stage:version
        if version:
            return ""
        found = self.find("describe_secret", client=self.client_for("secretsmanager"), SecretId=secret)
        stages = (found or {}).get("VersionIdsToStages", {})
        return "".join(f"{secret} {each}" for each, its in stages.items() if (stage or "AWSCURRENT") in its)

    # Present

    def run(self) -> None:
        if self.params["state"] == "absent":
            self.absent()
        elif self.params["task_definition"] is None:
            self.finish(self.describe())
        else:
            self.present()

    def present(self) -> None:
        current = self.describe()
        if current and current["status"] == "DRAINING":
            if not self.module.check_mode:
                self.wait_until(lambda: (self.describe() or {}).get("status") != "DRAINING", "drained", GONE_AFTER_SECONDS)
            current = None
        running = self.definition(current["taskDefinition"]) if current else None
        wanted = self.wanted_definition(running)
        registers = running is None or definitions.comparable(running) != definitions.comparable(wanted)
        changes = self.differences(current) if current else self.wanted(None)
        to_set, to_remove = self.tag_changes(current, {"Tags": self.wanted_tags(current)}) if current else ({}, [])
        serving = self.serving_revision(current, running)
        restarts = bool(current) and current["desiredCount"] > 0 and rollout.primary(current).get("rolloutState") == "FAILED"
        changed = bool(current is None or registers or changes or to_set or to_remove or restarts)
        diff = self.difference(current, changes, running, wanted) if changed else None

        if self.module.check_mode:
            self.finish(current, changed, diff, registers)
            return
        if to_set:
            self.call("tag_resource", resourceArn=current["serviceArn"], tags=ecs_tags(to_set))
        if to_remove:
            self.call("untag_resource", resourceArn=current["serviceArn"], tagKeys=to_remove)
        first = definitions.released(wanted) and serving is None
        count = self.params["desired_count"] if first else 0
        start = min(count, 1) if self.params["wait"] else count
        arn = self.register(wanted) if registers else current["taskDefinition"]
        if current is None:
            service = self.create(changes, arn, start)
        elif registers or changes or restarts:
            forced = {"forceNewDeployment": True} if restarts or "capacityProviderStrategy" in changes else {}
            service = self.update(current, changes | {"taskDefinition": arn} | ({"desiredCount": start} if first else {}) | forced)
        else:
            service = current
        if self.params["wait"]:
            self.see_through(current, service, wanted, serving)
            if count > start:
                self.see_through(current, self.update(service, {"desiredCount": count}), wanted, serving)
        self.finish(self.describe(), changed, diff, registers)

    @staticmethod
    def serving_revision(current: dict[str, Any] | None, running: dict[str, Any] | None) -> str | None:
        """The revision that serves, or would with a task; None before the first release, and where that failed with nothing to return to."""
        if current is None or not definitions.released(running):
            return None
        if rollout.primary(current).get("rolloutState") != "FAILED":
            return current["taskDefinition"]
        return next((each["taskDefinition"] for each in current["deployments"] if each["status"] != "PRIMARY" and each["runningCount"]), None)

    def register(self, definition: dict[str, Any]) -> str:
        tags = {"tags": ecs_tags(self.params["tags"])} if self.params["tags"] else {}
        registered = self.call_when_known("register_task_definition", **definitions.registrable(definition), **tags)
        return registered["taskDefinition"]["taskDefinitionArn"]

    def create(self, properties: dict[str, Any], arn: str, count: int) -> dict[str, Any]:
        tags = {"tags": ecs_tags(self.params["tags"])} if self.params["tags"] else {}
        return self.call_when_known(
            "create_service",
            cluster=self.params["cluster"],
            serviceName=self.name,
            taskDefinition=arn,
            desiredCount=count,
            schedulingStrategy="REPLICA",
            **properties,
            **tags,
        )["service"]

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted.get("taskDefinition") == current["taskDefinition"]:
            wanted = {key: value for key, value in wanted.items() if key != "taskDefinition"}
        return self.call_when_known("update_service", **self.where, **wanted)["service"]

    def call_when_known(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation that names roles and target groups which were made just now."""
        end = time.monotonic() + KNOWN_AFTER_SECONDS
        while True:
            try:
                return getattr(self.client, operation)(aws_retry=True, **arguments)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                if not NOT_KNOWN_YET.search(str(error)) or time.monotonic() >= end:
                    self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {operation.replace('_', ' ')}")
                    raise
            time.sleep(5)

    # The rollout

    def see_through(self, before: dict[str, Any] | None, service: dict[str, Any], wanted: dict[str, Any], serving: str | None) -> None:
        """Follow the service's deployment to its end. It is ours when it was not there before."""
        deployment = rollout.primary(service)
        ours = before is None or deployment["id"] not in {each["id"] for each in before["deployments"]}
        if service["desiredCount"] == 0 or (not ours and rollout.settled(service)):
            return
        followed = self.rollout(deployment, serving if ours else None)
        outcome = followed.follow(self.params["wait_timeout_seconds"])
        if outcome.state == rollout.COMPLETED:
            return
        report = followed.report(deployment.get("createdAt"), self.log_tail)
        restored = self.restore(before, deployment["id"], wanted, serving) if ours and outcome.state != rollout.SUPERSEDED else ""
        sentence = {
            rollout.FAILED: "the deployment failed",
            rollout.ROLLED_BACK: "the deployment failed",
            rollout.SUPERSEDED: "the deployment did not end",
            rollout.TIMED_OUT: "the deployment took too long",
        }[outcome.state]
        self.module.fail_json(
            msg="\n".join([f"ECS service {self.name}: {sentence}: {outcome.reason}.{restored}", *report, self.serving()]),
            outcome=outcome.state,
            deployment_id=deployment["id"],
            task_definition_arn=deployment["taskDefinition"],
        )

    def rollout(self, deployment: dict[str, Any], previous: str | None) -> rollout.Rollout:
        def ask(operation: str, client: Any = None, **arguments: Any) -> dict[str, Any]:
            return self.call(operation, client=client, **arguments)

        return rollout.Rollout(ask, self.describe, lambda: self.load_balancing, deployment, previous, self.params["failures_before_giving_up"])

    def restore(self, before: dict[str, Any] | None, failed_id: str, wanted: dict[str, Any], serving: str | None) -> str:
        """What served before serves again; a failed first release leaves no task."""
        service = self.describe()
        if service is None:
            return ""
        if serving is None:
            nothing = before["taskDefinition"] if before and not definitions.released(self.definition(before["taskDefinition"])) else None
            arn = nothing or self.register(definitions.without_images(wanted))
            self.update(service, {"taskDefinition": arn, "desiredCount": 0})
            return self.drain()
        if rollout.primary(service)["id"] == failed_id:  # ECS has not rolled it back itself
            service = self.update(service, {"taskDefinition": serving})
        again = self.rollout(rollout.primary(service), None).follow(self.params["wait_timeout_seconds"])
        revision = serving.split("/")[-1]
        return f" {revision} serves again." if again.state == rollout.COMPLETED else f" {revision} was put back and is not steady: {again.reason}."

    def drain(self) -> str:
        end = time.monotonic() + GONE_AFTER_SECONDS
        while (service := self.describe()) and not rollout.settled(service) and time.monotonic() < end:
            time.sleep(2)
        return " It was the first release: the service has no task." if not service or rollout.settled(service) else " Its tasks are being stopped."

    def log_tail(self, task: dict[str, Any]) -> list[str]:
        """The last lines that a failed task logged. They are a help, and that they cannot be had is not what the module fails for."""
        lines: list[str] = []
        try:
            logs = self.client_for("logs")
            definition = self.client.describe_task_definition(taskDefinition=task["taskDefinitionArn"], aws_retry=True)["taskDefinition"]
            for container in definition["containerDefinitions"]:
                log = container.get("logConfiguration", {})
                options = log.get("options", {})
                if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
                    continue
                task_id = task["taskArn"].split("/")[-1]
                events = logs.get_log_events(
                    logGroupName=options["awslogs-group"],
                    logStreamName=f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}",
                    limit=rollout.LOG_LINES,
                    startFromHead=False,
                    aws_retry=True,
                )["events"]
                if events:
                    lines += [f"Last log lines of task {task_id}, container {container['name']}:", *(f"  {event['message'].rstrip()}" for event in events)]
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            lines.append(f"Its log could not be read: {error}")
        return lines

    def serving(self) -> str:
        service = self.describe()
        if service is None:
            return "Now there is no service."
        if service["runningCount"] == 0:
            return f"Now nothing serves: {service['desiredCount']} tasks are wanted, none runs."
        definition = self.definition(service["taskDefinition"])
        images = ", ".join(definitions.images(definition).values())
        return f"Now {definition['family']}:{definition['revision']} serves with {service['runningCount']} of {service['desiredCount']} tasks: {images}"

    # Absent

    def absent(self) -> None:
        service = self.describe()
        family = (self.params["task_definition"] or {}).get("family", self.name)
        revisions = {status: self.revisions(family, status) for status in ("ACTIVE", "INACTIVE")}
        found = [arn for arns in revisions.values() for arn in arns]
        if not self.module.check_mode:
            if service:
                self.delete(service)
            for arn in revisions["ACTIVE"]:
                self.call("deregister_task_definition", taskDefinition=arn)
            for chunk in rollout.chunks(found, 10):
                failures = self.call("delete_task_definitions", taskDefinitions=chunk).get("failures")
                if failures:
                    self.module.fail_json(msg=f"ECS service {self.name}: its revisions could not be deleted: {failures}")
        diff = {"before": {"service": self.name if service else "", "revisions": [arn.split("/")[-1] for arn in found]}}
        self.finish(None, bool(service or found), diff)

    def delete(self, current: dict[str, Any]) -> None:
        if current["status"] == "ACTIVE":
            if current["desiredCount"]:
                self.call("update_service", **self.where, desiredCount=0)
            self.call("delete_service", **self.where, force=True)
        self.wait_until(lambda: self.describe() is None, "gone", GONE_AFTER_SECONDS, interval=2)

    def revisions(self, family: str, status: str) -> list[str]:
        arns: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.call("list_task_definitions", familyPrefix=family, status=status, **token)
            # familyPrefix is a family's whole name according to AWS's documentation, and a prefix according to its name
            arns += [arn for arn in page["taskDefinitionArns"] if arn.split("/")[-1].rpartition(":")[0] == family]
            if not page.get("nextToken"):
                return arns
            token = {"nextToken": page["nextToken"]}

    # The answer

    def difference(self, current: dict[str, Any] | None, changes: dict[str, Any], running: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, Any]:
        shown = self.shown(current) if current else {}
        return {
            "before": {"service": {key: shown.get(key) for key in changes} if current else {}, "task_definition": definitions.comparable(running or {})},
            "after": {"service": changes, "task_definition": definitions.comparable(wanted)},
        }

    def finish(self, service: dict[str, Any] | None, changed: bool = False, diff: dict[str, Any] | None = None, registered: bool = False) -> None:
        running = self.definition(service["taskDefinition"]) if service else {"containerDefinitions": []}
        self.exit(
            changed,
            (diff or {}).get("before"),
            (diff or {}).get("after"),
            {key: value for key, value in (service or {}).items() if key not in ("events", "tags")},
            task_definition_arn=service["taskDefinition"] if service else "",
            images={name: image for name, image in definitions.images(running).items() if image != definitions.NO_RELEASE},
            deployment_id=rollout.primary(service)["id"] if service else "",
            registered=registered,
        )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "cluster": {"required": True},
            "task_definition": {"type": "dict"},
            "desired_count": {"type": "int", "default": 1},
            "subnets": {"type": "list", "elements": "str", "default": []},
            "security_groups": {"type": "list", "elements": "str", "default": []},
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
                "default": [{"capacity_provider": "FARGATE", "weight": 1}],
                "options": {
                    "capacity_provider": {"required": True},
                    "weight": {"type": "int", "default": 0},
                    "base": {"type": "int", "default": 0},
                },
            },
            "platform_version": {},
            "health_check_grace_period_seconds": {"type": "int", "default": 0},
            "minimum_healthy_percent": {"type": "int", "default": 100},
            "maximum_percent": {"type": "int", "default": 200},
            "circuit_breaker": {"type": "bool", "default": True},
            "alarms": {"type": "list", "elements": "str", "default": []},
            "enable_execute_command": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 900},
            "failures_before_giving_up": {"type": "int", "default": 3},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    Service(module).run()


if __name__ == "__main__":
    main()
