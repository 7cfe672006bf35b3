# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import route53_alias_records as module

TARGET = "d111111abcdef8.cloudfront.net"
CLOUDFRONT = "Z2FDTNDATAQYW2"


@pytest.fixture
def zone(cloud) -> str:
    return cloud.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]


def options(*names, **more):
    return {"hosted_zone": "example.com", "names": list(names), "target": TARGET, "target_hosted_zone_id": CLOUDFRONT, **more}


def records(cloud, zone):
    found = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return sorted(f"{it['Name']} {it['Type']} {it['AliasTarget']['DNSName']}" for it in found if "AliasTarget" in it)


def add(cloud, zone, **record):
    cloud.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})


def test_names_come_once(cloud, zone) -> None:
    predicted = cloud.run(module, check=True, **options("www.example.com", "*.example.com"))
    assert predicted["changed"]
    assert "ChangeResourceRecordSets" not in cloud.calls
    made = cloud.run(module, **options("www.example.com", "*.example.com"))
    assert made["changed"]
    assert made["alias_records"] == predicted["alias_records"]
    assert cloud.calls.count("ChangeResourceRecordSets") == 1
    assert len(records(cloud, zone)) == 4
    assert not cloud.run(module, **options("*.example.com", "WWW.example.com"))["changed"]


def test_a_name_that_is_no_longer_listed_goes_and_others_stay(cloud, zone) -> None:
    add(cloud, zone, Name="api.example.com", Type="A", AliasTarget={"HostedZoneId": CLOUDFRONT, "DNSName": "d2.cloudfront.net", "EvaluateTargetHealth": False})
    cloud.run(module, **options("www.example.com", "example.com"))
    assert cloud.run(module, **options("example.com"))["alias_records"]["records"] == ["example.com A", "example.com AAAA"]
    assert cloud.run(module, **options())["changed"]
    assert [record.split()[0] for record in records(cloud, zone)] == ["api.example.com."]
    assert not cloud.run(module, **options())["changed"]


def test_a_record_goes_as_it_is_and_a_weighted_one_is_somebody_else_s(cloud, zone, monkeypatch) -> None:
    alias = {"HostedZoneId": CLOUDFRONT, "DNSName": TARGET}
    add(cloud, zone, Name="www.example.com", Type="A", AliasTarget=alias | {"EvaluateTargetHealth": True})
    add(cloud, zone, Name="api.example.com", Type="A", SetIdentifier="blue", Weight=1, AliasTarget=alias | {"EvaluateTargetHealth": False})
    sent = []
    call = module.AliasRecords.call
    monkeypatch.setattr(module.AliasRecords, "call", lambda self, *words, **more: sent.append(more.get("ChangeBatch")) or call(self, *words, **more))

    assert cloud.run(module, **options())["changed"]
    [change] = [change for batch in sent if batch for change in batch["Changes"]]
    assert change["Action"] == "DELETE"
    assert change["ResourceRecordSet"]["AliasTarget"]["EvaluateTargetHealth"] is True
    assert [record.split()[0] for record in records(cloud, zone)] == ["api.example.com."]


def test_a_record_of_somebody_else_is_not_overwritten(cloud, zone) -> None:
    add(cloud, zone, Name="www.example.com", Type="A", TTL=60, ResourceRecords=[{"Value": "192.0.2.1"}])
    refused = cloud.run(module, fails=True, **options("www.example.com"))
    assert "www.example.com A is there already and leads to 192.0.2.1" in refused["msg"]


def test_a_missing_zone_is_said(cloud) -> None:
    assert "no public hosted zone" in cloud.run(module, fails=True, **options("www.example.com"))["msg"]


def test_what_route_53_escapes_is_read() -> None:
    assert module.plain("\\052.Example.com.") == "*.example.com"
