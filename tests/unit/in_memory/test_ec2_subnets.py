# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_subnets as module

SUBNETS = [{"cidr": f"10.0.{number}.0/24", "availability_zone": f"eu-central-1{zone}", "tags": {"Name": f"public-{zone}"}} for number, zone in enumerate("ab")]


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def run(self, **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, **{"vpc_id": self.vpc, "subnets": SUBNETS, "tags": {"Environment": "test"}, **options})

    @property
    def subnets(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        return {it["CidrBlock"]: {**it, "Tags": {tag["Key"]: tag["Value"] for tag in it.get("Tags", [])}} for it in found}


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_subnets_are_made_and_then_one_request_finds_nothing_to_change(network: Network) -> None:
    result = network.run()
    subnets = network.subnets

    assert result["changed"]
    assert result["subnet_ids"] == {cidr: it["SubnetId"] for cidr, it in subnets.items()}
    assert {cidr: it["AvailabilityZone"] for cidr, it in subnets.items()} == {"10.0.0.0/24": "eu-central-1a", "10.0.1.0/24": "eu-central-1b"}
    assert subnets["10.0.0.0/24"]["Tags"] == {"Environment": "test", "Name": "public-a"}
    assert not network.run()["changed"]
    assert network.cloud.calls == ["DescribeSubnets"]


def test_check_mode_predicts_subnets_of_a_vpc_that_is_not_there(network: Network) -> None:
    result = network.run(vpc_id="vpc-00000000000000000", check=True)

    assert result["changed"]
    assert result["subnet_ids"] == {}
    assert network.cloud.mutations == []


def test_public_addresses_and_wrong_tags_are_mended_and_the_zone_and_others_stay(network: Network) -> None:
    network.run()
    there = network.subnets["10.0.1.0/24"]["SubnetId"]
    other = network.ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    network.ec2.modify_subnet_attribute(SubnetId=there, MapPublicIpOnLaunch={"Value": True})
    network.ec2.create_tags(Resources=[there, other], Tags=[{"Key": "Name", "Value": "mine"}, {"Key": "Owner", "Value": "me"}])
    moved = [SUBNETS[0], {**SUBNETS[1], "availability_zone": "eu-central-1c"}]

    assert network.run(subnets=moved, purge_tags=False, check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(subnets=moved, purge_tags=False)["changed"]
    assert network.cloud.mutations == ["ModifySubnetAttribute", "CreateTags"]
    subnet = network.subnets["10.0.1.0/24"]
    assert (subnet["MapPublicIpOnLaunch"], subnet["AvailabilityZone"]) == (False, "eu-central-1b")
    assert subnet["Tags"] == {"Environment": "test", "Name": "public-b", "Owner": "me"}
    assert network.subnets["10.0.9.0/24"]["Tags"] == {"Name": "mine", "Owner": "me"}
    network.run()
    assert network.subnets["10.0.1.0/24"]["Tags"] == {"Environment": "test", "Name": "public-b"}
