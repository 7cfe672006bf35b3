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
    failed leaves no task. The module fails all the same. A deployment that took this one's place in the meantime is left alone.
  - A deployment of what is asked for that is under way already, as a run before this one was killed, is followed and, when it fails, undone in the same way.
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
  revision:
    description:
      - A revision that there is, as C(family:revision) or as its ARN, to put back as it is. Nothing else of the service is changed. It is followed, and undone
        when it fails, as a new one is.
    type: str
  release:
    description:
      - What a new revision is called. It gets these as its tags C(Release), C(Commit) and C(DeployedBy), with C(Replaces), the revision that served until then;
        and C(ReleaseState), C(completed) or C(failed), when its rollout has ended. Characters that a tag cannot have become spaces.
      - A release that was begun and not seen through, since the run was killed, is by these tags found and seen through by the next run.
      - Without it a revision with the same images stays the release that it was.
    type: dict
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      commit:
        description: The commit that it is built from.
        type: str
      by:
        description: Who deploys it.
        type: str
  verify:
    description: Whether a deployment of O(task_definition) has to pass M(pulsegrid.aws.ecs_deployment_check) before anything is changed.
    type: bool
    default: false
  registry:
    description: As in M(pulsegrid.aws.ecs_deployment_check), for O(verify).
    type: str
  one_off:
    description:
      - A task of the new revision that is run to its end before the service is updated, such as a migration of the database. Its log is shown.
      - It is run when an image changes, and before the first release. When it fails the revision is deregistered, nothing else was changed, and the module
        fails.
    type: dict
    suboptions:
      command:
        description: Its command.
        type: list
        elements: str
        required: true
      container:
        description: The container that runs it; the first one without it.
        type: str
      timeout_seconds:
        description: After how many seconds it is stopped and has failed.
        type: int
        default: 900
  smoke_request:
    description:
      - A request that must be answered as it should after a rollout. When it is not, the rollout has failed and is undone. It is not made with O(wait=false).
    type: dict
    suboptions:
      url:
        description: The address, C(http) or C(https). Redirects are followed.
        type: str
        required: true
      headers:
        description: Headers of the request.
        type: dict
        default: {}
      status:
        description: The statuses with which it may be answered.
        type: list
        elements: int
        default: [200]
      timeout_seconds:
        description: For how many seconds it is tried.
        type: int
        default: 60
  desired_count:
    description: How many tasks a first release gets.
    type: int
    default: 1
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
    description: After how many seconds a deployment whose tasks are not all running and healthy is a failure.
    type: int
    default: 900
  steady_seconds:
    description:
      - For how many seconds the same tasks, all that are wanted, must have run and been healthy. A release whose tasks fail within that time ends as a
        failure; one whose tasks run longer before they fail is not found out.
      - The first task of a first release runs for three seconds before it gets the others.
    type: int
    default: 30
  failures_before_giving_up:
    description:
      - How many tasks of a deployment may stop for the same reason before it is a failure.
      - Tasks that the load balancer, or the container's health check, finds unhealthy when their grace period is over need not stop first. When none of the
        deployment's tasks was ever healthy, and so many, or all that are wanted, are unhealthy, it is a failure.
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
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
  - pulsegrid.aws.ecs_network
  - pulsegrid.aws.lock
  - pulsegrid.aws.progress
notes:
  - The tags are the service's; its revisions get them when they are registered and its tasks when they start.
  - The last log lines of a failed task are shown where its container logs to CloudWatch Logs and C(logs:GetLogEvents) is allowed.
  - A rollout takes at most five calls of ECS's API, one more to read the service again with O(lock), and one for each secret, besides those that follow it.
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

- name: The release is migrated to, serves, and answers
  pulsegrid.aws.ecs_service:
    name: shop
    cluster: shop
    subnets: [subnet-0a1b2c3d4e5f60718]
    security_groups: [sg-0a1b2c3d4e5f60718]
    task_definition: "{{ task_definition }}"
    release: {name: v1.4.2, commit: 3f2a91c, by: "{{ lookup('env', 'USER') }}"}
    one_off: {command: [/shop, migrate]}
    smoke_request: {url: https://shop.example.com/health}

- name: The revision before serves again
  pulsegrid.aws.ecs_service:
    name: shop
    cluster: shop
    revision: shop:6

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
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_rollout as rollout
from ansible_collections.pulsegrid.aws.plugins.module_utils import task_definition as definitions
from ansible_collections.pulsegrid.aws.plugins.module_utils.deploy_lock import LOCK_OPTIONS, DeployLock
from ansible_collections.pulsegrid.aws.plugins.module_utils.ecs_deployment_check import Check
from ansible_collections.pulsegrid.aws.plugins.module_utils.ecs_one_off import OneOff
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import PROGRESS_OPTIONS, Progress, plain
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    differs,
)
from ansible_collections.pulsegrid.aws.plugins.module_utils.smoke_request import smoke

# A role that was made just now is not known to every part of AWS; neither is ECS's own role, which it makes with an account's first cluster.
NOT_KNOWN_YET = re.compile(r"role is not valid|unable to assume the (service linked )?role|does not have an associated load balancer", re.IGNORECASE)
SECRET_VERSIONS = "pulsegrid.aws.secret-versions"
KNOWN_AFTER_SECONDS = 60
GONE_AFTER_SECONDS = 600
PARAMETERS_AT_ONCE = 10
REVISION = re.compile(r"(arn:[^:]+:ecs:[^:]*:[^:]*:task-definition/)?[A-Za-z0-9_-]{1,255}:[1-9][0-9]*")
HTTP = re.compile(r"https?://[^/\s]+")

# Tags of a revision that is a release, by the option's keys
RELEASE_TAGS = {"name": definitions.RELEASE, "commit": definitions.COMMIT, "by": definitions.BY}
NOT_IN_A_TAG = re.compile(r"[^\w.:/=+\-@]+")
TAG_VALUE_CHARACTERS = 256
# What of a service a rollback puts back besides the revision
ROLLED = ("networkConfiguration", "loadBalancers", "capacityProviderStrategy", "platformVersion", "healthCheckGracePeriodSeconds")


def ecs_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return ansible_dict_to_boto3_tag_list(tags, tag_name_key_name="key", tag_value_key_name="value")


def release_tags(release: dict[str, Any]) -> dict[str, str]:
    """What AWS does not allow in a tag's value becomes a space."""
    values = {tag: NOT_IN_A_TAG.sub(" ", release.get(key) or "").strip()[:TAG_VALUE_CHARACTERS] for key, tag in RELEASE_TAGS.items()}
    return {tag: value for tag, value in values.items() if value}


@dataclass
class Plan:
    """What there is, what there should be, and what is to be done."""

    current: dict[str, Any] | None
    running: dict[str, Any] | None
    wanted: dict[str, Any]
    arn: str  # the revision that is wanted; empty where it is yet to be registered
    serving: str | None  # what serves, and serves again after a failure; None where nothing does
    changes: dict[str, Any] = field(default_factory=dict)
    tags_to_set: dict[str, str] = field(default_factory=dict)
    tags_to_remove: list[str] = field(default_factory=list)
    restarts: bool = False  # the deployment failed and is started again
    draining: bool = False  # one that was removed is not gone yet
    unfinished: bool = False  # whoever began the release did not see it through

    @property
    def rolls(self) -> bool:
        return self.current is None or not self.arn or self.arn != self.current["taskDefinition"]

    @property
    def updates(self) -> bool:
        return bool(self.rolls or self.changes or self.restarts)

    @property
    def changed(self) -> bool:
        return bool(self.updates or self.tags_to_set or self.tags_to_remove or self.unfinished)

    @property
    def first(self) -> bool:
        return self.serving is None and definitions.released(self.wanted)


class Refused(Exception):
    """AWS refused what was asked after a deployment had failed, and that is not what the module fails for."""


class Service(Resource):
    service = "ecs"
    kind = "ECS service"
    result = "service"
    not_found = ("ClusterNotFoundException", "ServiceNotFoundException", "ResourceNotFoundException")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.where = {"cluster": self.params["cluster"], "service": self.name}
        self.say = Progress(module).say
        self.known: dict[str, dict[str, Any]] = {}
        self.known_tags: dict[str, dict[str, str]] = {}
        self.has_failed = False

    @cached_property
    def load_balancing(self) -> Any:
        return self.client_for("elbv2")

    # What there is

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_services", cluster=self.params["cluster"], services=[self.name], include=["TAGS"])
        services = [service for service in (found or {}).get("services", []) if service["status"] != "INACTIVE"]
        return services[0] | {"Tags": boto3_tag_list_to_ansible_dict(services[0].get("tags", []))} if services else None

    def definition(self, arn: str) -> dict[str, Any]:
        """A revision, which never changes."""
        if arn not in self.known:
            return self.known[self.remember(self.call("describe_task_definition", taskDefinition=arn, include=["TAGS"]))]
        return self.known[arn]

    def remember(self, answer: dict[str, Any]) -> str:
        arn = answer["taskDefinition"]["taskDefinitionArn"]
        self.known[arn] = answer["taskDefinition"]
        self.known_tags[arn] = boto3_tag_list_to_ansible_dict(answer.get("tags", []))
        return arn

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
        versions = sorted({version for secret in container.get("secrets") or [] if (version := self.secret_versions.get(secret["valueFrom"]))})
        if not versions:
            return container
        label = {SECRET_VERSIONS: hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]}
        return {**container, "dockerLabels": (container.get("dockerLabels") or {}) | label}

    @cached_property
    def secret_versions(self) -> dict[str, str]:
        """The version that a task would get now of each secret; none where the reference names one, or, in check mode, there is no such secret yet."""
        references = {secret["valueFrom"] for container in self.params["task_definition"]["containerDefinitions"] for secret in container.get("secrets") or []}
        secrets = sorted(reference for reference in references if reference.split(":")[2:3] == ["secretsmanager"])
        return self.of_parameter_store(sorted(references.difference(secrets))) | self.of_secrets_manager(secrets)

    def of_secrets_manager(self, references: list[str]) -> dict[str, str]:
        """ListSecrets would be one call for all of them, and may say what was true five minutes ago: a value that was just changed would be missed."""
        versions: dict[str, str] = {}
        stages_of: dict[str, dict[str, list[str]]] = {}
        for reference in references:
            parts = reference.split(":")
            secret, (_key, stage, version) = ":".join(parts[:7]), (parts[7:] + ["", "", ""])[:3]  # arn:...:secret:NAME:key:stage:version
            if version:
                continue
            if secret not in stages_of:
                found = self.find("describe_secret", client=self.client_for("secretsmanager"), SecretId=secret)
                stages_of[secret] = (found or {}).get("VersionIdsToStages", {})
            versions[reference] = "".join(f"{secret} {each}" for each, its in stages_of[secret].items() if (stage or "AWSCURRENT") in its)
        return versions

    def of_parameter_store(self, references: list[str]) -> dict[str, str]:
        versions: dict[str, str] = {}
        for chunk in rollout.chunks(references, PARAMETERS_AT_ONCE):
            found = self.find("get_parameters", client=self.client_for("ssm"), Names=chunk, WithDecryption=False)
            for parameter in (found or {}).get("Parameters", []):
                name = parameter["Name"] + parameter.get("Selector", "")
                asked = (each for each in chunk if each in (name, parameter.get("ARN")) or each.endswith(f":parameter/{name.removeprefix('/')}"))
                versions |= {reference: f"{reference} {parameter['Version']}" for reference in asked}
        return versions

    # Present

    def run(self) -> None:
        if self.params["state"] == "absent":
            self.absent()
        elif self.params["task_definition"] is None and not self.params["revision"]:
            self.finish(self.describe())
        else:
            self.present()

    def present(self) -> None:
        plan = self.plan()
        registers = not plan.arn
        service = plan.current
        if plan.updates and self.params["verify"] and self.params["task_definition"]:
            Check(self.module).require()
        if plan.changed:
            with DeployLock(self.module) as lock:
                if lock.held:  # somebody else may have deployed before it was ours
                    plan = self.plan()
                    registers = not plan.arn
                if not self.module.check_mode:
                    service = self.apply(plan)
        elif self.params["wait"] and not self.module.check_mode:
            service = self.see_through(plan, service)
        self.finish(service, plan.changed, self.difference(plan) if plan.changed else None, registers)

    def plan(self) -> Plan:
        current = self.describe()
        draining = bool(current) and current["status"] == "DRAINING"
        current = None if draining else current
        running = self.definition(current["taskDefinition"]) if current else None
        tags = self.known_tags[current["taskDefinition"]] if current else {}
        state = rollout.primary(current).get("rolloutState") if current else None
        ended = definitions.STATE in tags or definitions.RELEASE not in tags
        serving = self.serving_revision(current, running, tags)
        if self.params["revision"]:
            wanted, arn = self.revision_to_put_back(current)
            plan = Plan(current, running, wanted, arn, serving)
        else:
            wanted = self.wanted_definition(running)
            same = running is not None and definitions.comparable(running) == definitions.comparable(wanted)
            plan = Plan(current, running, wanted, current["taskDefinition"] if same else "", serving)
            plan.changes = self.differences(current) if current else self.wanted(None)
            if current:
                plan.tags_to_set, plan.tags_to_remove = self.tag_changes(current, {"Tags": self.wanted_tags(current)})
        plan.draining = draining
        plan.restarts = bool(current) and current["desiredCount"] > 0 and state == "FAILED"
        plan.unfinished = self.params["wait"] and not plan.rolls and not ended and current["desiredCount"] > 0
        if plan.unfinished and tags.get(definitions.REPLACES):
            plan.serving = self.revision_arn(current, tags[definitions.REPLACES])
        return plan

    def serving_revision(self, current: dict[str, Any] | None, running: dict[str, Any] | None, tags: dict[str, str]) -> str | None:
        """The revision that serves, or would with a task; None where there is none to return to: before the first release, and when that is not there yet."""
        if current is None or not definitions.released(running):
            return None
        newest = rollout.primary(current)
        if newest.get("rolloutState") in (None, "COMPLETED"):
            return newest["taskDefinition"]
        others = [each for each in current["deployments"] if each is not newest]
        older = [each for each in others if each.get("rolloutState") != "FAILED" and each["runningCount"]]
        completed = [each for each in older if each.get("rolloutState") in (None, "COMPLETED")]
        undoing = newest["rolloutState"] != "FAILED" and tags.get(definitions.STATE) == rollout.COMPLETED  # what is put back, and replaces what failed
        if completed or (older and not undoing):
            return (completed or older)[0]["taskDefinition"]
        if newest["rolloutState"] == "FAILED":
            return None
        replaces = tags.get(definitions.REPLACES) if definitions.RELEASE in tags and definitions.STATE not in tags else None
        if replaces and not any(each.get("rolloutState") == "FAILED" for each in others):
            return self.revision_arn(current, replaces)
        return newest["taskDefinition"]

    @staticmethod
    def revision_arn(current: dict[str, Any], replaced: str) -> str | None:
        return None if replaced == definitions.NOTHING else f"{current['taskDefinition'].rpartition('/')[0]}/{replaced}"

    def revision_to_put_back(self, current: dict[str, Any] | None) -> tuple[dict[str, Any], str]:
        revision = self.params["revision"]
        if current is None:
            if self.module.check_mode:
                return {"containerDefinitions": []}, revision
            self.module.fail_json(msg=f"ECS service {self.name}: revision is '{revision}', and cluster {self.params['cluster']} has no service to run it.")
        try:
            found = self.client.describe_task_definition(taskDefinition=revision, include=["TAGS"], aws_retry=True)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("ClientException", "InvalidParameterException"):
                self.module.fail_json(msg=f"ECS service {self.name}: revision is '{revision}': there is none of that name.")
            self.fail(error, "describe task definition")
            raise
        except botocore.exceptions.BotoCoreError as error:
            self.fail(error, "describe task definition")
            raise
        arn = self.remember(found)
        definition = self.known[arn]
        if definition.get("status", "ACTIVE") != "ACTIVE" and arn != (current or {}).get("taskDefinition"):
            self.module.fail_json(msg=f"ECS service {self.name}: revision is '{revision}', which was deregistered: ECS starts no task of it.")
        if not definitions.released(definition):
            self.module.fail_json(msg=f"ECS service {self.name}: revision is '{revision}', which has no image: it is from before the first release.")
        return definition, arn

    def apply(self, plan: Plan) -> dict[str, Any]:
        """The service, when its rollout has ended well."""
        current = plan.current
        if plan.draining:
            self.wait_until(lambda: (self.describe() or {}).get("status") != "DRAINING", "drained", GONE_AFTER_SECONDS)
        count = self.params["desired_count"] if plan.first else 0
        start = min(count, 1) if self.params["wait"] else count
        if not plan.arn:
            plan.arn = self.register(plan.wanted, self.tags_of_the_release(plan))
            self.prepare(plan)
        if plan.tags_to_set:
            self.call("tag_resource", resourceArn=current["serviceArn"], tags=ecs_tags(plan.tags_to_set))
        if plan.tags_to_remove:
            self.call("untag_resource", resourceArn=current["serviceArn"], tagKeys=plan.tags_to_remove)
        if current is None:
            service = self.create(plan.changes, plan.arn, start)
        elif plan.updates:
            forced = {"forceNewDeployment": True} if plan.restarts or "capacityProviderStrategy" in plan.changes else {}
            counted = {"desiredCount": start} if plan.first and not plan.unfinished else {}
            service = self.update(current, plan.changes | {"taskDefinition": plan.arn} | counted | forced)
        else:
            service = current
        service |= {"Tags": self.wanted_tags(current) or (current or {}).get("Tags", {})}
        return self.see_through(plan, service, count) if self.params["wait"] else service

    def tags_of_the_release(self, plan: Plan) -> dict[str, str]:
        """A revision that only changes what a release is given is still that release."""
        tags = release_tags(self.params["release"] or {})
        if not tags and plan.running and definitions.images(plan.running) == definitions.images(plan.wanted):
            tags = {tag: value for tag, value in self.known_tags[plan.current["taskDefinition"]].items() if tag in RELEASE_TAGS.values()}
        return tags | {definitions.REPLACES: plan.serving.split("/")[-1] if plan.serving else definitions.NOTHING} if definitions.RELEASE in tags else {}

    def register(self, definition: dict[str, Any], release: dict[str, str] | None = None) -> str:
        tags = {key: str(value) for key, value in (self.params["tags"] or {}).items()} | (release or {})
        self.say(f"registering a revision of {definition['family']}")
        registered = self.call_when_known("register_task_definition", **definitions.registrable(definition), **({"tags": ecs_tags(tags)} if tags else {}))
        arn = self.remember(registered)
        self.known_tags[arn] = tags
        return arn

    def create(self, properties: dict[str, Any], arn: str, count: int) -> dict[str, Any]:
        tags = {"tags": ecs_tags(self.params["tags"])} if self.params["tags"] else {}
        self.say(f"creating the service with {arn.split('/')[-1]}")
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
        revision = [wanted["taskDefinition"].split("/")[-1]] if "taskDefinition" in wanted else []
        count = [f"desiredCount {wanted['desiredCount']}"] if "desiredCount" in wanted else []
        self.say(f"updating the service: {', '.join(revision + count or sorted(wanted))}")
        return self.call_when_known("update_service", **self.where, **wanted)["service"]

    def call_when_known(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation that names roles and target groups which were made just now."""
        end = time.monotonic() + KNOWN_AFTER_SECONDS
        while True:
            try:
                return getattr(self.client, operation)(aws_retry=True, **arguments)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                if not NOT_KNOWN_YET.search(str(error)) or time.monotonic() >= end:
                    self.fail(error, operation.replace("_", " "))
                    raise
            time.sleep(5)

    def fail(self, error: Exception, doing: str) -> None:
        if self.has_failed:
            raise Refused(f"could not {doing}: {error}") from error
        super().fail(error, doing)

    # Before the rollout

    def prepare(self, plan: Plan) -> None:
        """The one-off task of a new image has ended well, or nothing has changed."""
        one_off = self.params["one_off"]
        before = definitions.images(self.definition(plan.serving)) if one_off and plan.serving else {}
        if not one_off or not definitions.released(plan.wanted) or definitions.images(plan.wanted) == before:
            return
        definition = self.known[plan.arn]
        container = one_off["container"] or definition["containerDefinitions"][0]["name"]
        self.say(f"one-off task of {plan.arn.split('/')[-1]}")
        end = None
        one_off_task = OneOff(
            self.call,
            self.client_for,
            self.say,
            cluster=self.params["cluster"],
            service=self.wanted(plan.current) | {"tags": ecs_tags(self.params["tags"] or {})},
            definition=definition,
            container=container,
            command=one_off["command"],
            started_by=f"one-off {self.name}",
        )
        try:
            end = one_off_task.run(one_off["timeout_seconds"])
        finally:
            if end is None or not end.completed:  # it could not be run, or the run was ended, too
                self.withdraw(plan.arn)
        if end.completed:
            return
        lines = ["Its last log lines:", *(f"  {line}" for line in end.lines)] if end.lines else []
        self.module.fail_json(
            msg="\n".join([f"{self.kind} {self.name}: the one-off task failed, nothing was changed: {end.reason}.", *lines, self.what_serves(plan.current)]),
            outcome="one_off_failed",
            exit_code=end.exit_code,
            task_definition_arn=plan.arn,
        )

    def withdraw(self, arn: str) -> None:
        """The revision is none that a service could get. What this run fails for is something else."""
        self.mark(arn, rollout.FAILED)
        try:
            self.client.deregister_task_definition(taskDefinition=arn, aws_retry=True)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.warn(f"{self.kind} {self.name}: {arn.split('/')[-1]} could not be deregistered: {error}")

    # The rollout

    def see_through(self, plan: Plan, service: dict[str, Any], count: int = 0) -> dict[str, Any]:
        """The service, when its deployment has ended well. It is followed where it is ours, as it was not there before, or where it has not ended."""
        before = plan.current["deployments"] if plan.current else []
        deployment = self.begun(plan, service)
        ours = deployment["id"] not in {each["id"] for each in before}
        if service["desiredCount"] == 0 or not (ours or plan.unfinished or not rollout.settled(service)):
            return service
        self.say(f"following {deployment['taskDefinition'].split('/')[-1]} ({deployment['id'] or 'which ECS lists no more'})")
        followed = self.rollout(deployment, plan.serving if ours else None)
        for last in (False, True) if count > service["desiredCount"] else (True,):
            if last and count > service["desiredCount"]:
                service = self.update(service, {"desiredCount": count})
            outcome = followed.follow(self.params["wait_timeout_seconds"], self.params["steady_seconds"] if last else rollout.STEADY_SECONDS)
            if outcome.state != rollout.COMPLETED:
                self.give_up(plan, followed, outcome)
        if self.params["smoke_request"] and (wrong := smoke(self.params["smoke_request"], self.say)):
            self.give_up(plan, followed, rollout.Outcome(rollout.FAILED, wrong))
        self.mark(deployment["taskDefinition"], rollout.COMPLETED)
        return followed.service

    @staticmethod
    def begun(plan: Plan, service: dict[str, Any]) -> dict[str, Any]:
        """The deployment of what is wanted, which ECS may have rolled back, and even list no more, before it answered."""
        newest = rollout.primary(service)
        if newest["taskDefinition"] == plan.arn or plan.current is None:
            return newest
        before = {each["id"]: each["createdAt"] for each in plan.current["deployments"]}
        gone = {"id": "", "taskDefinition": plan.arn, "createdAt": max(before.values())}
        return next((each for each in service["deployments"] if each["taskDefinition"] == plan.arn and each["id"] not in before), gone)

    def mark(self, arn: str, state: str) -> None:
        """The revision says how its release has ended. What was rolled out is no failure because it does not, and what once was well stays a release."""
        tags = self.known_tags.get(arn, {})
        if definitions.RELEASE not in tags or tags.get(definitions.STATE) in (state, rollout.COMPLETED):
            return
        try:
            self.client.tag_resource(resourceArn=arn, tags=ecs_tags({definitions.STATE: state}), aws_retry=True)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.warn(f"{self.kind} {self.name}: {arn.split('/')[-1]} could not be tagged {definitions.STATE}={state}: {error}")

    def give_up(self, plan: Plan, followed: rollout.Rollout, outcome: rollout.Outcome) -> None:
        deployment = followed.followed
        report = followed.report(self.log_tail)
        self.has_failed = True
        restored = ""
        if outcome.state != rollout.SUPERSEDED:
            try:
                restored = self.restore(plan, deployment, outcome.reason)
            except Refused as refused:
                restored = f" What served before could not be put back: {refused}."
            self.mark(deployment["taskDefinition"], rollout.FAILED)
        try:
            serves = self.what_serves(self.describe())
        except Refused as refused:
            serves = f"What serves now is not known: {refused}."
        sentence = {
            rollout.FAILED: "the deployment failed",
            rollout.ROLLED_BACK: "the deployment failed",
            rollout.SUPERSEDED: "the deployment did not end",
            rollout.TIMED_OUT: "the deployment took too long",
        }[outcome.state]
        self.module.fail_json(
            msg="\n".join([f"ECS service {self.name}: {sentence}: {outcome.reason}.{restored}", *report, serves]),
            outcome=outcome.state,
            deployment_id=deployment["id"],
            task_definition_arn=deployment["taskDefinition"],
        )

    def rollout(self, deployment: dict[str, Any], previous: str | None) -> rollout.Rollout:
        return rollout.Rollout(self.call, self.describe, lambda: self.load_balancing, self.say, deployment, previous, self.params["failures_before_giving_up"])

    def restore(self, plan: Plan, failed: dict[str, Any], why: str) -> str:
        """What served before serves again; a failed first release leaves no task."""
        service = self.describe()
        if service is None:
            return ""
        if plan.serving is None:
            self.say(f"going back to no task, since it was the first release: {why}")
            before = plan.current["taskDefinition"] if plan.current else ""
            nothing = before if before and not definitions.released(self.definition(before)) else self.register(definitions.without_images(plan.wanted))
            self.update(service, {"taskDefinition": nothing, "desiredCount": 0})
            return self.drain()
        back = {key: plan.current[key] for key in ROLLED if key in plan.changes and plan.current.get(key)} if plan.current else {}
        if plan.serving == failed["taskDefinition"] and not back:
            return ""  # it serves, as well as it can
        revision = plan.serving.split("/")[-1]
        self.say(f"rolling back to {revision}: {why}")
        if rollout.primary(service)["id"] == failed["id"]:  # ECS has not rolled it back itself
            forced = {"forceNewDeployment": True} if "capacityProviderStrategy" in back else {}
            service = self.update(service, {"taskDefinition": plan.serving} | back | forced)
        again = self.rollout(rollout.primary(service), None).follow(self.params["wait_timeout_seconds"])
        return f" {revision} serves again." if again.state == rollout.COMPLETED else f" {revision} was put back and is not steady: {again.reason}."

    def drain(self) -> str:
        end = time.monotonic() + GONE_AFTER_SECONDS
        while (service := self.describe()) and not rollout.settled(service) and time.monotonic() < end:
            time.sleep(2)
        return " It was the first release: the service has no task." if not service or rollout.settled(service) else " Its tasks are being stopped."

    def log_tail(self, task: dict[str, Any]) -> list[str]:
        """The last lines that a failed task logged. They are a help, and that they cannot be had is not what the module fails for."""
        lines: list[str] = []
        task_id = task["taskArn"].split("/")[-1]
        for container in self.known.get(task["taskDefinitionArn"], {"containerDefinitions": []})["containerDefinitions"]:
            stream = definitions.log_stream(container, task_id)
            if stream is None:
                continue
            try:
                events = self.client_for("logs").get_log_events(**stream, limit=rollout.LOG_LINES, startFromHead=False, aws_retry=True)["events"]
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                code = getattr(error, "response", {}).get("Error", {}).get("Code")
                if code == "ResourceNotFoundException":  # the stream begins with the first line
                    events = []
                else:
                    lines.append(f"The log of task {task_id}, container {container['name']}, could not be read: {error}")
                    continue
            said = [f"  {plain(line)}" for event in events for line in event["message"].splitlines()]
            lines += [f"Last log lines of task {task_id}, container {container['name']}:", *(said or ["  (none)"])]
        return lines

    def what_serves(self, service: dict[str, Any] | None) -> str:
        if service is None:
            return "Now there is no service."
        if service["runningCount"] == 0:
            return f"Now nothing serves: {service['desiredCount']} tasks are wanted, none runs."
        definition = self.definition(service["taskDefinition"])
        tags = self.known_tags.get(service["taskDefinition"], {})
        release = f" (release {tags[definitions.RELEASE]})" if definitions.RELEASE in tags else ""
        images = ", ".join(definitions.images(definition).values())
        tasks = f"{service['runningCount']} of {service['desiredCount']} tasks"
        return f"Now {definition['family']}:{definition['revision']}{release} serves with {tasks}: {images}"

    # Absent

    def absent(self) -> None:
        service = self.describe()
        family = (self.params["task_definition"] or {}).get("family", self.name)
        revisions = {
            status: [arn for page in definitions.pages_of_revisions(self.call, family, status=status) for arn in page] for status in ("ACTIVE", "INACTIVE")
        }
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

    # The answer

    def difference(self, plan: Plan) -> dict[str, Any]:
        shown = self.shown(plan.current) if plan.current else {}
        return {
            "before": {
                "service": {key: shown.get(key) for key in plan.changes} if plan.current else {},
                "task_definition": definitions.comparable(plan.running or {}),
            },
            "after": {"service": plan.changes, "task_definition": definitions.comparable(plan.wanted)},
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


def refuse_bad_input(module: AnsibleAWSModule) -> None:
    asked = module.params
    one_off, smoke_request = asked["one_off"] or {}, asked["smoke_request"] or {}
    containers = [container.get("name") for container in (asked["task_definition"] or {}).get("containerDefinitions", [])]
    checks = (
        ("steady_seconds", asked["steady_seconds"] >= 0, "0 or more"),
        ("failures_before_giving_up", asked["failures_before_giving_up"] >= 1, "1 or more"),
        ("wait_timeout_seconds", asked["wait_timeout_seconds"] >= 1, "1 or more"),
        ("revision", not asked["revision"] or REVISION.fullmatch(asked["revision"]), "family:revision, such as shop:7, or its ARN"),
        ("release", not asked["release"] or definitions.RELEASE in release_tags(asked["release"]), "a name with a letter, a digit or one of _ . : / = + - @"),
        ("one_off", not one_off or one_off["command"], "a command that is not empty"),
        ("one_off", not one_off.get("container") or not containers or one_off["container"] in containers, f"a container of {', '.join(map(str, containers))}"),
        ("smoke_request", not smoke_request or HTTP.match(smoke_request["url"]), "a url that begins with http:// or https:// and a host"),
        ("smoke_request", not smoke_request or (smoke_request["status"] and smoke_request["timeout_seconds"] >= 1), "a status or more, and 1 second or more"),
    )
    for option, is_good, allowed in checks:
        if not is_good:
            module.fail_json(msg=f"{option} is {asked[option]!r}: allowed is {allowed}.")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "cluster": {"required": True},
            "task_definition": {"type": "dict"},
            "revision": {},
            "release": {"type": "dict", "options": {"name": {"required": True}, "commit": {}, "by": {}}},
            "one_off": {
                "type": "dict",
                "options": {
                    "command": {"type": "list", "elements": "str", "required": True},
                    "container": {},
                    "timeout_seconds": {"type": "int", "default": 900},
                },
            },
            "smoke_request": {
                "type": "dict",
                "options": {
                    "url": {"required": True},
                    "headers": {"type": "dict", "default": {}},
                    "status": {"type": "list", "elements": "int", "default": [200]},
                    "timeout_seconds": {"type": "int", "default": 60},
                },
            },
            "verify": {"type": "bool", "default": False},
            "registry": {},
            "desired_count": {"type": "int", "default": 1},
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
            "steady_seconds": {"type": "int", "default": 30},
            "failures_before_giving_up": {"type": "int", "default": 3},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **definitions.NETWORK_OPTIONS,
            **LOCK_OPTIONS,
            **PROGRESS_OPTIONS,
            **TAG_OPTIONS,
        },
        mutually_exclusive=[("task_definition", "revision"), ("one_off", "revision")],
        supports_check_mode=True,
    )
    refuse_bad_input(module)
    Service(module).run()


if __name__ == "__main__":
    main()
