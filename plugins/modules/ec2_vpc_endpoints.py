#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_vpc_endpoints
version_added: 0.1.0
short_description: Manage a VPC's gateway and interface endpoints for AWS services
description:
  - The endpoints of a VPC for the given AWS services, and for no others. What has another name than O(name), a hyphen and the service is left alone.
  - A gateway endpoint is a route in route tables and costs nothing. An interface endpoint is a network interface in each subnet, with the service's public
    name as its private DNS name, and is paid for by the hour.
  - M(amazon.aws.ec2_vpc_endpoint) cannot change the route tables, subnets or security groups of an endpoint; it tries to make a second one, which AWS refuses.
    It makes one after another, where AWS takes minutes for each.
options:
  name:
    description: Beginning of the value of each endpoint's C(Name) tag, by which it is found; a hyphen and the service follow.
    type: str
    required: true
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  gateway_services:
    description: The services that have a gateway endpoint.
    type: list
    elements: str
    choices: [s3, dynamodb]
    default: []
  interface_services:
    description: The services that have an interface endpoint, as they are named after C(com.amazonaws.REGION.), such as C(ecr.api).
    type: list
    elements: str
    default: []
  route_table_ids:
    description: IDs of the route tables that have a route to each gateway endpoint.
    type: list
    elements: str
    default: []
  subnet_ids:
    description: IDs of the subnets in which each interface endpoint has a network interface, one in an availability zone.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: IDs of the security groups of the interface endpoints.
    type: list
    elements: str
    default: []
  wait_timeout_seconds:
    description: How many seconds AWS may take to make, and again to remove, the endpoints.
    type: int
    default: 600
attributes:
  check_mode:
    description: Predicts the change and changes nothing.
    support: full
  diff_mode:
    description: Shows the endpoints before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Tasks reach S3 and pull images without leaving AWS
  pulsegrid.aws.ec2_vpc_endpoints:
    name: pulsegrid-production
    vpc_id: vpc-0123456789abcdef0
    gateway_services: [s3]
    route_table_ids: [rtb-0a, rtb-0b]
    interface_services: [ecr.api, ecr.dkr, logs, secretsmanager]
    subnet_ids: [subnet-0a, subnet-0b]
    security_group_ids: [sg-0123456789abcdef0]

- name: No endpoint is left
  pulsegrid.aws.ec2_vpc_endpoints:
    name: pulsegrid-production
    vpc_id: vpc-0123456789abcdef0
"""

RETURN = r"""
vpc_endpoints:
  description: The endpoints that there are, sorted by type and service.
  returned: success
  type: list
  elements: dict
  contains:
    vpc_endpoint_id:
      description: Its ID.
      type: str
      sample: vpce-0123456789abcdef0
    type:
      description: V(Gateway) or V(Interface).
      type: str
      sample: Interface
    service:
      description: The service.
      type: str
      sample: ecr.api
"""

from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Ec2Resource
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS

Key = tuple[str, str]  # type and service
# What can be changed in place, and how the API calls it in CreateVpcEndpoint and ModifyVpcEndpoint
LISTS = ("RouteTableIds", "SubnetIds", "SecurityGroupIds")
GONE = ("deleting", "deleted")
BROKEN = ("failed", "rejected", "expired")


class VpcEndpoints(Ec2Resource):
    kind = "VPC endpoints"
    result = "vpc_endpoints"
    # What was made a moment ago is not known everywhere
    retry_codes = (
        "InvalidVpcID.NotFound",
        "InvalidRouteTableId.NotFound",
        "InvalidSubnetId.NotFound",
        "InvalidSecurityGroupId.NotFound",
    )

    # What there is

    def endpoints(self, *states: str) -> list[dict[str, Any]]:
        """This name's endpoints, except those in the given states."""
        return [
            endpoint
            for endpoint in self.in_vpc("describe_vpc_endpoints", "VpcEndpoints")
            if endpoint["VpcId"] == self.params["vpc_id"]
            and self.tags_of(endpoint).get("Name") == self.name_of(self.key_of(endpoint))
            and endpoint["State"].lower() not in states
        ]

    def kept(self) -> dict[Key, dict[str, Any]]:
        """One endpoint for each key that is wanted and has one that works."""
        return {self.key_of(it): it for it in self.endpoints(*GONE, *BROKEN) if self.key_of(it) in self.keys()}

    def keys(self) -> list[Key]:
        types = {"Gateway": self.params["gateway_services"], "Interface": self.params["interface_services"]}
        return sorted({(kind, service) for kind, services in types.items() for service in services})

    def key_of(self, endpoint: dict[str, Any]) -> Key:
        return endpoint["VpcEndpointType"], endpoint.get("ServiceName", "").removeprefix(self.prefix)

    @property
    def prefix(self) -> str:
        return f"com.amazonaws.{self.module.region}."

    def name_of(self, key: Key) -> str:
        return f"{self.name}-{key[1]}"

    # What is compared

    def current(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        shown = {"Tags": self.tags_of(endpoint)}
        if endpoint["VpcEndpointType"] == "Gateway":
            return {"RouteTableIds": sorted(endpoint["RouteTableIds"]), **shown}
        groups = sorted(group["GroupId"] for group in endpoint.get("Groups", []))
        return {"SubnetIds": sorted(endpoint["SubnetIds"]), "SecurityGroupIds": groups, "PrivateDnsEnabled": endpoint["PrivateDnsEnabled"], **shown}

    def wanted_of(self, key: Key, endpoint: dict[str, Any] | None) -> dict[str, Any]:
        shown = {"Tags": self.tags_with(self.tags_of(endpoint or {}), Name=self.name_of(key))}
        if key[0] == "Gateway":
            return {"RouteTableIds": sorted(self.params["route_table_ids"]), **shown}
        groups = sorted(self.params["security_group_ids"])
        return {"SubnetIds": sorted(self.params["subnet_ids"]), "SecurityGroupIds": groups, "PrivateDnsEnabled": True, **shown}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        kept = self.kept()
        ids = {endpoint["VpcEndpointId"] for endpoint in kept.values()}
        before = {" ".join(key): self.current(endpoint) for key, endpoint in kept.items()}
        before |= {it["VpcEndpointId"]: self.current(it) for it in self.endpoints(*GONE) if it["VpcEndpointId"] not in ids}
        return before, {" ".join(key): self.wanted_of(key, kept.get(key)) for key in self.keys()}

    # What is done

    def apply(self) -> None:
        kept = self.kept()
        self.remove({endpoint["VpcEndpointId"] for endpoint in kept.values()})
        for key in self.keys():
            if key not in kept:
                self.make(key)
        self.wait_until(self.available, "available", self.params["wait_timeout_seconds"])
        for key, endpoint in kept.items():
            self.change(endpoint, self.current(endpoint), self.wanted_of(key, endpoint))
        if kept:
            self.wait_until(self.available, "available", self.params["wait_timeout_seconds"])

    def remove(self, kept: set[str]) -> None:
        """Remove the endpoints that are not wanted, all at once; a new one for the same service could not have its DNS name before."""
        unwanted = [it["VpcEndpointId"] for it in self.endpoints(*GONE) if it["VpcEndpointId"] not in kept]
        if unwanted:
            for refused in self.call("delete_vpc_endpoints", VpcEndpointIds=unwanted).get("Unsuccessful", []):
                self.module.fail_json(msg=f"{self.kind} {self.name}: could not delete {refused['ResourceId']}: {refused['Error'].get('Message')}")
        self.wait_until(lambda: all(it["VpcEndpointId"] in kept for it in self.endpoints("deleted")), "gone", self.params["wait_timeout_seconds"])

    def make(self, key: Key) -> None:
        wanted = self.wanted_of(key, None)
        self.call(
            "create_vpc_endpoint",
            doing=f"create the {key[0].lower()} endpoint for {key[1]}",
            VpcId=self.params["vpc_id"],
            VpcEndpointType=key[0],
            ServiceName=self.prefix + key[1],
            **self.new_tags("vpc-endpoint", wanted.pop("Tags")),
            **wanted,
        )

    def available(self) -> bool:
        for endpoint in self.endpoints(*GONE):
            if endpoint["State"].lower() in BROKEN:
                reason = endpoint.get("FailureReason") or endpoint.get("LastError", {}).get("Message") or "no reason given"
                self.module.fail_json(msg=f"VPC endpoint {endpoint['VpcEndpointId']} for {self.key_of(endpoint)[1]} {endpoint['State'].lower()}: {reason}")
        found = self.kept()
        return len(found) == len(self.keys()) and all(endpoint["State"].lower() == "available" for endpoint in found.values())

    def change(self, endpoint: dict[str, Any], current: dict[str, Any], wanted: dict[str, Any]) -> None:
        identifier = endpoint["VpcEndpointId"]
        changes: dict[str, Any] = {}
        for key in LISTS:
            have, want = set(current.get(key, [])), set(wanted.get(key, []))
            changes |= {way + key: sorted(ids) for way, ids in (("Add", want - have), ("Remove", have - want)) if ids}
        if wanted.get("PrivateDnsEnabled") != current.get("PrivateDnsEnabled"):
            changes["PrivateDnsEnabled"] = wanted["PrivateDnsEnabled"]
        if changes:
            self.call("modify_vpc_endpoint", VpcEndpointId=identifier, **changes)
        self.set_tags(identifier, current["Tags"], wanted["Tags"])

    def run(self) -> None:
        before, after = self.state()
        changed = before != after
        if changed and not self.module.check_mode:
            self.apply()
        shown = [{"VpcEndpointId": it["VpcEndpointId"], "Type": key[0], "Service": key[1]} for key, it in sorted(self.kept().items())]
        self.module.exit_json(
            changed=changed,
            diff={"before": before, "after": after} if changed else {},
            vpc_endpoints=[camel_dict_to_snake_dict(endpoint) for endpoint in shown],
        )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "vpc_id": {"required": True},
            "gateway_services": {"type": "list", "elements": "str", "choices": ["s3", "dynamodb"], "default": []},
            "interface_services": {"type": "list", "elements": "str", "default": []},
            "route_table_ids": {"type": "list", "elements": "str", "default": []},
            "subnet_ids": {"type": "list", "elements": "str", "default": []},
            "security_group_ids": {"type": "list", "elements": "str", "default": []},
            "wait_timeout_seconds": {"type": "int", "default": 600},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    VpcEndpoints(module).run()


if __name__ == "__main__":
    main()
