#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_subnets
version_added: 0.2.0
short_description: Manage the subnets of a VPC
description:
  - Several subnets of a VPC, which give out no public addresses, each found by its CIDR block. Those that are not listed are left alone.
  - M(amazon.aws.ec2_vpc_subnet) makes one, so that six subnets are six module runs with several requests each. Here one request tells that all are there.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  subnets:
    description: The subnets.
    type: list
    elements: dict
    required: true
    suboptions:
      cidr:
        description: IPv4 CIDR block.
        type: str
        required: true
      availability_zone:
        description: The zone of a new subnet; AWS cannot move one.
        type: str
        required: true
      tags:
        description: Tags of this subnet, added to those of all of them.
        type: dict
        default: {}
attributes:
  diff_mode:
    description: Shows zone, tags and whether public addresses are given out, before and after.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: There is a subnet in each of two zones
  pulsegrid.aws.ec2_subnets:
    vpc_id: vpc-0123456789abcdef0
    subnets:
      - {cidr: 10.0.0.0/21, availability_zone: us-east-1a, tags: {Name: pulsegrid-production-public-us-east-1a}}
      - {cidr: 10.0.8.0/21, availability_zone: us-east-1b, tags: {Name: pulsegrid-production-public-us-east-1b}}
    tags: {Environment: production}
"""

RETURN = r"""
subnet_ids:
  description: The ID of each subnet by its CIDR block; without those that check mode would make.
  returned: success
  type: dict
  sample: {"10.0.0.0/21": "subnet-0123456789abcdef0"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Parts, PartsOfVpc
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS


class Subnets(PartsOfVpc):
    kind = "Subnets"
    result = "subnet_ids"
    identifier = "SubnetId"
    # What was made a moment ago is not known everywhere
    retry_codes = ("InvalidVpcID.NotFound", "InvalidSubnetID.NotFound")

    def parts(self) -> Parts:
        """By their CIDR blocks"""
        return {subnet["CidrBlock"]: subnet for subnet in self.in_vpc("describe_subnets", "Subnets")}

    def shown(self, parts: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for asked in self.params["subnets"]:
            there = parts.get(asked["cidr"])
            tags = self.tags_of(there or {})
            own = {key: str(value) for key, value in asked["tags"].items()}
            zone = there["AvailabilityZone"] if there else asked["availability_zone"]
            if there:
                before[asked["cidr"]] = {"availability_zone": zone, "public_addresses": there["MapPublicIpOnLaunch"], "tags": tags}
            after[asked["cidr"]] = {"availability_zone": zone, "public_addresses": False, "tags": self.tags_with(tags, **own)}
        return before, after

    def apply(self, before: dict[str, Any], after: dict[str, Any], parts: Parts) -> Parts:
        for cidr, wanted in after.items():
            if cidr not in before:
                self.call(
                    "create_subnet",
                    doing=f"create {cidr}",
                    VpcId=self.params["vpc_id"],
                    CidrBlock=cidr,
                    AvailabilityZone=wanted["availability_zone"],
                    **self.new_tags("subnet", wanted["tags"]),
                )
                continue
            subnet = parts[cidr]["SubnetId"]
            if before[cidr]["public_addresses"]:
                self.call("modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
            self.set_tags(subnet, before[cidr]["tags"], wanted["tags"])
        return self.wait_until(lambda: self.available(after), "available", seconds=60, interval=1)

    def available(self, wanted: dict[str, Any]) -> Parts | None:
        found = self.parts()
        return found if all(found.get(cidr, {}).get("State") == "available" for cidr in wanted) else None


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"required": True},
            "subnets": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"cidr": {"required": True}, "availability_zone": {"required": True}, "tags": {"type": "dict", "default": {}}},
            },
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    Subnets(module).run()


if __name__ == "__main__":
    main()
