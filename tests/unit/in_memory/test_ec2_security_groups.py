# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import botocore.client
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ec2_security_groups as module

EVERYWHERE = [{"protocol": "-1", "cidr": "0.0.0.0/0"}]
GROUPS = [
    {"name": "alb", "description": "Load balancer", "egress": [{"port": 8080, "group": "tasks", "description": "To the tasks"}]},
    {"name": "tasks", "description": "Tasks", "ingress": [{"port": 8080, "group": "alb"}], "egress": EVERYWHERE},
]


class Network:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.ec2 = cloud.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def run(self, *groups: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, vpc_id=self.vpc, groups=list(groups or GROUPS), **options)

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["SecurityGroups"]
        return {it["GroupName"]: it for it in found}


@pytest.fixture
def network(cloud) -> Network:
    return Network(cloud)


def test_groups_that_name_each_other_are_made_in_one_step(network: Network) -> None:
    result = network.run(tags={"Environment": "test"})
    groups = network.groups

    assert result["changed"]
    assert result["security_groups"] == {name: groups[name]["GroupId"] for name in ("alb", "tasks")}
    (rule,) = groups["tasks"]["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 8080, 8080)
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [groups["alb"]["GroupId"]]
    (rule,) = groups["alb"]["IpPermissionsEgress"]
    assert [pair["Description"] for pair in rule["UserIdGroupPairs"]] == ["To the tasks"]
    assert {tag["Key"]: tag["Value"] for tag in groups["alb"]["Tags"]} == {"Environment": "test", "Name": "alb"}
    assert not network.run(tags={"Environment": "test"})["changed"]
    assert network.cloud.mutations == []


def test_check_mode_predicts_groups_of_a_vpc_that_is_not_there(network: Network) -> None:
    assert network.run(check=True)["changed"]
    assert network.cloud.run(module, vpc_id="vpc-00000000000000000", groups=GROUPS, check=True)["changed"]
    assert network.cloud.mutations == []


def test_a_rule_changes_without_a_gap(network: Network) -> None:
    network.run()
    changed = {"name": "tasks", "ingress": [{"port": 9090, "group": "alb"}]}

    assert network.run(changed, check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(changed)["changed"]
    assert network.cloud.mutations == ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]
    assert [rule["FromPort"] for rule in network.groups["tasks"]["IpPermissions"]] == [9090]
    assert not network.run(changed)["changed"]


def test_a_description_changes_in_place(network: Network) -> None:
    network.run({"name": "tasks", "ingress": [{"port": 8080, "cidr": "10.0.0.0/16"}]})  # a CIDR block: moto forgets a group's new description
    changed = {"name": "tasks", "ingress": [{"port": 8080, "cidr": "10.0.0.0/16", "description": "From the VPC"}]}

    assert network.run(changed)["changed"]
    assert network.cloud.mutations == ["UpdateSecurityGroupRuleDescriptionsIngress"]
    assert not network.run(changed)["changed"]


def test_rules_that_are_not_given_stay(network: Network) -> None:
    network.run()
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}
    network.ec2.authorize_security_group_ingress(GroupId=network.groups["alb"]["GroupId"], IpPermissions=[permission])

    assert not network.run()["changed"]


def test_tags_of_others_stay(network: Network) -> None:
    network.run(tags={"Environment": "test"})
    network.ec2.create_tags(Resources=[network.groups["alb"]["GroupId"]], Tags=[{"Key": "CostCenter", "Value": "4711"}])

    assert not network.run(tags={"Environment": "test"}, purge_tags=False)["changed"]
    assert network.run(tags={"Environment": "test"})["changed"]


def test_the_default_group_is_emptied(network: Network) -> None:
    empty = {"name": "default", "ingress": [], "egress": []}

    assert network.run(empty)["changed"]
    assert (network.groups["default"]["IpPermissions"], network.groups["default"]["IpPermissionsEgress"]) == ([], [])
    assert not network.run(empty)["changed"]


def test_they_are_removed_once(network: Network) -> None:
    network.run()

    assert network.run(state="absent", check=True)["changed"]
    assert network.cloud.mutations == []
    assert network.run(state="absent")["changed"]
    assert sorted(network.groups) == ["default"]
    assert not network.run(state="absent")["changed"]


def test_a_used_up_quota_is_named(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    call = botocore.client.BaseClient._make_api_call

    def refuse(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "CreateSecurityGroup":
            raise botocore.exceptions.ClientError({"Error": {"Code": "SecurityGroupLimitExceeded", "Message": "no more"}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)

    assert "VPC security groups per Region (vpc, L-E79EC296)" in network.run(fails=True)["msg"]


@pytest.mark.parametrize("rule", [{"port": 80}, {"port": 80, "group": "alb", "cidr": "0.0.0.0/0"}, {"group": "alb"}])
def test_a_rule_without_one_other_side_or_port_is_refused(network: Network, rule: dict[str, Any]) -> None:
    assert network.run({"name": "tasks", "ingress": [rule]}, fails=True)["msg"]
    assert network.cloud.calls == []
