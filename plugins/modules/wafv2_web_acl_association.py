#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: wafv2_web_acl_association
version_added: 0.1.0
short_description: Manage which web ACL protects a regional resource
description:
  - Associates a web ACL of AWS WAF with a load balancer or another regional resource, or takes it away. A resource has one at most.
  - A CloudFront distribution names its web ACL itself.
  - M(community.aws.wafv2_resources) says that all is well where the web ACL is not there, and needs the web ACL's name to take it away.
  - A web ACL that Firewall Manager associated stays where none is asked for.
options:
  resource_arn:
    description: ARN of the resource. In check mode it may be empty, for a resource that is not there yet.
    type: str
    required: true
  web_acl_arn:
    description: ARN of the web ACL, of the scope REGIONAL; empty for none.
    type: str
    default: ""
  wait_timeout_seconds:
    description: How long to try while AWS WAF does not know yet a resource or a web ACL that was made a moment ago.
    type: int
    default: 300
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
- name: A web ACL protects the load balancer
  pulsegrid.aws.wafv2_web_acl_association:
    resource_arn: "{{ alb_outputs.load_balancer_arn }}"
    web_acl_arn: arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/shop/11111111-2222-3333-4444-555555555555

- name: None does any more
  pulsegrid.aws.wafv2_web_acl_association:
    resource_arn: "{{ alb_outputs.load_balancer_arn }}"
"""

RETURN = r"""
association:
  description: The association.
  returned: success
  type: dict
  contains:
    resource_arn:
      description: ARN of the resource.
      type: str
    web_acl_arn:
      description: ARN of its web ACL; empty where there is none.
      type: str
  sample:
    resource_arn: arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/shop/50dc6c495c0c9188
    web_acl_arn: arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/shop/11111111-2222-3333-4444-555555555555
"""

from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource


class Association(Resource):
    service = "wafv2"
    kind = "Web ACL of"
    result = "association"
    not_found = ("WAFNonexistentItemException",)

    @property
    def name(self) -> str:
        return self.params["resource_arn"]

    def describe(self) -> dict[str, Any]:
        found = self.wait_until(self._known, "known to AWS WAF", self.params["wait_timeout_seconds"]) if self.name else {}
        acl = found.get("WebACL") or {}
        return {"ResourceArn": self.name, "WebAclArn": acl.get("ARN", ""), "ManagedByFirewallManager": acl.get("ManagedByFirewallManager", False)}

    def _known(self) -> dict[str, Any] | None:
        """What AWS WAF says of the resource; None where it does not know it yet, as it may a just-made load balancer."""
        try:
            return self.client.get_web_acl_for_resource(aws_retry=True, ResourceArn=self.name)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else ""
            if code in self.not_found:
                return {"WebACL": None}
            if code != "WAFUnavailableEntityException":
                self.fail(error, "get its web ACL")
        return None

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        wanted = self.params["web_acl_arn"]
        if not wanted and current and current["ManagedByFirewallManager"]:
            wanted = current["WebAclArn"]
        return {"ResourceArn": self.name, "WebAclArn": wanted}

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if wanted["WebAclArn"]:
            self.wait_until(lambda: self._associated(wanted["WebAclArn"]), "available to AWS WAF", self.params["wait_timeout_seconds"])
        else:
            self.call("disassociate_web_acl", ResourceArn=self.name)

    def _associated(self, arn: str) -> bool:
        try:
            self.client.associate_web_acl(aws_retry=True, WebACLArn=arn, ResourceArn=self.name)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            if isinstance(error, botocore.exceptions.ClientError) and error.response["Error"]["Code"] == "WAFUnavailableEntityException":
                return False
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not associate {arn}")
        return True


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "resource_arn": {"required": True},
            "web_acl_arn": {"default": ""},
            "wait_timeout_seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    if not module.params["resource_arn"] and not module.check_mode:
        module.fail_json(msg="resource_arn is empty: the ARN of a resource is needed, outside check mode.")
    Association(module).run()


if __name__ == "__main__":
    main()
