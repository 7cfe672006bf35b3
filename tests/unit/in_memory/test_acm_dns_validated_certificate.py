# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import botocore.client
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import acm_dns_validated_certificate as module

NAMES = ["www.example.com", "example.com", "*.example.com"]


@pytest.fixture(autouse=True)
def zone(cloud, monkeypatch) -> str:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("moto.settings.ACM_VALIDATION_WAIT", 0)
    return cloud.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]


def options(**more):
    return {"name": "test", "domain_names": NAMES, "hosted_zone": "example.com", "tags": {"a": "1"}, "purge_tags": False, **more}


def certificates(cloud):
    return [it["DomainName"] for it in cloud.client("acm").list_certificates()["CertificateSummaryList"]]


def validation_records(cloud, zone):
    return [it["Name"] for it in cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"] if it["Type"] == "CNAME"]


def refusing(monkeypatch, refused, code, times):
    call, left = botocore.client.BaseClient._make_api_call, [times]

    def refuse(client, operation, parameters):
        if operation == refused and left[0]:
            left[0] -= 1
            raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": ""}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)


def test_it_is_requested_validated_and_issued_once(cloud, zone) -> None:
    predicted = cloud.run(module, check=True, **options())
    assert predicted["changed"]
    assert predicted["certificate"]["certificate_arn"].startswith("arn:aws:acm:us-east-1:000000000000:certificate/")
    assert cloud.mutations == []

    made = cloud.run(module, **options())
    assert made["changed"]
    assert made["certificate"]["status"] == "ISSUED"
    assert made["certificate"]["domain_names"] == sorted(NAMES)
    assert made["certificate"]["tags"] == {"a": "1", "Name": "test"}
    assert validation_records(cloud, zone)
    again = cloud.run(module, **options(domain_names=NAMES[::-1]))
    assert not again["changed"]
    assert again["certificate"]["certificate_arn"] == made["certificate"]["certificate_arn"]
    assert cloud.mutations == []


def test_aws_knows_a_requested_one_some_seconds_later(cloud, monkeypatch) -> None:
    refusing(monkeypatch, "DescribeCertificate", "ResourceNotFoundException", 2)

    assert cloud.run(module, **options())["certificate"]["status"] == "ISSUED"


def test_an_imported_one_of_the_same_name_stays(cloud, monkeypatch) -> None:
    call = botocore.client.BaseClient._make_api_call
    cloud.run(module, **options())

    def imported(client, operation, parameters):
        answer = call(client, operation, parameters)
        return answer | {"Certificate": answer["Certificate"] | {"Type": "IMPORTED"}} if operation == "DescribeCertificate" else answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", imported)
    assert not cloud.run(module, name="test", state="absent")["changed"]
    assert len(certificates(cloud)) == 1


def test_other_names_are_another_certificate_and_the_old_one_goes_when_asked(cloud) -> None:
    cloud.run(module, **options())
    other = options(domain_names=["shop.example.com"])
    assert cloud.run(module, **other)["changed"]
    assert len(certificates(cloud)) == 2
    assert not cloud.run(module, **other)["changed"]
    purge = {"name": "test", "keep_domain_names": ["shop.example.com"], "state": "absent"}
    assert cloud.run(module, check=True, **purge)["changed"]
    assert len(certificates(cloud)) == 2
    assert cloud.run(module, **purge)["changed"]
    assert certificates(cloud) == ["shop.example.com"]
    assert not cloud.run(module, **purge)["changed"]


def test_one_that_was_not_waited_for_is_issued_by_the_next_run(cloud, monkeypatch) -> None:
    monkeypatch.setattr("moto.settings.ACM_VALIDATION_WAIT", 3600)
    assert cloud.run(module, **options(wait=False))["certificate"]["status"] == "PENDING_VALIDATION"
    assert not cloud.run(module, **options(wait=False))["changed"]
    assert "not issued after 0 s" in cloud.run(module, fails=True, **options(wait_timeout_seconds=0))["msg"]
    assert cloud.run(module, check=True, **options())["changed"]


def test_tags_change_and_those_of_others_stay(cloud) -> None:
    arn = cloud.run(module, **options())["certificate"]["certificate_arn"]
    cloud.client("acm").add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "theirs", "Value": "2"}])
    assert not cloud.run(module, **options())["changed"]
    assert cloud.run(module, **options(tags={"a": "3"}))["certificate"]["tags"] == {"a": "3", "theirs": "2", "Name": "test"}
    assert cloud.run(module, **options(tags={"a": "3"}, purge_tags=True))["certificate"]["tags"] == {"a": "3", "Name": "test"}


def test_it_is_removed_once_nothing_uses_it(cloud, monkeypatch) -> None:
    cloud.client("acm").request_certificate(DomainName="theirs.example.com", ValidationMethod="DNS")
    cloud.run(module, **options())
    assert cloud.run(module, check=True, name="test", state="absent")["changed"]
    assert cloud.mutations == []
    refusing(monkeypatch, "DeleteCertificate", "ResourceInUseException", times=3)
    assert cloud.run(module, name="test", state="absent")["changed"]
    assert certificates(cloud) == ["theirs.example.com"]
    assert not cloud.run(module, name="test", state="absent")["changed"]


def test_one_that_stays_in_use_is_said(cloud, monkeypatch) -> None:
    cloud.run(module, **options())
    refusing(monkeypatch, "DeleteCertificate", "ResourceInUseException", times=9)
    assert "not free of use after 0 s" in cloud.run(module, fails=True, name="test", state="absent", wait_timeout_seconds=0)["msg"]


def test_what_aws_refuses_to_issue_is_said(cloud, monkeypatch) -> None:
    describe = botocore.client.BaseClient._make_api_call

    def failed(client, operation, parameters):
        answer = describe(client, operation, parameters)
        if operation == "DescribeCertificate":
            answer["Certificate"].update(Status="FAILED", FailureReason="CAA_ERROR")
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", failed)
    assert "CAA_ERROR" in cloud.run(module, fails=True, **options())["msg"]
