# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from copy import deepcopy

import botocore.client
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import elb_load_balancer as module

SECRET = "a-header-that-nobody-may-see"
FORBIDDEN = {"fixed_response": {"StatusCode": "403", "ContentType": "text/plain", "MessageBody": "Forbidden"}}


@pytest.fixture
def options(cloud):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone["ZoneName"])["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc)["GroupId"]
    target = cloud.client("elbv2").create_target_group(Name="test", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]
    return {
        "name": "test",
        "subnet_ids": subnets,
        "security_group_ids": [group],
        "attributes": {"idle_timeout.timeout_seconds": 120, "deletion_protection.enabled": True},
        "listeners": [
            {
                "port": 80,
                "protocol": "HTTP",
                "default_action": FORBIDDEN,
                "rules": [{"priority": 1, "http_header": {"name": "X-Origin-Verify", "value": SECRET}, "action": {"forward": target["TargetGroupArn"]}}],
            }
        ],
        "tags": {"a": "1"},
        "purge_tags": False,
    }


def listeners(cloud):
    client = cloud.client("elbv2")
    arn = client.describe_load_balancers(Names=["test"])["LoadBalancers"][0]["LoadBalancerArn"]
    found = client.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    return {it["Port"]: it | {"Rules": client.describe_rules(ListenerArn=it["ListenerArn"])["Rules"]} for it in found}


def test_it_is_created_once_with_its_rules(cloud, options) -> None:
    assert cloud.run(module, check=True, **options)["changed"]
    assert cloud.mutations == []

    assert cloud.run(module, **options)["changed"]
    assert not cloud.run(module, **options)["changed"]
    assert cloud.mutations == []
    listener = listeners(cloud)[80]
    assert listener["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "403"
    rule = listener["Rules"][0]
    assert rule["Conditions"][0]["HttpHeaderConfig"] == {"HttpHeaderName": "X-Origin-Verify", "Values": [SECRET]}
    assert rule["Actions"][0]["TargetGroupArn"] == options["listeners"][0]["rules"][0]["action"]["forward"]


def test_the_header_is_never_shown(cloud, options) -> None:
    shown = [cloud.run(module, **options), cloud.run(module, **options)]
    options["listeners"][0]["rules"][0]["http_header"]["value"] = "another-secret"
    shown.append(cloud.run(module, check=True, **options))
    shown.append(cloud.run(module, **options))

    assert [it["changed"] for it in shown] == [True, False, True, True]
    for outcome in shown:
        assert SECRET not in json.dumps(outcome)
        assert "another-secret" not in json.dumps(outcome)
    assert listeners(cloud)[80]["Rules"][0]["Conditions"][0]["HttpHeaderConfig"]["Values"] == ["another-secret"]


def test_https_comes_and_goes(cloud, options) -> None:
    certificate = cloud.client("acm").request_certificate(DomainName="example.com")["CertificateArn"]
    https = deepcopy(options)
    main = https["listeners"][0]
    main |= {"port": 443, "protocol": "HTTPS", "certificate_arn": certificate, "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    redirect = {"port": 80, "protocol": "HTTP", "default_action": {"redirect": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}}
    https["listeners"] = [main, redirect]

    cloud.run(module, **options)
    assert cloud.run(module, **https)["changed"]
    assert not cloud.run(module, **https)["changed"]
    found = listeners(cloud)
    assert found[443]["Certificates"] == [{"CertificateArn": certificate}]
    assert found[80]["DefaultActions"][0]["Type"] == "redirect"
    assert all(rule["IsDefault"] for rule in found[80]["Rules"])

    assert cloud.run(module, **options)["changed"]
    assert list(listeners(cloud)) == [80]
    assert not cloud.run(module, **options)["changed"]


def test_attributes_and_tags_are_changed_in_place(cloud, options) -> None:
    cloud.run(module, **options)
    options["attributes"]["idle_timeout.timeout_seconds"] = 60
    options["tags"] = {"b": "2"}
    result = cloud.run(module, **options)
    assert sorted(cloud.mutations) == ["AddTags", "ModifyLoadBalancerAttributes"]
    assert result["load_balancer"]["attributes"]["idle_timeout.timeout_seconds"] == "60"
    assert result["load_balancer"]["tags"] == {"a": "1", "b": "2"}


def test_a_change_that_needs_a_replacement_is_refused(cloud, options) -> None:
    cloud.run(module, **options)
    outcome = cloud.run(module, fails=True, **options | {"scheme": "internal"})
    assert "AWS cannot change scheme from internet-facing to internal in place" in outcome["msg"]
    assert cloud.mutations == []


@pytest.mark.parametrize("check", [True, False])
def test_a_protected_one_is_not_removed(cloud, options, check) -> None:
    cloud.run(module, **options)
    outcome = cloud.run(module, fails=True, check=check, name="test", state="absent")
    assert "its deletion protection is on" in outcome["msg"]
    assert cloud.mutations == []


def test_it_is_removed_once(cloud, options) -> None:
    cloud.run(module, **options)
    absent = {"name": "test", "state": "absent", "attributes": {"deletion_protection.enabled": False}}
    assert cloud.run(module, check=True, **absent)["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, **absent)["changed"]
    assert cloud.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert not cloud.run(module, **absent)["changed"]


def test_it_waits_until_a_new_log_bucket_lets_it_write(cloud, options, monkeypatch) -> None:
    call, refusals = botocore.client.BaseClient._make_api_call, iter([True])

    def refusing(client, operation, parameters):
        if operation == "ModifyLoadBalancerAttributes" and next(refusals, False):
            said = {"Code": "InvalidConfigurationRequest", "Message": "Access Denied for bucket: logs. Please check S3bucket permission"}
            raise botocore.exceptions.ClientError({"Error": said}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refusing)
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    assert cloud.run(module, **options)["load_balancer"]["attributes"]["idle_timeout.timeout_seconds"] == "120"
