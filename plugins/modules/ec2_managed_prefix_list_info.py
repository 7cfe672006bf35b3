#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_managed_prefix_list_info
version_added: 0.1.0
short_description: Find managed prefix lists by their names
description:
  - A managed prefix list is a named set of CIDR blocks, AWS's own or a customer's, that a security group rule can name.
  - The official collections have no module that finds one.
options:
  names:
    description: Names of the prefix lists to find; none finds all.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: CloudFront's addresses are known by their prefix list
  pulsegrid.aws.ec2_managed_prefix_list_info:
    names: [com.amazonaws.global.cloudfront.origin-facing]
  register: cloudfront
"""

RETURN = r"""
prefix_lists:
  description: The prefix lists that were found.
  returned: success
  type: list
  elements: dict
  contains:
    prefix_list_id:
      description: Its ID.
      type: str
      sample: pl-3b927c52
    prefix_list_name:
      description: Its name.
      type: str
      sample: com.amazonaws.global.cloudfront.origin-facing
    address_family:
      description: IPv4 or IPv6.
      type: str
      sample: IPv4
    max_entries:
      description: For how many rules of a security group it counts.
      type: int
      sample: 55
    owner_id:
      description: The account that it belongs to, or AWS.
      type: str
      sample: AWS
"""

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import all_pages


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"names": {"type": "list", "elements": "str", "default": []}}, supports_check_mode=True)
    names = module.params["names"]
    filters = [{"Name": "prefix-list-name", "Values": names}] if names else []
    try:
        found = all_pages(module.client("ec2"), "describe_managed_prefix_lists", Filters=filters)["PrefixLists"]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Could not find managed prefix lists {', '.join(names)}")
    module.exit_json(changed=False, prefix_lists=[camel_dict_to_snake_dict(it, ignore_list=["Tags"]) for it in found])


if __name__ == "__main__":
    main()
