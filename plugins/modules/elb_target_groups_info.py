#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: elb_target_groups_info
version_added: 0.1.0
short_description: Find target groups by their tags
description:
  - Answers with the target groups of the region that carry all the given tags.
  - M(community.aws.elb_target_group_info) finds none by tags, and asks AWS three times for each target group there is.
options:
  tags:
    description: Tags that a target group must carry, all of them.
    type: dict
    required: true
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
- name: The target groups behind the load balancer's rules are known
  pulsegrid.aws.elb_target_groups_info:
    tags: {LoadBalancer: pulsegrid-production}
  register: services
"""

RETURN = r"""
target_groups:
  description: The target groups, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    target_group_name:
      description: Its name.
      type: str
      sample: pulsegrid-production-reports
    target_group_arn:
      description: Its ARN.
      type: str
      sample: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pulsegrid-production-reports/6d0ecf831eec9f09
    tags:
      description: Its tags.
      type: dict
      sample: {"LoadBalancer": "pulsegrid-production"}
"""

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.elb import target_groups_with
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import all_pages


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"tags": {"type": "dict", "required": True}}, supports_check_mode=True)
    try:
        found = target_groups_with(module.params["tags"], partial(all_pages, module.client("elbv2")))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="Could not find target groups by their tags")
    module.exit_json(changed=False, target_groups=found)


if __name__ == "__main__":
    main()
