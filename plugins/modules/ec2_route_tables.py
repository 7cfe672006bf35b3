#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_route_tables
version_added: 0.2.0
short_description: Manage the route tables of a VPC
description:
  - Several route tables of a VPC with their subnets, and the default route of those that lead to the internet. Each is found by its C(Name) tag. Tables that
    are not listed and routes to other places are left alone.
  - M(amazon.aws.ec2_vpc_route_table) makes one, and sleeps for five seconds after each change. It finds a table by its ID, or by all its tags, and takes one
    that has another tag besides for another.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  route_tables:
    description: The route tables.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Value of the C(Name) tag.
        type: str
        required: true
      subnet_ids:
        description: IDs of the subnets that use it, and no others.
        type: list
        elements: str
        required: true
      gateway_id:
        description: ID of the internet gateway that the default route leads to. Without it the default route stays as it is.
        type: str
attributes:
  diff_mode:
    description: Shows subnets, default route and tags before and after.
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
- name: Only the public subnet has a route to the internet
  pulsegrid.aws.ec2_route_tables:
    vpc_id: vpc-0123456789abcdef0
    route_tables:
      - {name: pulsegrid-production-public, subnet_ids: [subnet-0a], gateway_id: igw-0123456789abcdef0}
      - {name: pulsegrid-production-database, subnet_ids: [subnet-0b]}
"""

RETURN = r"""
route_table_ids:
  description: The ID of each route table by its name; without those that check mode would make.
  returned: success
  type: dict
  sample: {"pulsegrid-production-public": "rtb-0123456789abcdef0"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Parts, PartsOfVpc
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS

EVERYWHERE = "0.0.0.0/0"


class RouteTables(PartsOfVpc):
    kind = "Route tables"
    result = "route_table_ids"
    identifier = "RouteTableId"
    # What was made a moment ago is not known everywhere
    retry_codes = ("InvalidVpcID.NotFound", "InvalidRouteTableID.NotFound", "InvalidSubnetID.NotFound", "InvalidGatewayID.NotFound")

    def parts(self) -> Parts:
        """By their names; those that have none, or another's, by their IDs"""
        found: Parts = {}
        for table in self.in_vpc("describe_route_tables", "RouteTables"):
            name = self.tags_of(table).get("Name")
            found[name if name and name not in found else table["RouteTableId"]] = table
        return found

    @staticmethod
    def associations(table: dict[str, Any]) -> dict[str, str]:
        """The associations by their subnets."""
        return {it["SubnetId"]: it["RouteTableAssociationId"] for it in table.get("Associations", []) if it.get("SubnetId")}

    @staticmethod
    def default_route(table: dict[str, Any]) -> dict[str, Any] | None:
        return next((route for route in table.get("Routes", []) if route.get("DestinationCidrBlock") == EVERYWHERE), None)

    def shown(self, parts: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for asked in self.params["route_tables"]:
            name, gateway = asked["name"], {"gateway_id": asked["gateway_id"]} if asked["gateway_id"] else {}
            tags = self.tags_of(parts.get(name, {}))
            after[name] = {"subnet_ids": sorted(asked["subnet_ids"]), **gateway, "tags": self.tags_with(tags, Name=name)}
            if name in parts:
                there = {"gateway_id": (self.default_route(parts[name]) or {}).get("GatewayId")} if gateway else {}
                before[name] = {"subnet_ids": sorted(self.associations(parts[name])), **there, "tags": tags}
        return before, after

    def apply(self, before: dict[str, Any], after: dict[str, Any], parts: Parts) -> Parts:
        claimed = {subnet for wanted in after.values() for subnet in wanted["subnet_ids"]}
        associations = {subnet: association for table in parts.values() for subnet, association in self.associations(table).items()}
        for name, wanted in after.items():
            if name not in parts:
                tags = self.new_tags("route-table", wanted["tags"])
                parts[name] = self.call("create_route_table", doing=f"create {name}", VpcId=self.params["vpc_id"], **tags)["RouteTable"]
            else:
                self.set_tags(parts[name]["RouteTableId"], before[name]["tags"], wanted["tags"])
            self.set_route(parts[name], wanted.get("gateway_id"))
            for subnet in set(self.associations(parts[name])) - claimed:
                self.call("disassociate_route_table", AssociationId=associations[subnet])
        for name, wanted in after.items():
            for subnet in sorted(set(wanted["subnet_ids"]) - set(self.associations(parts[name]))):
                table = parts[name]["RouteTableId"]
                if subnet in associations:  # in one step, so that it has a route at every moment
                    self.call("replace_route_table_association", AssociationId=associations[subnet], RouteTableId=table)
                else:
                    self.call("associate_route_table", RouteTableId=table, SubnetId=subnet)
        return parts

    def set_route(self, table: dict[str, Any], gateway: str | None) -> None:
        current = self.default_route(table)
        if gateway and (current or {}).get("GatewayId") != gateway:
            operation = "replace_route" if current else "create_route"
            self.call(operation, RouteTableId=table["RouteTableId"], DestinationCidrBlock=EVERYWHERE, GatewayId=gateway)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"required": True},
            "route_tables": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"required": True}, "subnet_ids": {"type": "list", "elements": "str", "required": True}, "gateway_id": {}},
            },
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    RouteTables(module).run()


if __name__ == "__main__":
    main()
