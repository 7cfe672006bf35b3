# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_flow_log as module

ROLE = "arn:aws:iam::123456789012:role/flow-logs"


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def run(self, **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, vpc_id=self.vpc, log_group_name="test", **options)

    @property
    def flow_logs(self) -> list[dict[str, Any]]:
        return self.ec2.describe_flow_logs()["FlowLogs"]


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_it_is_made_once(network: Network) -> None:
    result = network.run(role_arn=ROLE, traffic_type="reject", tags={"Environment": "test"})

    assert result["changed"]
    assert result["flow_log"]["traffic_type"] == "REJECT"
    assert result["flow_log"]["tags"] == {"Environment": "test"}
    (flow_log,) = network.flow_logs
    assert (flow_log["ResourceId"], flow_log["LogGroupName"], flow_log["DeliverLogsPermissionArn"]) == (network.vpc, "test", ROLE)
    assert not network.run(role_arn=ROLE, traffic_type="reject", tags={"Environment": "test"})["changed"]
    assert network.cloud.mutations == []


def test_other_traffic_is_another_flow_log(network: Network) -> None:
    network.run(role_arn=ROLE, traffic_type="reject", tags={"Environment": "test"})

    assert network.run(role_arn=ROLE, traffic_type="all", check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(role_arn=ROLE, traffic_type="all")["changed"]
    assert [(it["TrafficType"], it["Tags"]) for it in network.flow_logs] == [("ALL", [{"Key": "Environment", "Value": "test"}])]


def test_tags_change_in_place(network: Network) -> None:
    before = network.run(role_arn=ROLE, tags={"a": "1"})["flow_log"]["flow_log_id"]

    assert network.run(role_arn=ROLE, tags={"b": "2"}, purge_tags=False)["flow_log"]["tags"] == {"a": "1", "b": "2"}
    assert network.run(role_arn=ROLE, tags={"b": "2"})["flow_log"]["tags"] == {"b": "2"}
    assert [it["FlowLogId"] for it in network.flow_logs] == [before]


def test_it_is_removed_once_and_another_log_group_s_stays(network: Network) -> None:
    network.run(role_arn=ROLE)
    network.ec2.create_flow_logs(ResourceType="VPC", ResourceIds=[network.vpc], TrafficType="ALL", LogGroupName="other", DeliverLogsPermissionArn=ROLE)

    assert network.run(state="absent", check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(state="absent")["changed"]
    assert [it["LogGroupName"] for it in network.flow_logs] == ["other"]
    assert not network.run(state="absent")["changed"]


def test_it_waits_for_its_role(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"Unsuccessful": [{"Error": {"Message": "Unable to assume given IAM role"}}]}, {"FlowLogIds": ["fl-1"]}])
    calls: list[str] = []

    def call(self: Any, operation: str, **arguments: Any) -> dict[str, Any]:
        calls.append(operation)
        return {"FlowLogs": []} if operation == "describe_flow_logs" else next(answers)

    monkeypatch.setattr(module.FlowLog, "call", call)
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    assert network.run(role_arn=ROLE)["changed"]
    assert calls.count("create_flow_logs") == 2


def test_a_refusal_ends_the_module(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(self: Any, operation: str, **arguments: Any) -> dict[str, Any]:
        return {"FlowLogs": [], "Unsuccessful": [{"Error": {"Message": "no such log group"}}]}

    monkeypatch.setattr(module.FlowLog, "call", call)

    assert "no such log group" in network.run(role_arn=ROLE, fails=True)["msg"]
