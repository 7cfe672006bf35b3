#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_flow_log
version_added: 0.1.0
short_description: Manage a VPC's flow log in CloudWatch Logs
description:
  - A flow log of a VPC, which writes to a log group. One whose other properties differ is replaced, since AWS can change nothing but its tags.
  - There is no official module for flow logs.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  log_group_name:
    description: Name of the log group. A flow log of the VPC that writes elsewhere is left alone.
    type: str
    required: true
  role_arn:
    description: ARN of the IAM role with which C(vpc-flow-logs.amazonaws.com) writes to the log group. Required when O(state=present).
    type: str
  traffic_type:
    description: Which traffic is logged.
    type: str
    choices: [accept, reject, all]
    default: all
  max_aggregation_interval_seconds:
    description: How long a flow is gathered into one record. The short interval makes up to ten times as many records.
    type: int
    choices: [60, 600]
    default: 600
  state:
    description: Whether the flow log is there.
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
- name: What security groups reject is logged
  pulsegrid.aws.ec2_flow_log:
    vpc_id: vpc-0123456789abcdef0
    log_group_name: /aws/vpc-flow-logs/pulsegrid-production
    role_arn: arn:aws:iam::123456789012:role/pulsegrid-production-flow-logs
    traffic_type: reject

- name: Nothing is logged
  pulsegrid.aws.ec2_flow_log:
    vpc_id: vpc-0123456789abcdef0
    log_group_name: /aws/vpc-flow-logs/pulsegrid-production
    state: absent
"""

RETURN = r"""
flow_log:
  description: The flow log; empty when it is absent.
  returned: success
  type: dict
  contains:
    flow_log_id:
      description: Its ID; missing in check mode for one that is not there yet.
      type: str
      sample: fl-0123456789abcdef0
    log_group_name:
      description: The log group to which it writes.
      type: str
      sample: /aws/vpc-flow-logs/pulsegrid-production
    deliver_logs_permission_arn:
      description: The role with which it writes.
      type: str
      sample: arn:aws:iam::123456789012:role/pulsegrid-production-flow-logs
    traffic_type:
      description: V(ACCEPT), V(REJECT) or V(ALL).
      type: str
      sample: REJECT
    max_aggregation_interval:
      description: How many seconds a flow is gathered into one record.
      type: int
      sample: 600
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Ec2Resource
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, differs

PROPERTIES = ("LogGroupName", "DeliverLogsPermissionArn", "TrafficType", "MaxAggregationInterval")


class FlowLog(Ec2Resource):
    kind = "Flow log"
    result = "flow_log"

    @property
    def name(self) -> str:
        return f"{self.params['log_group_name']} of {self.params['vpc_id']}"

    def describe(self) -> dict[str, Any] | None:
        found = self.call_all("describe_flow_logs", Filter=[{"Name": "resource-id", "Values": [self.params["vpc_id"]]}])["FlowLogs"]
        for flow_log in found:
            if flow_log.get("LogGroupName") == self.params["log_group_name"]:
                shown = {key: flow_log.get(key) for key in ("FlowLogId", *PROPERTIES)}
                return {**shown, "Tags": self.tags_of(flow_log)}
        return None

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "LogGroupName": self.params["log_group_name"],
            "DeliverLogsPermissionArn": self.params["role_arn"],
            "TrafficType": self.params["traffic_type"].upper(),
            "MaxAggregationInterval": self.params["max_aggregation_interval_seconds"],
            "Tags": self.wanted_tags(current),
        }

    def create(self, wanted: dict[str, Any]) -> None:
        # A role that was made a moment ago cannot be assumed yet
        self.wait_until(lambda: self.created(wanted), "made with its role", seconds=60)

    def created(self, wanted: dict[str, Any]) -> bool:
        try:
            answer = self.client.create_flow_logs(
                aws_retry=True,
                ResourceType="VPC",
                ResourceIds=[self.params["vpc_id"]],
                LogDestinationType="cloud-watch-logs",
                **{key: wanted[key] for key in PROPERTIES},
                **self.new_tags("vpc-flow-log", wanted.get("Tags") or {}),
            )
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            if "Unable to assume" in str(error):
                return False
            self.fail(error, "create flow logs")
            raise
        errors = [refused["Error"].get("Message", "") for refused in answer.get("Unsuccessful") or []]
        if errors and "assume" not in errors[0]:
            self.module.fail_json(msg=f"{self.kind} {self.name}: could not create flow logs: {errors[0]}")
        return not errors

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if differs(current, {key: wanted[key] for key in PROPERTIES}):
            self.delete(current)
            self.create({**wanted, "Tags": wanted.get("Tags", current["Tags"])})
            return
        self.set_tags(current["FlowLogId"], current["Tags"], wanted.get("Tags"))

    def delete(self, current: dict[str, Any]) -> None:
        for refused in self.call("delete_flow_logs", FlowLogIds=[current["FlowLogId"]]).get("Unsuccessful") or []:
            self.module.fail_json(msg=f"{self.kind} {self.name}: could not delete flow logs: {refused['Error'].get('Message')}")
        self.wait_until(lambda: (self.describe() or {}).get("FlowLogId") != current["FlowLogId"], "gone", seconds=60, interval=2)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"required": True},
            "log_group_name": {"required": True},
            "role_arn": {},
            "traffic_type": {"choices": ["accept", "reject", "all"], "default": "all"},
            "max_aggregation_interval_seconds": {"type": "int", "choices": [60, 600], "default": 600},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ["role_arn"])],
        supports_check_mode=True,
    )
    FlowLog(module).run()


if __name__ == "__main__":
    main()
