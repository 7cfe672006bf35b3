# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_vpc_endpoints as module


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.tables = sorted(self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _index in range(2))
        self.subnets = sorted(self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{index}.0/24")["Subnet"]["SubnetId"] for index in range(3))
        self.groups = sorted(self.ec2.create_security_group(VpcId=self.vpc, GroupName=name, Description=name)["GroupId"] for name in "ab")

    def run(self, gateway: tuple[str, ...] = (), interface: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
        defaults = {"route_table_ids": self.tables, "subnet_ids": self.subnets[:2], "security_group_ids": self.groups[:1]}
        services = {"gateway_services": list(gateway), "interface_services": list(interface)}
        return self.cloud.run(module, name="test", vpc_id=self.vpc, **services, **{**defaults, **options})

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["VpcEndpoints"]
        return {it["ServiceName"].removeprefix("com.amazonaws.eu-central-1."): it for it in found if it["State"] != "deleted"}


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_they_are_made_once(network: Network) -> None:
    result = network.run(["s3"], ["logs", "ecr.api"], tags={"Environment": "test"})

    assert result["changed"]
    assert [(it["type"], it["service"]) for it in result["vpc_endpoints"]] == [("Gateway", "s3"), ("Interface", "ecr.api"), ("Interface", "logs")]
    assert sorted(network.endpoints) == ["ecr.api", "logs", "s3"]
    assert sorted(network.endpoints["s3"]["RouteTableIds"]) == network.tables
    assert sorted(network.endpoints["logs"]["SubnetIds"]) == network.subnets[:2]
    assert [group["GroupId"] for group in network.endpoints["logs"]["Groups"]] == network.groups[:1]
    assert network.endpoints["logs"]["PrivateDnsEnabled"]
    assert {"Key": "Name", "Value": "test-ecr.api"} in network.endpoints["ecr.api"]["Tags"]
    assert not network.run(["s3"], ["ecr.api", "logs"], tags={"Environment": "test"})["changed"]
    assert network.cloud.mutations == []


def test_subnets_groups_and_tags_change_in_place(network: Network) -> None:
    network.run([], ["logs"], tags={"a": "1"})
    before = network.endpoints["logs"]["VpcEndpointId"]
    changes = {"subnet_ids": network.subnets[1:], "security_group_ids": network.groups[1:], "tags": {"b": "2"}}

    assert network.run([], ["logs"], check=True, **changes)["changed"]
    assert network.cloud.mutations == []
    assert network.run([], ["logs"], **changes)["changed"]
    endpoint = network.endpoints["logs"]
    assert endpoint["VpcEndpointId"] == before
    assert sorted(endpoint["SubnetIds"]) == network.subnets[1:]
    assert [group["GroupId"] for group in endpoint["Groups"]] == network.groups[1:]
    assert {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]} == {"b": "2", "Name": "test-logs"}
    assert not network.run([], ["logs"], **changes)["changed"]


def test_route_tables_change_in_place(network: Network) -> None:
    network.run(["s3"], route_table_ids=network.tables[:1])
    before = network.endpoints["s3"]["VpcEndpointId"]

    assert network.run(["s3"], route_table_ids=network.tables[1:])["changed"]
    assert (network.endpoints["s3"]["VpcEndpointId"], network.endpoints["s3"]["RouteTableIds"]) == (before, network.tables[1:])


def test_tags_of_others_stay(network: Network) -> None:
    network.run(["s3"])
    network.ec2.create_tags(Resources=[network.endpoints["s3"]["VpcEndpointId"]], Tags=[{"Key": "CostCenter", "Value": "4711"}])

    assert not network.run(["s3"], tags={}, purge_tags=False)["changed"]


def test_what_is_no_longer_listed_goes(network: Network) -> None:
    network.run(["s3"], ["logs", "ecr.api"])

    assert network.run(["s3"], ["logs"], check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(["s3"], ["logs"])["changed"]
    assert network.cloud.mutations == ["DeleteVpcEndpoints"]
    assert sorted(network.endpoints) == ["logs", "s3"]
    assert network.run()["changed"]
    assert network.endpoints == {}
    assert not network.run()["changed"]


def test_endpoints_of_others_stay(network: Network) -> None:
    network.ec2.create_vpc_endpoint(VpcId=network.vpc, VpcEndpointType="Gateway", ServiceName="com.amazonaws.eu-central-1.dynamodb", RouteTableIds=[])

    assert not network.run()["changed"]
    assert sorted(network.endpoints) == ["dynamodb"]


def test_check_mode_makes_nothing(network: Network) -> None:
    assert network.run(["s3"], ["logs"], route_table_ids=["rtb-00000000000000000"], subnet_ids=["subnet-0"], check=True)["changed"]
    assert network.cloud.mutations == []
