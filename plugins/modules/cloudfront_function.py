#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudfront_function
version_added: 0.1.0
short_description: Manage and publish a CloudFront function
description:
  - Creates or updates a CloudFront function and publishes it, so that its C(LIVE) stage runs the code given.
  - The official collections have no module for CloudFront functions.
  - What is compared is the C(LIVE) stage. A draft in the C(DEVELOPMENT) stage is no change by itself; it is overwritten when the code changes.
options:
  name:
    description: Name of the function, at most 64 letters, digits, hyphens and underscores.
    type: str
    required: true
  code:
    description: The JavaScript source, at most 10 KB. Required when the function is to be present and is not there yet.
    type: str
  runtime:
    description: The runtime environment.
    type: str
    choices: [cloudfront-js-1.0, cloudfront-js-2.0]
    default: cloudfront-js-2.0
  comment:
    description: What the function does.
    type: str
    default: ""
  state:
    description: Whether the function is there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the code and the configuration before and after.
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
- name: A deep link serves the page
  pulsegrid.aws.cloudfront_function:
    name: pulsegrid-production-spa
    comment: A path without an extension is the page's
    code: "{{ lookup('ansible.builtin.file', 'spa.js') }}"
  register: spa

- name: The function is gone
  pulsegrid.aws.cloudfront_function:
    name: pulsegrid-production-spa
    state: absent
"""

RETURN = r"""
function:
  description: The published function; empty when it is absent. In check mode the ARN of one that would be created is a placeholder.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: pulsegrid-production-spa
    arn:
      description: Its ARN, which a cache behavior's function association names.
      type: str
      sample: arn:aws:cloudfront::111122223333:function/pulsegrid-production-spa
    comment:
      description: What it does.
      type: str
      sample: A path without an extension is the page's
    runtime:
      description: Its runtime environment.
      type: str
      sample: cloudfront-js-2.0
    code:
      description: The source that the C(LIVE) stage runs; empty when it was never published.
      type: str
      sample: "function handler(event) { return event.request; }"
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.cloudfront import CloudFrontResource


class Function(CloudFrontResource):
    kind = "CloudFront function"
    result = "function"
    not_found = ("NoSuchFunctionExists",)

    @property
    def placeholder(self) -> dict[str, str]:
        return {"ARN": f"arn:aws:cloudfront::000000000000:function/{self.name}"}

    def describe(self) -> dict[str, Any] | None:
        live = self.find("describe_function", Name=self.name, Stage="LIVE")
        if live is None:
            draft = self.find("describe_function", Name=self.name, Stage="DEVELOPMENT")
            return draft and {**self._summary(draft), "Code": ""}
        code = self.call("get_function", Name=self.name, Stage="LIVE")["FunctionCode"].read().decode()
        return {**self._summary(live), "Code": code}

    @staticmethod
    def _summary(answer: dict[str, Any]) -> dict[str, Any]:
        summary = answer["FunctionSummary"]
        config = summary["FunctionConfig"]
        return {"Name": summary["Name"], "ARN": summary["FunctionMetadata"]["FunctionARN"], "Comment": config["Comment"], "Runtime": config["Runtime"]}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        if current is None and self.params["code"] is None:
            self.module.fail_json(msg=f"{self.kind} {self.name} is not there, and without code it cannot be created")
        return {"Name": self.name, "Comment": self.params["comment"], "Runtime": self.params["runtime"], "Code": self.params["code"]}

    @staticmethod
    def _arguments(wanted: dict[str, Any]) -> dict[str, Any]:
        return {"FunctionConfig": {"Comment": wanted["Comment"], "Runtime": wanted["Runtime"]}, "FunctionCode": wanted["Code"].encode()}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("create_function", Name=self.name, **self._arguments(wanted))
        self._publish()

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        arguments = self._arguments({**current, **wanted})
        self._write("update_function", arguments)
        self._publish()

    def _publish(self) -> None:
        self._write("publish_function")

    def delete(self, current: dict[str, Any]) -> None:
        self._write("delete_function")

    def _write(self, operation: str, arguments: dict[str, Any] | None = None) -> None:
        self.replace("describe_function", operation, {"Name": self.name}, lambda _: arguments or {}, Stage="DEVELOPMENT")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "code": {"type": "str"},
            "runtime": {"type": "str", "choices": ["cloudfront-js-1.0", "cloudfront-js-2.0"], "default": "cloudfront-js-2.0"},
            "comment": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    Function(module).run()


if __name__ == "__main__":
    main()
