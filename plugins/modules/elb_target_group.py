#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: elb_target_group
version_added: 0.1.0
short_description: Manage a target group of an Application Load Balancer
description:
  - A target group is where a listener of a load balancer forwards requests to, and how it finds out which targets are healthy.
  - M(community.aws.elb_target_group) answers I(skipped) in check mode, so that a run cannot be predicted, and deregisters the targets
    that a container service registered unless it is told not to. This module leaves targets alone.
options:
  name:
    description: Name of the target group, at most 32 letters, digits and hyphens.
    type: str
    required: true
  protocol:
    description: Protocol of the targets. It can be changed by replacement only.
    type: str
    choices: [HTTP, HTTPS]
    default: HTTP
  port:
    description:
      - Port of the targets. It can be changed by replacement only.
      - Required with O(state=present).
    type: int
  vpc_id:
    description:
      - ID of the targets' VPC. It can be changed by replacement only.
      - Required with O(state=present).
    type: str
  target_type:
    description: How targets are registered. It can be changed by replacement only.
    type: str
    choices: [instance, ip]
    default: ip
  health_check_path:
    description: Path that is requested to find out whether a target is healthy.
    type: str
    default: /
  health_check_codes:
    description: HTTP codes with which a healthy target answers, such as V(200), V(200,204) or V(200-299).
    type: str
    default: "200"
  health_check_interval_seconds:
    description: Seconds between two health checks of a target, 5 to 300.
    type: int
    default: 30
  health_check_timeout_seconds:
    description: Seconds after which a health check without an answer has failed, 2 to 120, less than the interval.
    type: int
    default: 5
  healthy_threshold_count:
    description: Successful health checks in a row that make a target healthy, 2 to 10.
    type: int
    default: 5
  unhealthy_threshold_count:
    description: Failed health checks in a row that make a target unhealthy, 2 to 10.
    type: int
    default: 2
  deregistration_delay_seconds:
    description: How long a deregistered target may finish its requests, 0 to 3600.
    type: int
    default: 300
  state:
    description: Whether the target group is there.
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
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Healthy tasks receive requests
  pulsegrid.aws.elb_target_group:
    name: pulsegrid-production
    port: 8080
    vpc_id: vpc-0123456789abcdef0
    health_check_path: /api/v1/health
    health_check_interval_seconds: 10

- name: The target group is gone
  pulsegrid.aws.elb_target_group:
    name: pulsegrid-production
    state: absent
"""

RETURN = r"""
target_group:
  description: The target group; empty when it is absent. In check mode one that would be created has no ARN.
  returned: success
  type: dict
  contains:
    target_group_name:
      description: Its name.
      type: str
      sample: pulsegrid-production
    target_group_arn:
      description: Its ARN.
      type: str
      sample: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pulsegrid-production/6d0ecf831eec9f09
    load_balancer_arns:
      description: ARNs of the load balancers that forward to it.
      type: list
      elements: str
      sample: []
    protocol:
      description: Protocol of the targets.
      type: str
      sample: HTTP
    port:
      description: Port of the targets.
      type: int
      sample: 8080
    vpc_id:
      description: ID of the targets' VPC.
      type: str
      sample: vpc-0123456789abcdef0
    target_type:
      description: How targets are registered.
      type: str
      sample: ip
    attributes:
      description: Its attributes by AWS's names.
      type: dict
      sample: {"deregistration_delay.timeout_seconds": "300"}
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    differs,
)

FIXED = {"TargetType": "target_type", "Protocol": "protocol", "Port": "port", "VpcId": "vpc_id"}
HEALTH_CHECK = (
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)


class TargetGroup(Resource):
    service = "elbv2"
    kind = "Target group"
    result = "target_group"
    not_found = ("TargetGroupNotFound",)
    retry_codes = ("ResourceInUse",)  # a listener that was deleted just now
    keep_case_of = ("Attributes", "Tags")

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_target_groups", Names=[self.name])
        if found is None:
            return None
        group = found["TargetGroups"][0]
        arn = group["TargetGroupArn"]
        attributes = self.call("describe_target_group_attributes", TargetGroupArn=arn)["Attributes"]
        tags = self.call("describe_tags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        return group | {"Attributes": boto3_tag_list_to_ansible_dict(attributes), "Tags": boto3_tag_list_to_ansible_dict(tags)}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        if current:
            self.refuse_replacement(current)
        return {
            "TargetGroupName": self.name,
            **{key: self.params[option] for key, option in FIXED.items()},
            "HealthCheckPath": self.params["health_check_path"],
            "HealthCheckIntervalSeconds": self.params["health_check_interval_seconds"],
            "HealthCheckTimeoutSeconds": self.params["health_check_timeout_seconds"],
            "HealthyThresholdCount": self.params["healthy_threshold_count"],
            "UnhealthyThresholdCount": self.params["unhealthy_threshold_count"],
            "Matcher": {"HttpCode": self.params["health_check_codes"]},
            "Attributes": {"deregistration_delay.timeout_seconds": str(self.params["deregistration_delay_seconds"])},
            "Tags": self.wanted_tags(current),
        }

    def refuse_replacement(self, current: dict[str, Any]) -> None:
        changes = [f"{option} from {current[key]} to {self.params[option]}" for key, option in FIXED.items() if current[key] != self.params[option]]
        if changes:
            self.module.fail_json(
                msg=f"Target group {self.name}: AWS cannot change {' and '.join(changes)} in place. Make a target group with another name, "
                "or remove this one with what forwards to it, and run again."
            )

    def create(self, wanted: dict[str, Any]) -> None:
        arguments = {key: wanted[key] for key in (*FIXED, *HEALTH_CHECK)}
        if wanted.get("Tags"):
            arguments["Tags"] = ansible_dict_to_boto3_tag_list(wanted["Tags"])
        group = self.call("create_target_group", Name=self.name, **arguments)["TargetGroups"][0]
        self.set_attributes(group["TargetGroupArn"], wanted["Attributes"])

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        arn = current["TargetGroupArn"]
        health_check = {key: wanted[key] for key in HEALTH_CHECK}
        if differs(current, health_check):
            self.call("modify_target_group", TargetGroupArn=arn, **health_check)
        if differs(current["Attributes"], wanted["Attributes"]):
            self.set_attributes(arn, wanted["Attributes"])
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("add_tags", ResourceArns=[arn], Tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("remove_tags", ResourceArns=[arn], TagKeys=to_remove)

    def set_attributes(self, arn: str, attributes: dict[str, str]) -> None:
        self.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=ansible_dict_to_boto3_tag_list(attributes))

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_target_group", TargetGroupArn=current["TargetGroupArn"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "protocol": {"choices": ["HTTP", "HTTPS"], "default": "HTTP"},
            "port": {"type": "int"},
            "vpc_id": {},
            "target_type": {"choices": ["instance", "ip"], "default": "ip"},
            "health_check_path": {"default": "/"},
            "health_check_codes": {"default": "200"},
            "health_check_interval_seconds": {"type": "int", "default": 30},
            "health_check_timeout_seconds": {"type": "int", "default": 5},
            "healthy_threshold_count": {"type": "int", "default": 5},
            "unhealthy_threshold_count": {"type": "int", "default": 2},
            "deregistration_delay_seconds": {"type": "int", "default": 300},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ("port", "vpc_id"))],
        supports_check_mode=True,
    )
    TargetGroup(module).run()


if __name__ == "__main__":
    main()
