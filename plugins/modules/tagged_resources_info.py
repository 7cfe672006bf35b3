#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: tagged_resources_info
version_added: 0.1.0
short_description: List the resources that carry certain tags, of every service
description:
  - Asks the Resource Groups Tagging API, in one region, which resources carry all of the given tags. No official module does.
  - The API knows only resources that are or were tagged, forgets a removed resource after a while (NAT gateways and task definitions after about an hour)
    and does not list IAM. CloudFront is listed in us-east-1.
options:
  tags:
    description: Tags that each resource must carry, all of them.
    type: dict
    required: true
author:
  - PulseGrid maintainers (@pulsegrid)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes.info
"""

EXAMPLES = r"""
- name: What belongs to the environment is known
  pulsegrid.aws.tagged_resources_info:
    tags: {Application: pulsegrid, Environment: dev}
"""

RETURN = r"""
arns:
  description: ARNs of the resources, sorted.
  returned: success
  type: list
  elements: str
  sample: ["arn:aws:ecr:us-east-1:123456789012:repository/pulsegrid-dev"]
"""


from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource


class TaggedResources(Resource):
    service = "resourcegroupstaggingapi"
    kind = "Resources"

    @property
    def name(self) -> str:
        return f"tagged {self.params['tags']}"

    def arns(self) -> list[str]:
        filters = [{"Key": key, "Values": [str(value)]} for key, value in self.params["tags"].items()]
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self.call("get_resources", "list them", TagFilters=filters, **more)
            found += [resource["ResourceARN"] for resource in page["ResourceTagMappingList"]]
            if not page.get("PaginationToken"):
                return sorted(found)
            more = {"PaginationToken": page["PaginationToken"]}


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"tags": {"type": "dict", "required": True}}, supports_check_mode=True)
    module.exit_json(changed=False, arns=TaggedResources(module).arns())


if __name__ == "__main__":
    main()
