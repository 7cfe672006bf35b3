#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduler_schedule
version_added: 0.1.0
short_description: Manage a schedule of EventBridge Scheduler
description:
  - A schedule invokes a target, such as a Lambda function, at a rate, by a cron expression in a time zone, or once.
  - The official collections have no module for EventBridge Scheduler; M(amazon.aws.cloudwatchevent_rule) manages scheduled rules of its
    predecessor, which know neither time zones nor a maximum age, and answers I(skipped) in check mode.
  - A schedule cannot be tagged, its group can.
options:
  name:
    description: Name of the schedule, at most 64 letters, digits, dots, hyphens and underscores.
    type: str
    required: true
  group_name:
    description: Name of the schedule group, which must be there.
    type: str
    default: default
  description:
    description: What the schedule is for, at most 512 characters.
    type: str
    default: ""
  schedule_expression:
    description:
      - V(rate(5 minutes)), V(cron(0 8 * * ? *)) or V(at(2030-01-01T00:00:00)).
      - Required with O(state=present).
    type: str
  schedule_expression_timezone:
    description: IANA time zone in which a cron expression is read.
    type: str
    default: UTC
  enabled:
    description: Whether the schedule invokes its target.
    type: bool
    default: true
  flexible_time_window_minutes:
    description: How many minutes after the scheduled time the target may be invoked, 1 to 1440; 0 is at the time itself.
    type: int
    default: 0
  target:
    description:
      - What is invoked.
      - Required with O(state=present).
    type: dict
    suboptions:
      arn:
        description: ARN of the target.
        type: str
        required: true
      role_arn:
        description: ARN of the role with which EventBridge Scheduler invokes the target.
        type: str
        required: true
      input:
        description: What the target receives, as a dictionary or as JSON.
        type: json
      dead_letter_arn:
        description: ARN of the SQS queue that receives an event that could not be delivered.
        type: str
      maximum_retry_attempts:
        description: How often a failed delivery is tried again, 0 to 185.
        type: int
        default: 185
      maximum_event_age_seconds:
        description: How long a delivery is tried, 60 to 86400 seconds.
        type: int
        default: 86400
  state:
    description: Whether the schedule is there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Right after a role was created EventBridge Scheduler may not be able to assume it yet; the module tries again for about a minute.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The function runs every five minutes
  pulsegrid.aws.scheduler_schedule:
    name: pulsegrid-production-healthcheck
    group_name: pulsegrid-production
    schedule_expression: rate(5 minutes)
    target:
      arn: arn:aws:lambda:us-east-1:123456789012:function:pulsegrid-production-healthcheck
      role_arn: arn:aws:iam::123456789012:role/pulsegrid-production-healthcheck-schedule
      input:
        targets: []
      maximum_retry_attempts: 2
      maximum_event_age_seconds: 300

- name: The schedule is gone
  pulsegrid.aws.scheduler_schedule:
    name: pulsegrid-production-healthcheck
    group_name: pulsegrid-production
    state: absent
"""

RETURN = r"""
schedule:
  description: The schedule; empty when it is absent. In check mode one that would be created has no ARN.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: pulsegrid-production-healthcheck
    group_name:
      description: Name of its group.
      type: str
      sample: pulsegrid-production
    arn:
      description: Its ARN.
      type: str
      sample: arn:aws:scheduler:us-east-1:123456789012:schedule/pulsegrid-production/pulsegrid-production-healthcheck
    description:
      description: What it is for.
      type: str
      sample: Checks the site and the API
    schedule_expression:
      description: When it invokes its target.
      type: str
      sample: rate(5 minutes)
    schedule_expression_timezone:
      description: The time zone of the expression.
      type: str
      sample: UTC
    state:
      description: ENABLED or DISABLED.
      type: str
      sample: ENABLED
    flexible_time_window:
      description: How exact the time is.
      type: dict
      sample: {"mode": "OFF"}
    target:
      description: What it invokes. The input is the JSON text that the target receives.
      type: dict
      sample: {"arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "input": "{}", "role_arn": "arn:aws:iam::123456789012:role/r"}
"""

import json
import re
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource

PROPERTIES = (
    "Name",
    "GroupName",
    "Arn",
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "FlexibleTimeWindow",
    "Target",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "ActionAfterCompletion",
)
UNMANAGED = ("StartDate", "EndDate", "KmsKeyArn", "ActionAfterCompletion")
ROLE_NOT_READY = re.compile(r"role.*assume|assume.*role", re.IGNORECASE | re.DOTALL)


class Schedule(Resource):
    service = "scheduler"
    kind = "Schedule"
    result = "schedule"
    not_found = ("ResourceNotFoundException",)
    retry_codes = ("ConflictException",)

    def describe(self) -> dict[str, Any] | None:
        schedule = self.find("get_schedule", Name=self.name, GroupName=self.params["group_name"])
        return schedule and {key: schedule[key] for key in PROPERTIES if key in schedule}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        window = self.params["flexible_time_window_minutes"]
        return {
            "Name": self.name,
            "GroupName": self.params["group_name"],
            "Description": self.params["description"],
            "ScheduleExpression": self.params["schedule_expression"],
            "ScheduleExpressionTimezone": self.params["schedule_expression_timezone"],
            "State": "ENABLED" if self.params["enabled"] else "DISABLED",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": window} if window else {"Mode": "OFF"},
            "Target": self.wanted_target((current or {}).get("Target", {})),
        }

    def wanted_target(self, current: dict[str, Any]) -> dict[str, Any]:
        """The target; an input and a dead-letter queue that are no longer given show as None, so that their removal is a difference."""
        target = self.params["target"]
        dead_letter_arn = target["dead_letter_arn"]
        return {
            "Arn": target["arn"],
            "RoleArn": target["role_arn"],
            "Input": self.wanted_input(target["input"], current.get("Input")),
            "DeadLetterConfig": {"Arn": dead_letter_arn} if dead_letter_arn else None,
            "RetryPolicy": {
                "MaximumRetryAttempts": target["maximum_retry_attempts"],
                "MaximumEventAgeInSeconds": target["maximum_event_age_seconds"],
            },
        }

    @staticmethod
    def wanted_input(given: str | None, current: str | None) -> str | None:
        """The current text where it says the same as the given JSON."""
        if given is None:
            return None
        value = json.loads(given)
        try:
            if current is not None and json.loads(current) == value:
                return current
        except ValueError:
            pass
        return json.dumps(value, sort_keys=True)

    def create(self, wanted: dict[str, Any]) -> None:
        self.put("create_schedule", wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        # UpdateSchedule replaces the whole schedule: what this module does not manage is sent back as it is.
        self.put("update_schedule", {key: current[key] for key in UNMANAGED if current.get(key)} | wanted)

    def put(self, operation: str, wanted: dict[str, Any]) -> None:
        target = {key: value for key, value in wanted["Target"].items() if value is not None}
        arguments = {key: value for key, value in wanted.items() if value is not None} | {"Target": target}
        self.wait_until(lambda: self.put_once(operation, arguments), "able to assume the role of its target", 60)

    def put_once(self, operation: str, arguments: dict[str, Any]) -> bool:
        """False while EventBridge Scheduler cannot assume a role that was created just now (IAM is eventually consistent)."""
        try:
            getattr(self.client, operation)(aws_retry=True, **arguments)
        except botocore.exceptions.ClientError as error:
            details = error.response["Error"]
            if details["Code"] == "ValidationException" and ROLE_NOT_READY.search(details.get("Message", "")):
                return False
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {operation.replace('_', ' ')}")
        except botocore.exceptions.BotoCoreError as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {operation.replace('_', ' ')}")
        return True

    def delete(self, current: dict[str, Any]) -> None:
        self.find("delete_schedule", Name=self.name, GroupName=self.params["group_name"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "group_name": {"default": "default"},
            "description": {"default": ""},
            "schedule_expression": {},
            "schedule_expression_timezone": {"default": "UTC"},
            "enabled": {"type": "bool", "default": True},
            "flexible_time_window_minutes": {"type": "int", "default": 0},
            "target": {
                "type": "dict",
                "options": {
                    "arn": {"required": True},
                    "role_arn": {"required": True},
                    "input": {"type": "json"},
                    "dead_letter_arn": {},
                    "maximum_retry_attempts": {"type": "int", "default": 185},
                    "maximum_event_age_seconds": {"type": "int", "default": 86400},
                },
            },
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("schedule_expression", "target"))],
        supports_check_mode=True,
    )
    Schedule(module).run()


if __name__ == "__main__":
    main()
