#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudfront_origin_access_control
version_added: 0.1.0
short_description: Manage a CloudFront origin access control
description:
  - An origin access control lets CloudFront sign its requests to an origin, so that a private S3 bucket can serve a distribution and nothing else.
  - The official collections have no module for it. M(community.aws.cloudfront_origin_access_identity) manages its predecessor, which AWS keeps for
    old distributions only.
  - An origin access control cannot be tagged. It is found by its name, which is unique in an account.
options:
  name:
    description: Name of the origin access control, at most 64 characters.
    type: str
    required: true
  description:
    description: What it is for, at most 256 characters.
    type: str
    default: ""
  origin_type:
    description: The type of origin that it signs requests for.
    type: str
    choices: [s3, mediastore, mediapackagev2, lambda]
    default: s3
  signing_behavior:
    description: Which requests are signed.
    type: str
    choices: [always, never, no-override]
    default: always
  state:
    description: Whether the origin access control is there.
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
- name: CloudFront can sign its requests to the bucket
  pulsegrid.aws.cloudfront_origin_access_control:
    name: pulsegrid-production-site
    description: Read access to the site's bucket
  register: access_control

- name: The origin access control is gone
  pulsegrid.aws.cloudfront_origin_access_control:
    name: pulsegrid-production-site
    state: absent
"""

RETURN = r"""
origin_access_control:
  description: The origin access control; empty when it is absent. In check mode the id of one that would be created is a placeholder.
  returned: success
  type: dict
  contains:
    id:
      description: Its id, which an origin of a distribution names.
      type: str
      sample: E2QWRUHAPOMQZL
    name:
      description: Its name.
      type: str
      sample: pulsegrid-production-site
    description:
      description: What it is for.
      type: str
      sample: Read access to the site's bucket
    signing_protocol:
      description: Always C(sigv4).
      type: str
      sample: sigv4
    signing_behavior:
      description: Which requests are signed.
      type: str
      sample: always
    origin_access_control_origin_type:
      description: The type of origin.
      type: str
      sample: s3
"""

from types import MappingProxyType
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.cloudfront import CloudFrontResource


class OriginAccessControl(CloudFrontResource):
    kind = "origin access control"
    result = "origin_access_control"
    placeholder = MappingProxyType({"Id": "E00000000000000"})

    def describe(self) -> dict[str, Any] | None:
        controls = self.listed("list_origin_access_controls", "OriginAccessControlList")
        return next((control for control in controls if control["Name"] == self.name), None)

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Description": self.params["description"],
            "SigningProtocol": "sigv4",
            "SigningBehavior": self.params["signing_behavior"],
            "OriginAccessControlOriginType": self.params["origin_type"],
        }

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("create_origin_access_control", OriginAccessControlConfig=wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.replace(
            "get_origin_access_control",
            "update_origin_access_control",
            {"Id": current["Id"]},
            lambda _: {"OriginAccessControlConfig": wanted},
        )

    def delete(self, current: dict[str, Any]) -> None:
        self.replace("get_origin_access_control", "delete_origin_access_control", {"Id": current["Id"]})


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "origin_type": {"type": "str", "choices": ["s3", "mediastore", "mediapackagev2", "lambda"], "default": "s3"},
            "signing_behavior": {"type": "str", "choices": ["always", "never", "no-override"], "default": "always"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    OriginAccessControl(module).run()


if __name__ == "__main__":
    main()
