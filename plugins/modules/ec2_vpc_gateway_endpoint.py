#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_vpc_gateway_endpoint
version_added: 0.1.0
short_description: Manage a VPC's gateway endpoint for S3 or DynamoDB
description:
  - The gateway endpoint of a VPC for a service, in the given route tables and no others.
  - M(amazon.aws.ec2_vpc_endpoint) cannot change the route tables of an endpoint; it tries to make a second one, which AWS refuses.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  service:
    description: The service.
    type: str
    choices: [s3, dynamodb]
    required: true
  route_table_ids:
    description: IDs of the route tables that have a route to the endpoint. Required when O(state=present).
    type: list
    elements: str
  state:
    description: Whether the endpoint is there.
    type: str
    choices: [present, absent]
    default: present
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
- name: Traffic to S3 stays inside AWS
  pulsegrid.aws.ec2_vpc_gateway_endpoint:
    vpc_id: vpc-0123456789abcdef0
    service: s3
    route_table_ids: [rtb-0123456789abcdef0]
"""

RETURN = r"""
endpoint:
  description: The endpoint; empty when it is absent.
  returned: success
  type: dict
  contains:
    vpc_endpoint_id:
      description: Its ID; missing in check mode for one that is not there yet.
      type: str
      sample: vpce-0123456789abcdef0
    route_table_ids:
      description: The route tables that have a route to it, sorted.
      type: list
      elements: str
      sample: [rtb-0123456789abcdef0]
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)


class GatewayEndpoint(Resource):
    service = "ec2"
    kind = "Gateway endpoint"
    result = "endpoint"
    retry_codes = ("InvalidRouteTableID.NotFound", "InvalidVpcId.NotFound")

    @property
    def name(self) -> str:
        return f"{self.params['service']} of {self.params['vpc_id']}"

    @property
    def service_name(self) -> str:
        return f"com.amazonaws.{self.module.region}.{self.params['service']}"

    def endpoints(self, *ignored: str) -> list[dict[str, Any]]:
        filters = {"vpc-id": self.params["vpc_id"], "service-name": self.service_name, "vpc-endpoint-type": "Gateway"}
        found = self.call("describe_vpc_endpoints", Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()])
        return [endpoint for endpoint in found["VpcEndpoints"] if endpoint["State"].lower() not in ignored]

    def describe(self) -> dict[str, Any] | None:
        for endpoint in self.endpoints("deleting", "deleted"):
            return {
                "VpcEndpointId": endpoint["VpcEndpointId"],
                "RouteTableIds": sorted(endpoint["RouteTableIds"]),
                "Tags": boto3_tag_list_to_ansible_dict(endpoint.get("Tags", [])),
            }
        return None

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {"RouteTableIds": sorted(self.params["route_table_ids"]), "Tags": self.wanted_tags(current)}

    def create(self, wanted: dict[str, Any]) -> None:
        tags = ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {})
        self.call(
            "create_vpc_endpoint",
            VpcId=self.params["vpc_id"],
            VpcEndpointType="Gateway",
            ServiceName=self.service_name,
            RouteTableIds=wanted["RouteTableIds"],
            **({"TagSpecifications": [{"ResourceType": "vpc-endpoint", "Tags": tags}]} if tags else {}),
        )
        self.wait_until(self.describe, "to be seen", seconds=60, interval=2)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        identifier = current["VpcEndpointId"]
        have, want = set(current["RouteTableIds"]), set(wanted["RouteTableIds"])
        changes = {"AddRouteTableIds": sorted(want - have), "RemoveRouteTableIds": sorted(have - want)}
        if have != want:
            self.call("modify_vpc_endpoint", VpcEndpointId=identifier, **{key: tables for key, tables in changes.items() if tables})
        tags, removed = self.tag_changes(current, wanted)
        if removed:
            self.call("delete_tags", Resources=[identifier], Tags=[{"Key": key} for key in removed])
        if tags:
            self.call("create_tags", Resources=[identifier], Tags=ansible_dict_to_boto3_tag_list(tags))

    def delete(self, current: dict[str, Any]) -> None:
        unsuccessful = self.call("delete_vpc_endpoints", VpcEndpointIds=[current["VpcEndpointId"]]).get("Unsuccessful", [])
        if unsuccessful:
            self.module.fail_json(msg=f"{self.kind} {self.name}: could not delete: {unsuccessful[0]['Error'].get('Message')}")
        self.wait_until(lambda: not self.endpoints("deleted"), "gone", seconds=300)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"required": True},
            "service": {"required": True, "choices": ["s3", "dynamodb"]},
            "route_table_ids": {"type": "list", "elements": "str"},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ["route_table_ids"])],
        supports_check_mode=True,
    )
    GatewayEndpoint(module).run()


if __name__ == "__main__":
    main()
