#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: application_autoscaling
version_added: 0.1.0
short_description: Manage how Application Auto Scaling scales a resource
description:
  - A scalable target with its minimum and maximum, its target tracking policies and its scheduled actions, as one whole.
  - Target tracking policies and scheduled actions of other names are removed; step scaling policies, which this module does not make, stay. The capacity itself
    is never set, and scaling that somebody has suspended stays suspended.
  - A scheduled action sets the minimum and maximum of the target when its time comes. Those that one of O(scheduled_actions) has set count as right and stay.
  - M(community.aws.application_autoscaling_policy) writes in check mode, never deregisters a scalable target, and knows no scheduled action.
options:
  service_namespace:
    description: The service that the resource belongs to.
    type: str
    default: ecs
  resource_id:
    description: The resource, for a service of ECS C(service/CLUSTER/SERVICE).
    type: str
    required: true
  scalable_dimension:
    description: What of the resource is scaled.
    type: str
    default: ecs:service:DesiredCount
  min_capacity:
    description: The least capacity that is scaled in to; required when O(state=present).
    type: int
  max_capacity:
    description: The greatest capacity that is scaled out to; required when O(state=present).
    type: int
  target_tracking_policies:
    description: Policies that keep a metric close to a value. Each of them may scale out; scaled in is when all of them agree.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the policy, at most 256 characters.
        type: str
        required: true
      metric:
        description: Predefined metric, such as C(ECSServiceAverageCPUUtilization), C(ECSServiceAverageMemoryUtilization) or C(ALBRequestCountPerTarget).
        type: str
        required: true
      target_value:
        description: The value that the metric is kept close to. It is a percentage for CPU and memory, and a number of requests per minute and target for
          C(ALBRequestCountPerTarget).
        type: float
        required: true
      target_group_arn:
        description: ARN of the target group whose requests C(ALBRequestCountPerTarget) counts; a load balancer must forward to it.
        type: str
      scale_in_cooldown_seconds:
        description: For how many seconds after scaling in no more capacity is removed.
        type: int
        default: 300
      scale_out_cooldown_seconds:
        description: For how many seconds after scaling out the added capacity counts, before more is added.
        type: int
        default: 60
      disable_scale_in:
        description: Whether the policy only ever adds capacity.
        type: bool
        default: false
  scheduled_actions:
    description: Changes of the minimum and maximum at a time.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the action, at most 256 characters.
        type: str
        required: true
      schedule:
        description: When, as C(cron(0 8 ? * MON-FRI *)), C(rate(1 day)) or C(at(2027-01-31T08:00:00)).
        type: str
        required: true
      timezone:
        description: Time zone of the schedule, by its name in the IANA database.
        type: str
        default: UTC
      min_capacity:
        description: The minimum from then on; without it the minimum stays.
        type: int
      max_capacity:
        description: The maximum from then on; without it the maximum stays.
        type: int
  state:
    description: Whether the resource is scaled. Its capacity stays as it is when it no longer is.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
notes:
  - The tags are those of the scalable target.
  - The first scalable target of a service namespace in an account makes AWS create a service-linked role, for which C(iam:CreateServiceLinkedRole) is needed.
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The service has 2 to 10 tasks, as many as its CPU needs, and at most 2 at night
  pulsegrid.aws.application_autoscaling:
    resource_id: service/shop/shop
    min_capacity: 2
    max_capacity: 10
    target_tracking_policies:
      - name: cpu
        metric: ECSServiceAverageCPUUtilization
        target_value: 60
    scheduled_actions:
      - {name: evening, schedule: "cron(0 22 * * ? *)", timezone: Europe/Berlin, max_capacity: 2}
      - {name: morning, schedule: "cron(0 6 * * ? *)", timezone: Europe/Berlin, max_capacity: 10}

- name: The service keeps the tasks that it has
  pulsegrid.aws.application_autoscaling:
    resource_id: service/shop/shop
    state: absent
"""

RETURN = r"""
scaling:
  description: The scalable target with its policies and scheduled actions; empty when it is absent.
  returned: success
  type: dict
  contains:
    scalable_target_arn:
      description: ARN of the scalable target.
      type: str
    min_capacity:
      description: The minimum.
      type: int
    max_capacity:
      description: The maximum.
      type: int
    policies:
      description: The target tracking policies by name, with what AWS calls their configuration.
      type: dict
    scheduled_actions:
      description: The scheduled actions by name.
      type: dict
  sample:
    min_capacity: 2
    max_capacity: 10
    policies:
      cpu: {TargetValue: 60.0, PredefinedMetricSpecification: {PredefinedMetricType: ECSServiceAverageCPUUtilization}}
    scheduled_actions: {}
"""

import re
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, Resource, differs

REQUESTS = "ALBRequestCountPerTarget"
# A service, or AWS's own role, that was made just now is not known to every part of AWS.
NOT_KNOWN_YET = re.compile(r"service doesn't exist|service linked role|unable to assume", re.IGNORECASE)
NO_CAPACITY: dict[str, int | None] = {"MinCapacity": None, "MaxCapacity": None}


def given(capacity: dict[str, int | None]) -> dict[str, int]:
    return {key: value for key, value in capacity.items() if value is not None}


class Scaling(Resource):
    service = "application-autoscaling"
    kind = "Scaling of"
    result = "scaling"
    not_found = ("ObjectNotFoundException", "ResourceNotFoundException", "TargetGroupNotFound", "TargetGroupNotFoundException", "ValidationError")
    retry_codes = ("ConcurrentUpdateException", "FailedResourceAccessException")
    keep_case_of = ("Tags", "Policies", "ScheduledActions")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.where = {
            "ServiceNamespace": self.params["service_namespace"],
            "ResourceId": self.params["resource_id"],
            "ScalableDimension": self.params["scalable_dimension"],
        }

    @property
    def name(self) -> str:
        return self.params["resource_id"]

    # What there is

    def describe(self) -> dict[str, Any] | None:
        where = {key: value for key, value in self.where.items() if key != "ResourceId"}
        targets = self.call("describe_scalable_targets", **where, ResourceIds=[self.name])["ScalableTargets"]
        if not targets:
            return None
        arn = targets[0].get("ScalableTargetARN")
        current = {
            "ScalableTargetARN": arn,
            "MinCapacity": targets[0]["MinCapacity"],
            "MaxCapacity": targets[0]["MaxCapacity"],
            "Policies": {
                policy["PolicyName"]: {"DisableScaleIn": False} | policy["TargetTrackingScalingPolicyConfiguration"]
                for policy in self.call_all("describe_scaling_policies", **self.where)["ScalingPolicies"]
                if policy["PolicyType"] == "TargetTrackingScaling"
            },
            "ScheduledActions": {
                action["ScheduledActionName"]: {
                    "Schedule": action["Schedule"],
                    "Timezone": action.get("Timezone") or "UTC",
                    "ScalableTargetAction": NO_CAPACITY | action.get("ScalableTargetAction", {}),
                }
                for action in self.call_all("describe_scheduled_actions", **self.where)["ScheduledActions"]
            },
        }
        if self.params["tags"] is not None and arn:
            current["Tags"] = (self.find("list_tags_for_resource", ResourceARN=arn) or {}).get("Tags", {})
        return current

    # What there should be

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        policies = {policy["name"]: self.wanted_policy(policy) for policy in self.params["target_tracking_policies"]}
        actions = {action["name"]: self.wanted_action(action) for action in self.params["scheduled_actions"]}
        return {
            **self.wanted_capacity(current, actions),
            "Policies": policies | {name: None for name in (current or {}).get("Policies", {}) if name not in policies},
            "ScheduledActions": actions | {name: None for name in (current or {}).get("ScheduledActions", {}) if name not in actions},
            "Tags": self.wanted_tags(current),
        }

    def wanted_capacity(self, current: dict[str, Any] | None, actions: dict[str, Any]) -> dict[str, int]:
        asked = {"MinCapacity": self.params["min_capacity"], "MaxCapacity": self.params["max_capacity"]}
        if current is None:
            return asked
        have = {key: current[key] for key in asked}
        set_by = [given(action["ScalableTargetAction"]) for name, action in actions.items() if current["ScheduledActions"].get(name) == action]
        # Actions may set one bound each
        return have if all(have[key] in {asked[key], *(bounds[key] for bounds in set_by if key in bounds)} for key in have) else asked

    def wanted_policy(self, policy: dict[str, Any]) -> dict[str, Any]:
        metric = {"PredefinedMetricType": policy["metric"]}
        if policy["metric"] == REQUESTS:
            metric["ResourceLabel"] = self.label(policy["target_group_arn"])
        return {
            "TargetValue": policy["target_value"],
            "PredefinedMetricSpecification": metric,
            "ScaleInCooldown": policy["scale_in_cooldown_seconds"],
            "ScaleOutCooldown": policy["scale_out_cooldown_seconds"],
            "DisableScaleIn": policy["disable_scale_in"],
        }

    @staticmethod
    def wanted_action(action: dict[str, Any]) -> dict[str, Any]:
        return {
            "Schedule": action["schedule"],
            "Timezone": action["timezone"],
            "ScalableTargetAction": {"MinCapacity": action["min_capacity"], "MaxCapacity": action["max_capacity"]},
        }

    def label(self, target_group_arn: str) -> str:
        """How CloudWatch names the requests that a load balancer sends to a target group: app/NAME/ID/targetgroup/NAME/ID."""
        found = self.find("describe_target_groups", client=self.client_for("elbv2"), TargetGroupArns=[target_group_arn])
        groups = (found or {}).get("TargetGroups", [])
        balancers = groups[0].get("LoadBalancerArns", []) if groups else []
        if not balancers:
            if self.module.check_mode:
                return "known-after-apply"
            self.module.fail_json(
                msg=f"{self.kind} {self.name}: no load balancer forwards to target group {target_group_arn}, so there are no requests to count."
            )
        return f"{balancers[0].partition(':loadbalancer/')[2]}/{target_group_arn.rpartition(':')[2]}"

    # What is to be done

    def create(self, wanted: dict[str, Any]) -> None:
        tags = {"Tags": wanted["Tags"]} if wanted.get("Tags") else {}
        capacity = {key: wanted[key] for key in ("MinCapacity", "MaxCapacity")}
        self.wait_until(lambda: self.registered(**capacity, **tags), "known to Application Auto Scaling", 60)
        self.put({"Policies": {}, "ScheduledActions": {}}, wanted)

    def registered(self, **arguments: Any) -> bool:
        """False while the resource, made just now, is not known to Application Auto Scaling."""
        try:
            self.client.register_scalable_target(aws_retry=True, **self.where, **arguments)
        except botocore.exceptions.ClientError as error:
            if NOT_KNOWN_YET.search(error.response["Error"].get("Message", "")):
                return False
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not register scalable target")
        except botocore.exceptions.BotoCoreError as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not register scalable target")
        return True

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        capacity = {key: wanted[key] for key in ("MinCapacity", "MaxCapacity")}
        if differs(current, capacity):
            self.call("register_scalable_target", **self.where, **capacity)
        self.put(current, wanted)
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", ResourceARN=current["ScalableTargetARN"], Tags=to_set)
        if to_remove:
            self.call("untag_resource", ResourceARN=current["ScalableTargetARN"], TagKeys=to_remove)

    def put(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        for name, policy in wanted["Policies"].items():
            if policy is None:
                self.find("delete_scaling_policy", **self.where, PolicyName=name)
            elif differs(current["Policies"].get(name), policy):
                self.call(
                    "put_scaling_policy",
                    **self.where,
                    PolicyName=name,
                    PolicyType="TargetTrackingScaling",
                    TargetTrackingScalingPolicyConfiguration=policy,
                )
        for name, action in wanted["ScheduledActions"].items():
            have = current["ScheduledActions"].get(name)
            if have == action:
                continue
            if have:  # PutScheduledAction keeps what it is not given, such as a maximum that is no longer asked for
                self.find("delete_scheduled_action", **self.where, ScheduledActionName=name)
            if action:
                action = action | {"ScalableTargetAction": given(action["ScalableTargetAction"])}
                self.call("put_scheduled_action", **self.where, ScheduledActionName=name, **action)

    def delete(self, current: dict[str, Any]) -> None:
        # One by one, so that the alarms of a policy are gone too when this is done.
        for name in current["Policies"]:
            self.find("delete_scaling_policy", **self.where, PolicyName=name)
        for name in current["ScheduledActions"]:
            self.find("delete_scheduled_action", **self.where, ScheduledActionName=name)
        self.find("deregister_scalable_target", **self.where)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "service_namespace": {"default": "ecs"},
            "resource_id": {"required": True},
            "scalable_dimension": {"default": "ecs:service:DesiredCount"},
            "min_capacity": {"type": "int"},
            "max_capacity": {"type": "int"},
            "target_tracking_policies": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"required": True},
                    "metric": {"required": True},
                    "target_value": {"type": "float", "required": True},
                    "target_group_arn": {},
                    "scale_in_cooldown_seconds": {"type": "int", "default": 300},
                    "scale_out_cooldown_seconds": {"type": "int", "default": 60},
                    "disable_scale_in": {"type": "bool", "default": False},
                },
                "required_if": [("metric", REQUESTS, ("target_group_arn",))],
            },
            "scheduled_actions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"required": True},
                    "schedule": {"required": True},
                    "timezone": {"default": "UTC"},
                    "min_capacity": {"type": "int"},
                    "max_capacity": {"type": "int"},
                },
                "required_one_of": [("min_capacity", "max_capacity")],
            },
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ("min_capacity", "max_capacity"))],
        supports_check_mode=True,
    )
    Scaling(module).run()


if __name__ == "__main__":
    main()
