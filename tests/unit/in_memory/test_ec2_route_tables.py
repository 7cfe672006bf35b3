# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_route_tables as module


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.subnets = [self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(3)]

    def run(self, public: list[int], database: list[int], **options: Any) -> dict[str, Any]:
        tables = [
            {"name": "public", "subnet_ids": [self.subnets[number] for number in public], "gateway_id": self.gateway},
            {"name": "database", "subnet_ids": [self.subnets[number] for number in database]},
        ]
        return self.cloud.run(module, **{"vpc_id": self.vpc, "route_tables": tables, "tags": {"Environment": "test"}, **options})

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"]
        return {
            tags.get("Name", ""): {
                "id": it["RouteTableId"],
                "subnets": sorted(self.subnets.index(each["SubnetId"]) for each in it["Associations"] if each.get("SubnetId")),
                "default": next((route.get("GatewayId") for route in it["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"), None),
                "tags": tags,
            }
            for it in found
            for tags in [{tag["Key"]: tag["Value"] for tag in it["Tags"]}]
        }


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_tables_are_made_and_then_one_request_finds_nothing_to_change(network: Network) -> None:
    result = network.run([0, 1], [2])
    public, database = network.tables["public"], network.tables["database"]

    assert result["changed"]
    assert result["route_table_ids"] == {"public": public["id"], "database": database["id"]}
    assert (public["subnets"], public["default"]) == ([0, 1], network.gateway)
    assert (database["subnets"], database["default"]) == ([2], None)
    assert public["tags"] == {"Environment": "test", "Name": "public"}
    assert not network.run([1, 0], [2])["changed"]
    assert network.cloud.calls == ["DescribeRouteTables"]


def test_check_mode_predicts_tables_of_a_vpc_that_is_not_there(network: Network) -> None:
    result = network.run([0], [2], vpc_id="vpc-00000000000000000", check=True)

    assert result["changed"]
    assert result["route_table_ids"] == {}
    assert network.cloud.mutations == []


def test_a_subnet_moves_to_another_table_and_leaves_one_that_does_not_list_it(network: Network) -> None:
    network.run([0, 1], [2])

    assert network.run([0], [1], check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run([0], [1])["changed"]
    assert network.tables["public"]["subnets"] == [0]
    assert network.tables["database"]["subnets"] == [1]
    assert not network.run([0], [1])["changed"]


def test_a_subnet_of_a_table_that_is_not_listed_moves_too(network: Network) -> None:
    other = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    network.ec2.associate_route_table(RouteTableId=other, SubnetId=network.subnets[0])

    network.run([0, 1], [2])
    assert network.tables["public"]["subnets"] == [0, 1]
    assert "ReplaceRouteTableAssociation" in network.cloud.mutations  # at no moment is the subnet without its routes
    assert "DisassociateRouteTable" not in network.cloud.mutations


def test_another_default_route_is_replaced_and_other_routes_and_tags_stay(network: Network) -> None:
    network.run([0, 1], [2])
    public, database = (network.tables[name]["id"] for name in ("public", "database"))
    other = network.ec2.create_nat_gateway(SubnetId=network.subnets[0], ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    network.ec2.replace_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=other)
    network.ec2.create_route(RouteTableId=database, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=other)
    network.ec2.create_tags(Resources=[database], Tags=[{"Key": "Owner", "Value": "me"}, {"Key": "Environment", "Value": "another"}])

    assert network.run([0, 1], [2], purge_tags=False)["changed"]
    assert sorted(network.cloud.mutations) == ["CreateTags", "ReplaceRoute"]
    assert network.tables["public"]["default"] == network.gateway
    assert network.tables["database"]["tags"] == {"Environment": "test", "Name": "database", "Owner": "me"}
    assert network.run([0, 1], [2])["changed"]
    assert network.cloud.mutations == ["DeleteTags"]
