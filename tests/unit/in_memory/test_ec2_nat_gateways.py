# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_nat_gateways as module

EVERYWHERE = "0.0.0.0/0"


class Network:
    """A VPC with two public subnets and two private route tables."""

    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in range(2)]
        self.tables = [self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _index in range(2)]

    def run(self, subnets: list[str], check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "name": "test",
            "vpc_id": self.vpc,
            "subnet_ids": subnets,
            "route_table_ids": self.tables,
            "tags": {"Environment": "test"},
            "purge_tags": False,
        }
        return self.cloud.run(module, check=check, fails=fails, **{**given, **options})

    @property
    def gateways(self) -> dict[str, str]:
        """ID by subnet."""
        found = self.ec2.describe_nat_gateways(Filter=[{"Name": "state", "Values": ["available", "pending"]}])["NatGateways"]
        return {gateway["SubnetId"]: gateway["NatGatewayId"] for gateway in found}

    @property
    def addresses(self) -> list[dict[str, Any]]:
        return self.ec2.describe_addresses()["Addresses"]

    @property
    def default_routes(self) -> list[str | None]:
        tables = {table["RouteTableId"]: table for table in self.ec2.describe_route_tables(RouteTableIds=self.tables)["RouteTables"]}
        return [
            next((route.get("NatGatewayId") for route in tables[table]["Routes"] if route.get("DestinationCidrBlock") == EVERYWHERE), None)
            for table in self.tables
        ]


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_one_for_each_subnet_with_a_tagged_address_and_the_route_of_its_zone(network: Network) -> None:
    result = network.run(network.subnets)

    assert result["changed"]
    assert [gateway["subnet_id"] for gateway in result["nat_gateways"]] == network.subnets
    assert network.default_routes == [network.gateways[subnet] for subnet in network.subnets]
    assert {address["PublicIp"] for address in network.addresses} == {gateway["public_ip"] for gateway in result["nat_gateways"]}
    for address in network.addresses:
        assert {tag["Key"]: tag["Value"] for tag in address["Tags"]} == {"Name": "test", "Environment": "test"}


def test_a_second_run_changes_nothing(network: Network) -> None:
    network.run(network.subnets)

    assert not network.run(network.subnets)["changed"]
    assert network.cloud.mutations == []


def test_with_one_gateway_all_routes_lead_to_it_and_the_other_is_gone(network: Network) -> None:
    network.run(network.subnets)
    kept = network.gateways[network.subnets[0]]

    assert network.run(network.subnets[:1])["changed"]
    assert network.gateways == {network.subnets[0]: kept}
    assert network.default_routes == [kept, kept]
    assert len(network.addresses) == 1
    changes = [call for call in network.cloud.mutations if call != "CreateTags"]
    assert changes == ["ReplaceRoute", "DeleteNatGateway", "ReleaseAddress"], "a gateway goes when no route leads to it any more"


def test_with_none_gateways_routes_and_addresses_are_gone_and_other_routes_stay(network: Network) -> None:
    network.run(network.subnets)
    gateway = network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    network.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    network.ec2.create_route(RouteTableId=network.tables[0], DestinationCidrBlock="192.0.2.0/24", GatewayId=gateway)

    assert network.run([])["changed"]
    assert (network.gateways, network.addresses, network.default_routes) == ({}, [], [None, None])
    routes = network.ec2.describe_route_tables(RouteTableIds=network.tables[:1])["RouteTables"][0]["Routes"]
    assert "192.0.2.0/24" in [route.get("DestinationCidrBlock") for route in routes]
    assert not network.run([])["changed"]


def test_what_others_have_stays(network: Network) -> None:
    foreign = network.ec2.allocate_address(Domain="vpc")["AllocationId"]
    theirs = network.ec2.create_nat_gateway(SubnetId=network.subnets[1], AllocationId=foreign)["NatGateway"]["NatGatewayId"]
    network.run(network.subnets[:1])
    network.run([])

    assert network.gateways == {network.subnets[1]: theirs}
    assert [address["AllocationId"] for address in network.addresses] == [foreign]


def test_the_address_of_an_interrupted_run_is_used(network: Network) -> None:
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "test"}]}]
    left = network.ec2.allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"]

    result = network.run(network.subnets[:1])
    assert [gateway["allocation_id"] for gateway in result["nat_gateways"]] == [left]
    assert "AllocateAddress" not in network.cloud.mutations


def test_check_mode_predicts_and_changes_nothing(network: Network) -> None:
    for before, after in (([], network.subnets), (network.subnets, network.subnets[:1]), (network.subnets[:1], [])):
        network.run(before)
        assert network.run(after, check=True)["changed"]
        assert network.cloud.mutations == []
    network.run([])
    assert not network.run([], check=True)["changed"]


def test_check_mode_with_ids_that_are_not_there_yet(network: Network) -> None:
    unknown = {"vpc_id": "vpc-00000000000000000", "route_table_ids": ["rtb-00000000000000000"]}

    assert network.run(["subnet-00000000000000000"], check=True, **unknown)["changed"]
    assert network.cloud.mutations == []


def test_tags_change_in_place(network: Network) -> None:
    network.run(network.subnets[:1])
    gateways = network.gateways

    assert network.run(network.subnets[:1], tags={"Owner": "somebody"}, purge_tags=True)["changed"]
    assert network.gateways == gateways
    assert {tag["Key"] for tag in network.addresses[0]["Tags"]} == {"Name", "Owner"}
    assert not network.run(network.subnets[:1], tags={"Owner": "somebody"}, purge_tags=True)["changed"]


def test_more_route_tables_than_gateways_are_refused(network: Network) -> None:
    assert "route_table_ids" in network.run(network.subnets, fails=True, route_table_ids=[*network.tables, "rtb-3"])["msg"]


def test_gateways_that_are_started_have_their_routes_once_they_are_waited_for(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    gateways = module.NatGateways.gateways

    def pending(self: module.NatGateways, *states: str) -> list[dict[str, Any]]:
        return [{**gateway, "State": "pending"} for gateway in gateways(self, *states)]

    with monkeypatch.context() as provisioning:
        provisioning.setattr(module.NatGateways, "gateways", pending)
        assert network.run(network.subnets, wait=False)["changed"]
        assert network.default_routes == [None, None]
        assert network.run(network.subnets, wait=False)["changed"]
        assert network.cloud.mutations == []

    assert network.run(network.subnets)["changed"]
    assert network.default_routes == [network.gateways[subnet] for subnet in network.subnets]
    assert len(network.gateways) == 2
    assert not network.run(network.subnets, wait=False)["changed"]
