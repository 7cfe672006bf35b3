#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_event_invoke_config
version_added: 0.1.0
short_description: Manage what becomes of asynchronous invocations of a Lambda function
description:
  - How often and how long Lambda tries an asynchronous invocation again, and where it sends one that failed.
  - The official collections have no module for it. The C(dead_letter_arn) of M(amazon.aws.lambda) is its predecessor, which receives the event without
    the error, and cannot limit retries.
options:
  function_name:
    description: Name of the function.
    type: str
    required: true
  qualifier:
    description: The version or alias whose invocations are meant; without it those that name neither.
    type: str
  maximum_retry_attempts:
    description: How often a failed invocation is tried again, 0 to 2.
    type: int
    default: 2
  maximum_event_age_seconds:
    description: How long an invocation waits for its turn, 60 to 21600 seconds.
    type: int
    default: 21600
  on_failure_arn:
    description: ARN of the SQS queue, SNS topic, function or event bus that receives a failed invocation.
    type: str
  state:
    description: Whether the function has the configuration. Without it Lambda's defaults hold.
    type: str
    choices: [present, absent]
    default: present
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
- name: A failed invocation reaches the queue
  pulsegrid.aws.lambda_event_invoke_config:
    function_name: pulsegrid-production-healthcheck
    maximum_retry_attempts: 0
    maximum_event_age_seconds: 60
    on_failure_arn: arn:aws:sqs:us-east-1:123456789012:pulsegrid-production-healthcheck-failures
"""

RETURN = r"""
event_invoke_config:
  description: The configuration; empty when it is absent.
  returned: success
  type: dict
  contains:
    maximum_retry_attempts:
      description: How often a failed invocation is tried again.
      type: int
      sample: 0
    maximum_event_age_in_seconds:
      description: How long an invocation waits for its turn.
      type: int
      sample: 60
    on_failure_arn:
      description: Where a failed invocation is sent; empty for nowhere.
      type: str
      sample: arn:aws:sqs:us-east-1:123456789012:failures
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource


class EventInvokeConfig(Resource):
    service = "lambda"
    kind = "Event invoke configuration of the function"
    result = "event_invoke_config"
    not_found = ("ResourceNotFoundException",)
    retry_codes = ("ResourceConflictException",)

    @property
    def name(self) -> str:
        return self.params["function_name"]

    @property
    def function(self) -> dict[str, str]:
        qualifier = self.params["qualifier"]
        return {"FunctionName": self.name} | ({"Qualifier": qualifier} if qualifier else {})

    def describe(self) -> dict[str, Any] | None:
        config = self.find("get_function_event_invoke_config", **self.function)
        if config is None:
            return None
        failure = config.get("DestinationConfig", {}).get("OnFailure") or {}
        return self.properties(config.get("MaximumRetryAttempts"), config.get("MaximumEventAgeInSeconds"), failure.get("Destination"))

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return self.properties(self.params["maximum_retry_attempts"], self.params["maximum_event_age_seconds"], self.params["on_failure_arn"])

    @staticmethod
    def properties(attempts: int | None, seconds: int | None, on_failure_arn: str | None) -> dict[str, Any]:
        return {"MaximumRetryAttempts": attempts, "MaximumEventAgeInSeconds": seconds, "OnFailureArn": on_failure_arn or ""}

    def create(self, wanted: dict[str, Any]) -> None:
        properties = dict(wanted)
        arn = properties.pop("OnFailureArn")
        properties["DestinationConfig"] = {"OnFailure": {"Destination": arn} if arn else {}}
        # It replaces the configuration that there is.
        self.call("put_function_event_invoke_config", **self.function, **properties)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.create(wanted)

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_function_event_invoke_config", **self.function)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True},
            "qualifier": {},
            "maximum_retry_attempts": {"type": "int", "default": 2},
            "maximum_event_age_seconds": {"type": "int", "default": 21600},
            "on_failure_arn": {},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    EventInvokeConfig(module).run()


if __name__ == "__main__":
    main()
