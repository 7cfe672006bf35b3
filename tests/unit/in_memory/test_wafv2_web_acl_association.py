# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import wafv2_web_acl_association as module

BALANCER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"


@pytest.fixture
def acl(cloud) -> str:
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "shop"}
    made = cloud.client("wafv2").create_web_acl(Name="shop", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visible)
    return made["Summary"]["ARN"]


def test_it_comes_once_and_goes_once(cloud, acl) -> None:
    assert cloud.run(module, check=True, resource_arn=BALANCER, web_acl_arn=acl)["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, resource_arn=BALANCER, web_acl_arn=acl)["association"]["web_acl_arn"] == acl
    assert cloud.client("wafv2").get_web_acl_for_resource(ResourceArn=BALANCER)["WebACL"]["ARN"] == acl
    assert not cloud.run(module, resource_arn=BALANCER, web_acl_arn=acl)["changed"]

    assert cloud.run(module, check=True, resource_arn=BALANCER)["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, resource_arn=BALANCER)["changed"]
    assert not cloud.client("wafv2").get_web_acl_for_resource(ResourceArn=BALANCER).get("WebACL")
    assert not cloud.run(module, resource_arn=BALANCER)["changed"]


def test_a_resource_that_is_not_there_yet_is_for_check_mode_alone(cloud, acl) -> None:
    assert cloud.run(module, check=True, resource_arn="", web_acl_arn=acl)["changed"]
    assert not cloud.run(module, check=True, resource_arn="")["changed"]
    assert cloud.calls == []
    assert "resource_arn is empty" in cloud.run(module, fails=True, resource_arn="", web_acl_arn=acl)["msg"]


def test_a_web_acl_that_is_not_there_is_an_error(cloud, acl) -> None:
    assert "could not associate" in cloud.run(module, fails=True, resource_arn=BALANCER, web_acl_arn=f"{acl}-of-nobody")["msg"]


def test_what_firewall_manager_associated_stays(cloud, acl, monkeypatch) -> None:
    cloud.run(module, resource_arn=BALANCER, web_acl_arn=acl)
    found = {"WebACL": {"ARN": acl, "ManagedByFirewallManager": True}}
    monkeypatch.setattr(module.Association, "_known", lambda _self: found)
    assert not cloud.run(module, resource_arn=BALANCER)["changed"]
