#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_concurrency
version_added: 0.1.0
short_description: Manage the reserved concurrency of a Lambda function
description:
  - Reserved concurrency is how many instances of a function may run at once. They are set aside from the account's limit.
  - The official collections have no module for it.
options:
  function_name:
    description: Name of the function.
    type: str
    required: true
  reserved_concurrent_executions:
    description:
      - How many instances may run at once; 0 stops the function.
      - Required with O(state=present).
    type: int
  only_existing:
    description: Whether a function that is not there yet is left alone, and no failure.
    type: bool
    default: false
  state:
    description: Whether concurrency is reserved. Without it the function shares the account's.
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
- name: The function never runs twice at once
  pulsegrid.aws.lambda_concurrency:
    function_name: pulsegrid-production-healthcheck
    reserved_concurrent_executions: 1
"""

RETURN = r"""
function_exists:
  description: Whether there is such a function.
  returned: success
  type: bool
  sample: true
concurrency:
  description: The reserved concurrency; empty when it is absent.
  returned: success
  type: dict
  contains:
    reserved_concurrent_executions:
      description: How many instances may run at once.
      type: int
      sample: 1
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource

KEY = "ReservedConcurrentExecutions"


class Concurrency(Resource):
    service = "lambda"
    kind = "Reserved concurrency of the function"
    result = "concurrency"
    not_found = ("ResourceNotFoundException",)
    retry_codes = ("ResourceConflictException",)

    @property
    def name(self) -> str:
        return self.params["function_name"]

    def describe(self) -> dict[str, Any] | None:
        found = self.find("get_function_concurrency", FunctionName=self.name)
        self.exists = found is not None
        return {KEY: found[KEY]} if found and found.get(KEY) is not None else None

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {KEY: self.params["reserved_concurrent_executions"]}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("put_function_concurrency", FunctionName=self.name, **wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.create(wanted)

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_function_concurrency", FunctionName=self.name)

    def exit(self, changed: bool, before: dict[str, Any] | None, after: dict[str, Any] | None, resource: dict[str, Any] | None, **more: Any) -> None:
        super().exit(changed, before, after, resource, function_exists=self.exists, **more)

    def run(self) -> None:
        if self.params["only_existing"] and self.describe() is None and not self.exists:
            self.exit(False, None, None, None)
            return
        super().run()


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True},
            "reserved_concurrent_executions": {"type": "int"},
            "only_existing": {"type": "bool", "default": False},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("reserved_concurrent_executions",))],
        supports_check_mode=True,
    )
    Concurrency(module).run()


if __name__ == "__main__":
    main()
