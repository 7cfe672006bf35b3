# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_vpc_gateway_endpoint as module


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.tables = sorted(self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _index in range(3))

    def run(self, tables: list[str] | None = None, **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, vpc_id=self.vpc, service="s3", route_table_ids=tables, **options)

    @property
    def endpoints(self) -> list[dict[str, Any]]:
        return self.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["VpcEndpoints"]


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_it_is_created_once(network: Network) -> None:
    result = network.run(network.tables[:2], tags={"Environment": "test"})

    assert result["changed"]
    assert result["endpoint"]["route_table_ids"] == network.tables[:2]
    assert result["endpoint"]["tags"] == {"Environment": "test"}
    assert [endpoint["ServiceName"] for endpoint in network.endpoints] == ["com.amazonaws.eu-central-1.s3"]
    assert not network.run(list(reversed(network.tables[:2])), tags={"Environment": "test"})["changed"]


def test_route_tables_change_in_place(network: Network) -> None:
    before = network.run(network.tables[:2])["endpoint"]["vpc_endpoint_id"]

    assert network.run(network.tables[1:], check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(network.tables[1:])["changed"]
    assert [(endpoint["VpcEndpointId"], sorted(endpoint["RouteTableIds"])) for endpoint in network.endpoints] == [(before, network.tables[1:])]


def test_tags_change_in_place(network: Network) -> None:
    network.run(network.tables, tags={"a": "1"})

    assert network.run(network.tables, tags={"b": "2"}, purge_tags=False)["endpoint"]["tags"] == {"a": "1", "b": "2"}
    assert network.run(network.tables, tags={"b": "2"})["endpoint"]["tags"] == {"b": "2"}
    assert not network.run(network.tables, tags={"b": "2"})["changed"]


def test_it_is_removed_once(network: Network) -> None:
    network.run(network.tables)

    assert network.run(state="absent", check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(state="absent")["changed"]
    assert [endpoint for endpoint in network.endpoints if endpoint["State"] != "deleted"] == []
    assert not network.run(state="absent")["changed"]


def test_check_mode_creates_nothing(network: Network) -> None:
    assert network.run(["rtb-00000000000000000"], check=True)["changed"]
    assert network.cloud.mutations == []
