#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_nat_gateways
version_added: 0.1.0
short_description: Manage the NAT gateways of a VPC, their Elastic IP addresses and the default routes to them
description:
  - One public NAT gateway in each of the given subnets, with an Elastic IP address of its own, and none elsewhere.
  - The default routes of the given route tables lead to them. A gateway is only removed when no route leads to it any more, and its address is released.
  - M(amazon.aws.ec2_vpc_nat_gateway) makes one after another and waits minutes for each, leaves the address untagged (so it is lost when a run is
    interrupted) and always answers changed to a removal in check mode. M(amazon.aws.ec2_vpc_route_table) can only remove a route together with all those
    that it did not make itself.
options:
  name:
    description: Value of the C(Name) tag of the gateways and the addresses. What has another name is left alone.
    type: str
    required: true
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  subnet_ids:
    description: IDs of the public subnets that have a gateway; none for no gateway at all.
    type: list
    elements: str
    required: true
  route_table_ids:
    description:
      - IDs of the route tables whose default route leads to a gateway, the first to the first subnet's and so on, or all to the only one.
      - Without gateways their default routes to a NAT gateway are removed.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Whether to wait until new gateways are available.
      - Without it they are started, and what needs them stays as it is, as long as one of the wanted ones is not available; a later task that waits
        does the rest.
    type: bool
    default: true
    version_added: 0.2.0
  wait_timeout_seconds:
    description: How many seconds AWS may take to make, and again to remove, the gateways.
    type: int
    default: 600
attributes:
  diff_mode:
    description: Shows subnets, routes and addresses before and after.
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
- name: Each zone's tasks reach the internet through their own zone's NAT gateway
  pulsegrid.aws.ec2_nat_gateways:
    name: pulsegrid-production
    vpc_id: vpc-0123456789abcdef0
    subnet_ids: [subnet-0a, subnet-0b]
    route_table_ids: [rtb-0a, rtb-0b]

- name: No NAT gateway is paid for
  pulsegrid.aws.ec2_nat_gateways:
    name: pulsegrid-dev
    vpc_id: vpc-0123456789abcdef0
    subnet_ids: []
    route_table_ids: [rtb-0a, rtb-0b]
"""

RETURN = r"""
nat_gateways:
  description: The gateways that there are, in the order of the subnets.
  returned: success
  type: list
  elements: dict
  contains:
    nat_gateway_id:
      description: Its ID.
      type: str
      sample: nat-0123456789abcdef0
    subnet_id:
      description: The subnet that it is in.
      type: str
      sample: subnet-0123456789abcdef0
    public_ip:
      description: The address that the internet sees.
      type: str
      sample: 198.51.100.7
    allocation_id:
      description: ID of that address.
      type: str
      sample: eipalloc-0123456789abcdef0
"""

from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Ec2Resource
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS

EVERYWHERE = "0.0.0.0/0"
# A gateway that failed needs no removal: AWS forgets it after an hour, and its address is free at once.
ALIVE = ("pending", "available")


class NatGateways(Ec2Resource):
    kind = "NAT gateways"
    result = "nat_gateways"
    # An address is known everywhere, or free again, a moment after AWS says so
    retry_codes = ("InvalidAllocationID.NotFound", "InvalidElasticIpID.NotFound", "InvalidIPAddress.InUse")

    # What there is

    def gateways(self, *states: str) -> list[dict[str, Any]]:
        """This name's gateways in these states; the filter for the tag is here since AWS tags a gateway a moment after it made it."""
        found = self.in_vpc("describe_nat_gateways", "NatGateways", filters="Filter")
        return [gateway for gateway in found if gateway["State"] in states and self.tags_of(gateway).get("Name") == self.name]

    def addresses(self) -> list[dict[str, Any]]:
        return self.call("describe_addresses", Filters=[{"Name": "tag:Name", "Values": [self.name]}])["Addresses"]

    def default_routes(self) -> dict[str, dict[str, Any]]:
        """The default route of each of the given route tables that has one."""
        if not self.params["route_table_ids"]:
            return {}
        tables = self.call("describe_route_tables", Filters=[{"Name": "route-table-id", "Values": self.params["route_table_ids"]}])["RouteTables"]
        routes = ((table["RouteTableId"], route) for table in tables for route in table["Routes"])
        return {table: route for table, route in routes if route.get("DestinationCidrBlock") == EVERYWHERE}

    # What has to be done

    @staticmethod
    def allocation_of(gateway: dict[str, Any]) -> str:
        return next((address.get("AllocationId", "") for address in gateway.get("NatGatewayAddresses", [])), "")

    def subnet_of(self, table: str) -> str | None:
        """The subnet whose gateway a route table's default route leads to."""
        subnets = self.params["subnet_ids"]
        if not subnets:
            return None
        return subnets[0] if len(subnets) == 1 else subnets[self.params["route_table_ids"].index(table)]

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What there is and what there should be, in a form to compare and to show."""
        alive = self.gateways(*ALIVE)
        subnet_by_gateway = {gateway["NatGatewayId"]: gateway["SubnetId"] for gateway in alive}
        routes = self.default_routes()
        addresses = self.addresses()
        kept = self.kept(alive)
        used = {self.allocation_of(gateway) for gateway in kept.values()}
        resources = [*kept.values(), *(address for address in addresses if address["AllocationId"] in used)]
        before = {
            "subnets": sorted(gateway["SubnetId"] for gateway in alive),
            "unused_addresses": sorted(address["PublicIp"] for address in addresses if address["AllocationId"] not in used),
            "routes": {
                table: subnet_by_gateway.get(routes[table]["NatGatewayId"], routes[table]["NatGatewayId"])
                if routes.get(table, {}).get("NatGatewayId")
                else None
                for table in self.params["route_table_ids"]
            },
            "tags": [self.tags_of(resource) for resource in resources],
        }
        after = {
            "subnets": sorted(self.params["subnet_ids"]),
            "unused_addresses": [],
            "routes": {table: self.subnet_of(table) for table in self.params["route_table_ids"]},
            "tags": [self.tags_with(self.tags_of(resource), Name=self.name) for resource in resources],
        }
        return before, after

    def kept(self, alive: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """One gateway for each wanted subnet that has one."""
        return {gateway["SubnetId"]: gateway for gateway in reversed(alive) if gateway["SubnetId"] in self.params["subnet_ids"]}

    def apply(self) -> None:
        kept = self.make(self.kept(self.gateways(*ALIVE)))
        if kept:
            waited = self.params["wait_timeout_seconds"]
            ready = self.wait_until(lambda: self.available(kept), "available", waited, interval=5) if self.params["wait"] else self.available(kept)
            if not ready:
                return
            kept = ready
        self.tag(kept)
        self.route(kept)
        self.remove(kept)

    def make(self, kept: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Make the missing gateways, all at once."""
        tags = self.tags_with({}, Name=self.name)
        free = [address["AllocationId"] for address in self.addresses() if not address.get("AssociationId")]
        for subnet in self.params["subnet_ids"]:
            if subnet in kept:
                continue
            allocation = free.pop() if free else self.call("allocate_address", Domain="vpc", **self.new_tags("elastic-ip", tags))["AllocationId"]
            answer = self.call("create_nat_gateway", SubnetId=subnet, AllocationId=allocation, **self.new_tags("natgateway", tags))
            kept[subnet] = answer["NatGateway"]
        return kept

    def available(self, kept: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]] | None:
        ids = [gateway["NatGatewayId"] for gateway in kept.values()]
        found = {gateway["NatGatewayId"]: gateway for gateway in self.gateways(*ALIVE, "failed")}
        for gateway in (found[one] for one in ids if one in found):
            if gateway["State"] == "failed":
                self.module.fail_json(
                    msg=f"NAT gateway {gateway['NatGatewayId']} in {gateway['SubnetId']} failed: {gateway.get('FailureMessage', 'no reason given')}"
                )
        if all(found.get(one, {}).get("State") == "available" for one in ids):
            return {found[one]["SubnetId"]: found[one] for one in ids}
        return None

    def tag(self, kept: dict[str, dict[str, Any]]) -> None:
        used = {self.allocation_of(gateway) for gateway in kept.values()}
        resources = {gateway["NatGatewayId"]: gateway for gateway in kept.values()}
        resources |= {address["AllocationId"]: address for address in self.addresses() if address["AllocationId"] in used}
        for identifier, resource in resources.items():
            self.set_tags(identifier, self.tags_of(resource), self.tags_with(self.tags_of(resource), Name=self.name))

    def route(self, kept: dict[str, dict[str, Any]]) -> None:
        current = self.default_routes()
        for table in self.params["route_table_ids"]:
            subnet = self.subnet_of(table)
            if subnet is None:
                if current.get(table, {}).get("NatGatewayId"):
                    self.call("delete_route", RouteTableId=table, DestinationCidrBlock=EVERYWHERE)
            elif (gateway := kept[subnet]["NatGatewayId"]) != current.get(table, {}).get("NatGatewayId"):
                operation = "replace_route" if table in current else "create_route"
                self.call(operation, RouteTableId=table, DestinationCidrBlock=EVERYWHERE, NatGatewayId=gateway)

    def remove(self, kept: dict[str, dict[str, Any]]) -> None:
        """Remove the gateways that are not wanted, all at once, and release the addresses that none of the wanted ones has."""
        wanted = {gateway["NatGatewayId"] for gateway in kept.values()}
        for gateway in self.gateways(*ALIVE):
            if gateway["NatGatewayId"] not in wanted:
                self.call("delete_nat_gateway", NatGatewayId=gateway["NatGatewayId"])
        self.wait_until(
            lambda: all(gateway["NatGatewayId"] in wanted for gateway in self.gateways(*ALIVE, "deleting")), "gone", self.params["wait_timeout_seconds"]
        )
        used = {self.allocation_of(gateway) for gateway in kept.values()}
        for address in self.addresses():
            if address["AllocationId"] not in used:
                self.call("release_address", AllocationId=address["AllocationId"])

    def run(self) -> None:
        before, after = self.state()
        changed = before != after
        if changed and not self.module.check_mode:
            self.apply()
        found = self.kept(self.gateways(*ALIVE))
        self.module.exit_json(
            changed=changed,
            diff={"before": before, "after": after} if changed else {},
            nat_gateways=[camel_dict_to_snake_dict(self.shown(found[subnet])) for subnet in self.params["subnet_ids"] if subnet in found],
        )

    def shown(self, gateway: dict[str, Any]) -> dict[str, str]:
        address = next(iter(gateway.get("NatGatewayAddresses", [])), {})
        return {
            "NatGatewayId": gateway["NatGatewayId"],
            "SubnetId": gateway["SubnetId"],
            "PublicIp": address.get("PublicIp", ""),
            "AllocationId": address.get("AllocationId", ""),
        }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "vpc_id": {"required": True},
            "subnet_ids": {"type": "list", "elements": "str", "required": True},
            "route_table_ids": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 600},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    if len(module.params["subnet_ids"]) > 1 and len(module.params["route_table_ids"]) > len(module.params["subnet_ids"]):
        module.fail_json(msg="route_table_ids are more than subnet_ids: with several gateways each route table needs one.")
    NatGateways(module).run()


if __name__ == "__main__":
    main()
