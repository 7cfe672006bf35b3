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
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)


class Subnets(Resource):
    service = "ec2"
    kind = "Subnets"
    result = "subnet_ids"
    # What was made a moment ago is not known everywhere
    retry_codes = ("InvalidVpcID.NotFound", "InvalidSubnetID.NotFound")

    @property
    def name(self) -> str:
        return f"of {self.params['vpc_id']}"

    def subnets(self) -> dict[str, dict[str, Any]]:
        """The VPC's subnets by their CIDR blocks."""
        found = self.call("describe_subnets", Filters=[{"Name": "vpc-id", "Values": [self.params["vpc_id"]]}])["Subnets"]
        return {subnet["CidrBlock"]: subnet for subnet in found}

    def tags_wanted(self, asked: dict[str, Any], tags: dict[str, str]) -> dict[str, str]:
        wanted = self.wanted_tags({"Tags": tags})
        return {**(tags if wanted is None else wanted), **{key: str(value) for key, value in asked["tags"].items()}}

    def shown(self, subnets: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What there is and what there should be, in a form to compare and to show."""
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for asked in self.params["subnets"]:
            there = subnets.get(asked["cidr"])
            tags = boto3_tag_list_to_ansible_dict((there or {}).get("Tags") or [])
            zone = there["AvailabilityZone"] if there else asked["availability_zone"]
            if there:
                before[asked["cidr"]] = {"availability_zone": zone, "public_addresses": there["MapPublicIpOnLaunch"], "tags": tags}
            after[asked["cidr"]] = {"availability_zone": zone, "public_addresses": False, "tags": self.tags_wanted(asked, tags)}
        return before, after

    def apply(self, before: dict[str, Any], after: dict[str, Any], subnets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for cidr, wanted in after.items():
            if cidr not in before:
                self.call(
                    "create_subnet",
                    doing=f"create {cidr}",
                    VpcId=self.params["vpc_id"],
                    CidrBlock=cidr,
                    AvailabilityZone=wanted["availability_zone"],
                    **({"TagSpecifications": [{"ResourceType": "subnet", "Tags": ansible_dict_to_boto3_tag_list(wanted["tags"])}]} if wanted["tags"] else {}),
                )
                continue
            subnet = subnets[cidr]["SubnetId"]
            if before[cidr]["public_addresses"]:
                self.call("modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
            tags, removed = self.tag_changes({"Tags": before[cidr]["tags"]}, {"Tags": wanted["tags"]})
            if removed:
                self.call("delete_tags", Resources=[subnet], Tags=[{"Key": key} for key in removed])
            if tags:
                self.call("create_tags", Resources=[subnet], Tags=ansible_dict_to_boto3_tag_list(tags))
        return self.wait_until(lambda: self.available(after), "available", seconds=60, interval=1)

    def available(self, wanted: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
        found = self.subnets()
        return found if all(found.get(cidr, {}).get("State") == "available" for cidr in wanted) else None

    def run(self) -> None:
        subnets = self.subnets()
        before, after = self.shown(subnets)
        changed = before != after
        if changed and not self.module.check_mode:
            subnets = self.apply(before, after, subnets)
        self.module.exit_json(
            changed=changed,
            diff={"before": before, "after": after} if changed else {},
            subnet_ids={cidr: subnets[cidr]["SubnetId"] for cidr in after if cidr in subnets},
        )


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
