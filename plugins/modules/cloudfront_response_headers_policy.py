#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudfront_response_headers_policy
version_added: 0.1.0
short_description: Manage a CloudFront response headers policy
description:
  - A response headers policy adds headers to what CloudFront answers.
  - M(community.aws.cloudfront_response_headers_policy) says C(changed) in check mode whatever the policy is, writes the policy on every run and then guesses
    from a time stamp whether it changed, and reads the first page of policies only. This module compares, and writes what differs.
  - The policy is what the task says, entirely. A header that the task does not name is removed from the policy.
  - A response headers policy cannot be tagged. It is found by its name, which is unique in an account.
options:
  name:
    description: Name of the policy.
    type: str
    required: true
  comment:
    description: What the policy is for, at most 128 characters.
    type: str
    default: ""
  security_headers_config:
    description: The security headers, each with whether it replaces a header of that name from the origin (I(override)).
    type: dict
    default: {}
    suboptions:
      content_security_policy:
        description: The C(Content-Security-Policy) header.
        type: dict
        suboptions:
          content_security_policy:
            description: The header's value.
            type: str
            required: true
          override:
            description: Whether it replaces the origin's.
            type: bool
            default: true
      content_type_options:
        description: The header C(X-Content-Type-Options) with the value C(nosniff).
        type: dict
        suboptions:
          override:
            description: Whether it replaces the origin's.
            type: bool
            default: true
      frame_options:
        description: The C(X-Frame-Options) header.
        type: dict
        suboptions:
          frame_option:
            description: The header's value.
            type: str
            choices: [DENY, SAMEORIGIN]
            required: true
          override:
            description: Whether it replaces the origin's.
            type: bool
            default: true
      referrer_policy:
        description: The C(Referrer-Policy) header.
        type: dict
        suboptions:
          referrer_policy:
            description: The header's value.
            type: str
            required: true
            choices:
              - no-referrer
              - no-referrer-when-downgrade
              - origin
              - origin-when-cross-origin
              - same-origin
              - strict-origin
              - strict-origin-when-cross-origin
              - unsafe-url
          override:
            description: Whether it replaces the origin's.
            type: bool
            default: true
      strict_transport_security:
        description: The C(Strict-Transport-Security) header.
        type: dict
        suboptions:
          access_control_max_age_sec:
            description: How long a browser remembers to use HTTPS, in seconds.
            type: int
            required: true
          include_subdomains:
            description: Whether it holds for every subdomain.
            type: bool
            default: false
          preload:
            description: Whether browsers may build it in.
            type: bool
            default: false
          override:
            description: Whether it replaces the origin's.
            type: bool
            default: true
  custom_headers_config:
    description: Further headers.
    type: list
    elements: dict
    default: []
    suboptions:
      header:
        description: The header's name.
        type: str
        required: true
      value:
        description: The header's value.
        type: str
        required: true
      override:
        description: Whether it replaces the origin's.
        type: bool
        default: true
  state:
    description: Whether the policy is there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the policy before and after.
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
- name: Every page carries the security headers
  pulsegrid.aws.cloudfront_response_headers_policy:
    name: pulsegrid-production-site
    security_headers_config:
      content_security_policy: {content_security_policy: "default-src 'self'"}
      content_type_options: {}
      frame_options: {frame_option: DENY}
      strict_transport_security: {access_control_max_age_sec: 31536000}
    custom_headers_config:
      - {header: Permissions-Policy, value: "camera=()"}
  register: headers

- name: The policy is gone
  pulsegrid.aws.cloudfront_response_headers_policy:
    name: pulsegrid-production-site
    state: absent
"""

RETURN = r"""
response_headers_policy:
  description: The policy; empty when it is absent. In check mode the id of one that would be created is a placeholder.
  returned: success
  type: dict
  contains:
    id:
      description: Its id, which a cache behavior names.
      type: str
      sample: 10a45b52-630e-4b7c-77c6-205f06df0462
    name:
      description: Its name.
      type: str
      sample: pulsegrid-production-site
    comment:
      description: What it is for.
      type: str
      sample: ""
    security_headers_config:
      description: The security headers; those that are off are null.
      type: dict
      sample: {"content_type_options": {"override": true}}
    custom_headers_config:
      description: Further headers, under C(items).
      type: dict
      sample: {"quantity": 0, "items": []}
"""

from types import MappingProxyType
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.cloudfront import CloudFrontResource, to_api

OVERRIDE = {"type": "bool", "default": True}
REFERRER_POLICIES = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]


class ResponseHeadersPolicy(CloudFrontResource):
    kind = "response headers policy"
    result = "response_headers_policy"
    placeholder = MappingProxyType({"Id": "00000000-0000-0000-0000-000000000000"})
    # Where CloudFront does not know of these policies (not every partition of AWS is up to date, nor is moto), there is none to remove.
    not_found = ("404",)

    def describe(self) -> dict[str, Any] | None:
        if self.params["state"] == "absent" and self.find("list_response_headers_policies") is None:
            return None
        for summary in self.listed("list_response_headers_policies", "ResponseHeadersPolicyList"):
            policy = summary["ResponseHeadersPolicy"]
            if policy["ResponseHeadersPolicyConfig"]["Name"] == self.name:
                return {"Id": policy["Id"], **self._whole(policy["ResponseHeadersPolicyConfig"])}
        return None

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        shape = self.shape("ResponseHeadersPolicyConfig")
        options = ("name", "comment", "security_headers_config", "custom_headers_config")
        return self._whole(to_api(shape, {option: self.params[option] for option in options}))

    def _whole(self, config: dict[str, Any]) -> dict[str, Any]:
        """The configuration with what is off said in so many words, so that a header to be removed is a difference."""
        custom = sorted((config.get("CustomHeadersConfig") or {}).get("Items") or [], key=lambda item: item["Header"])
        security = config.get("SecurityHeadersConfig") or {}
        return {
            "Name": config["Name"],
            "Comment": config.get("Comment", ""),
            "SecurityHeadersConfig": {name: security.get(name) for name in self.shape("ResponseHeadersPolicySecurityHeadersConfig").members},
            "CustomHeadersConfig": {"Quantity": len(custom), "Items": custom},
        }

    @staticmethod
    def _arguments(wanted: dict[str, Any]) -> dict[str, Any]:
        security = {name: header for name, header in wanted["SecurityHeadersConfig"].items() if header is not None}
        return {"ResponseHeadersPolicyConfig": {**wanted, "SecurityHeadersConfig": security}}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("create_response_headers_policy", **self._arguments(wanted))

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        arguments = self._arguments(wanted)
        self.replace("get_response_headers_policy", "update_response_headers_policy", {"Id": current["Id"]}, lambda _: arguments)

    def delete(self, current: dict[str, Any]) -> None:
        self.replace("get_response_headers_policy", "delete_response_headers_policy", {"Id": current["Id"]})


def header(**options: Any) -> dict[str, Any]:
    return {"type": "dict", "options": {**options, "override": OVERRIDE}}


def main() -> None:
    required = {"type": "str", "required": True}
    security = {
        "content_security_policy": header(content_security_policy=required),
        "content_type_options": header(),
        "frame_options": header(frame_option={**required, "choices": ["DENY", "SAMEORIGIN"]}),
        "referrer_policy": header(referrer_policy={**required, "choices": REFERRER_POLICIES}),
        "strict_transport_security": header(
            access_control_max_age_sec={"type": "int", "required": True},
            include_subdomains={"type": "bool", "default": False},
            preload={"type": "bool", "default": False},
        ),
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "comment": {"type": "str", "default": ""},
            "security_headers_config": {"type": "dict", "default": {}, "options": security},
            "custom_headers_config": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"header": required, "value": required, "override": OVERRIDE},
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    ResponseHeadersPolicy(module).run()


if __name__ == "__main__":
    main()
