# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import botocore.client
import botocore.exceptions
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


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[str]:
    """CreateFlowLogs answers these, or raises them, and there is no flow log before; the operations that were called."""
    call, left, calls = botocore.client.BaseClient._make_api_call, iter(answers), []

    def answer(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append(operation)
        if operation != "CreateFlowLogs":
            return call(client, operation, parameters)
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return calls


def refusal(message: str) -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": "InvalidParameter", "Message": message}}, "CreateFlowLogs")


NOT_YET = "Unable to assume given IAM role"


def test_it_waits_for_its_role(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answering(monkeypatch, refusal(NOT_YET), {"Unsuccessful": [{"Error": {"Message": NOT_YET}}]}, {"FlowLogIds": ["fl-1"]})

    assert network.run(role_arn=ROLE)["changed"]
    assert calls.count("CreateFlowLogs") == 3


@pytest.mark.parametrize("answer", [refusal("no such log group"), {"Unsuccessful": [{"Error": {"Message": "no such log group"}}]}])
def test_a_refusal_ends_the_module(network: Network, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    answering(monkeypatch, answer)

    failed = network.run(role_arn=ROLE, fails=True)
    assert "no such log group" in failed["msg"]
    assert "could not create flow logs" in failed["msg"]
