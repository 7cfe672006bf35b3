# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import elb_target_group as module


@pytest.fixture
def options(cloud):
    vpc = cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return {"name": "test", "port": 8080, "vpc_id": vpc, "health_check_path": "/health", "tags": {"a": "1"}, "purge_tags": False}


def found(cloud):
    client = cloud.client("elbv2")
    group = client.describe_target_groups(Names=["test"])["TargetGroups"][0]
    attributes = client.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
    tags = client.describe_tags(ResourceArns=[group["TargetGroupArn"]])["TagDescriptions"][0]["Tags"]
    return group | {it["Key"]: it["Value"] for it in attributes} | {"Tags": {it["Key"]: it["Value"] for it in tags}}


def test_it_is_created_once(cloud, options) -> None:
    predicted = cloud.run(module, check=True, **options)
    assert predicted["changed"]
    assert cloud.mutations == []

    first = cloud.run(module, **options)
    assert first["changed"]
    assert not cloud.run(module, **options)["changed"]
    assert cloud.mutations == []
    group = found(cloud)
    assert first["target_group"]["target_group_arn"] == group["TargetGroupArn"]
    assert (group["TargetType"], group["Protocol"], group["Port"], group["HealthCheckPath"]) == ("ip", "HTTP", 8080, "/health")
    assert group["deregistration_delay.timeout_seconds"] == "300"


def test_it_is_changed_in_place(cloud, options) -> None:
    cloud.run(module, **options)
    changes = {"health_check_interval_seconds": 10, "health_check_codes": "200-299", "deregistration_delay_seconds": 5, "tags": {"b": "2"}}

    assert cloud.run(module, check=True, **options | changes)["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, **options | changes)["changed"]
    assert not cloud.run(module, **options | changes)["changed"]
    group = found(cloud)
    assert (group["HealthCheckIntervalSeconds"], group["Matcher"]["HttpCode"], group["deregistration_delay.timeout_seconds"]) == (10, "200-299", "5")
    assert group["Tags"] == {"a": "1", "b": "2"}


def test_only_what_differs_is_written(cloud, options) -> None:
    cloud.run(module, **options)
    cloud.run(module, **options | {"tags": {"b": "2"}})
    assert cloud.mutations == ["AddTags"]


@pytest.mark.parametrize("check", [True, False])
def test_a_change_that_needs_a_replacement_is_refused(cloud, options, check) -> None:
    cloud.run(module, **options)
    outcome = cloud.run(module, fails=True, check=check, **options | {"port": 9090})
    assert "test: AWS cannot change port from 8080 to 9090 in place" in outcome["msg"]
    assert cloud.mutations == []


def test_it_is_removed_once(cloud, options) -> None:
    cloud.run(module, **options)
    assert cloud.run(module, check=True, name="test", state="absent")["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, name="test", state="absent")["changed"]
    assert cloud.client("elbv2").describe_target_groups()["TargetGroups"] == []
    assert not cloud.run(module, name="test", state="absent")["changed"]
