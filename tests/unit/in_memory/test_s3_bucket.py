# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import botocore.client
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import s3_bucket as module

NAME = "test-site"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
SAME_POLICY = {**POLICY, "Statement": [{**POLICY["Statement"][0], "Action": ["s3:*"], "Resource": POLICY["Statement"][0]["Resource"][::-1]}]}
OLD_VERSIONS = {"id": "old-versions", "noncurrent_version_expiration_days": 30, "expired_object_delete_marker": True}
OLD_LOGS = {"id": "old-logs", "prefix": "logs/", "expiration_days": 90, "abort_incomplete_multipart_upload_days": 7}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def options(**more):
    return {"name": NAME, "versioning": True, "policy": POLICY, "lifecycle_rules": [OLD_VERSIONS], "tags": {"a": "1"}, "purge_tags": False, **more}


def writes(cloud):
    return [call for call in cloud.mutations if call != "HeadBucket"]


def refusing(monkeypatch, refused, code, message="", times=1):
    """The operation is refused so many times."""
    call, left = botocore.client.BaseClient._make_api_call, [times]

    def refuse(client, operation, parameters):
        if operation == refused and left[0]:
            left[0] -= 1
            raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)


def test_it_is_created_once_private_and_encrypted(cloud) -> None:
    predicted = cloud.run(module, check=True, **options())
    assert predicted["changed"]
    assert predicted["bucket"]["arn"] == f"arn:aws:s3:::{NAME}"
    assert writes(cloud) == []

    assert cloud.run(module, **options())["changed"]
    assert not cloud.run(module, **options())["changed"]
    assert writes(cloud) == []
    s3 = cloud.client("s3")
    assert s3.get_bucket_location(Bucket=NAME)["LocationConstraint"] == "eu-central-1"
    assert set(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_ownership_controls(Bucket=NAME)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    assert json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"]) == POLICY
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    encryption = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_in_us_east_1_it_has_no_location_constraint(cloud, monkeypatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert cloud.run(module, **options())["bucket"]["region"] == "us-east-1"
    assert cloud.client("s3").get_bucket_location(Bucket=NAME).get("LocationConstraint") is None


def test_a_policy_of_the_same_meaning_is_no_change(cloud) -> None:
    cloud.run(module, **options())
    assert not cloud.run(module, **options(policy=SAME_POLICY))["changed"]
    changed = cloud.run(module, **options(policy={}))
    assert changed["changed"]
    assert changed["bucket"]["policy"] == ""
    assert writes(cloud) == ["DeleteBucketPolicy"]
    assert not cloud.run(module, **options(policy={}))["changed"]


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ({"versioning": False}, "PutBucketVersioning"),
        ({"kms_key_id": "alias/test"}, "PutBucketEncryption"),
        ({"object_ownership": "BucketOwnerPreferred"}, "PutBucketOwnershipControls"),
        ({"public_access_block": {"block_public_policy": False}}, "PutPublicAccessBlock"),
        ({"lifecycle_rules": [OLD_LOGS, OLD_VERSIONS]}, "PutBucketLifecycleConfiguration"),
        ({"lifecycle_rules": [{**OLD_VERSIONS, "expired_object_delete_marker": False}]}, "PutBucketLifecycleConfiguration"),
        ({"lifecycle_rules": []}, "DeleteBucketLifecycle"),
        ({"tags": {"a": "2"}}, "PutBucketTagging"),
        ({"tags": {}, "purge_tags": True}, "DeleteBucketTagging"),
    ],
)
def test_a_change_is_one_call(cloud, changes, written) -> None:
    cloud.run(module, **options())
    predicted = cloud.run(module, check=True, **options(**changes))
    assert predicted["changed"]
    assert predicted["diff"]["before"] != predicted["diff"]["after"]
    assert writes(cloud) == []
    assert cloud.run(module, **options(**changes))["changed"]
    assert writes(cloud) == [written]
    assert not cloud.run(module, **options(**changes))["changed"]


def test_what_is_not_given_is_left_alone(cloud) -> None:
    cloud.run(module, **options())
    assert not cloud.run(module, name=NAME)["changed"]


def test_the_access_log_comes_and_goes(cloud) -> None:
    cloud.client("s3").create_bucket(Bucket="test-logs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    allowed = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::test-logs/*"}
    cloud.client("s3").put_bucket_policy(Bucket="test-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    with_log = options(logging={"target_bucket": "test-logs", "target_prefix": "site/"})
    cloud.run(module, **with_log)
    assert not cloud.run(module, **with_log)["changed"]
    assert cloud.client("s3").get_bucket_logging(Bucket=NAME)["LoggingEnabled"]["TargetBucket"] == "test-logs"
    assert cloud.run(module, **options(logging={}))["changed"]
    assert "LoggingEnabled" not in cloud.client("s3").get_bucket_logging(Bucket=NAME)
    assert not cloud.run(module, **options(logging={}))["changed"]


def test_tags_of_others_stay(cloud) -> None:
    cloud.run(module, **options())
    cloud.client("s3").put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "theirs", "Value": "2"}]})
    assert not cloud.run(module, **options())["changed"]
    assert cloud.run(module, **options(tags={"b": "3"}))["bucket"]["tags"] == {"a": "1", "b": "3", "theirs": "2"}


def test_a_rule_that_the_options_cannot_express_is_replaced(cloud) -> None:
    cloud.run(module, **options())
    moved = {"ID": "old-versions", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}
    cloud.client("s3").put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": [moved]})
    assert cloud.run(module, **options())["changed"]
    assert not cloud.run(module, **options())["changed"]


def test_a_bucket_with_objects_is_removed_only_by_force(cloud) -> None:
    cloud.run(module, **options(policy={}))  # moto takes each request for one without TLS
    s3 = cloud.client("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=NAME, Key="index.html", Body=body)
    s3.delete_object(Bucket=NAME, Key="index.html")
    refused = cloud.run(module, fails=True, name=NAME, state="absent")
    assert "it has objects, and force is false" in refused["msg"]
    assert cloud.run(module, check=True, name=NAME, force=True, state="absent")["changed"]
    assert writes(cloud) == []
    assert cloud.run(module, name=NAME, force=True, state="absent")["changed"]
    assert s3.list_buckets()["Buckets"] == []
    assert not cloud.run(module, name=NAME, force=True, state="absent")["changed"]


def test_a_log_that_comes_while_it_is_emptied_is_removed_too(cloud, monkeypatch) -> None:
    cloud.run(module, **options())
    refusing(monkeypatch, "DeleteBucket", "BucketNotEmpty")
    assert cloud.run(module, name=NAME, force=True, state="absent")["changed"]
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_a_name_that_another_account_has_is_said(cloud, monkeypatch) -> None:
    refusing(monkeypatch, "CreateBucket", "BucketAlreadyExists")
    assert "another account has a bucket of this name" in cloud.run(module, fails=True, **options())["msg"]
    refusing(monkeypatch, "HeadBucket", "403")
    assert "belongs to another account" in cloud.run(module, fails=True, **options())["msg"]


def test_a_bucket_in_another_region_is_said(cloud, monkeypatch) -> None:
    cloud.client("s3").create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert "it is in eu-central-1, not in us-east-1" in cloud.run(module, fails=True, **options())["msg"]


def test_writes_wait_until_aws_knows_bucket_and_principal(cloud, monkeypatch) -> None:
    refusing(monkeypatch, "PutPublicAccessBlock", "NoSuchBucket", times=2)
    refusing(monkeypatch, "PutBucketVersioning", "OperationAborted", times=2)
    refusing(monkeypatch, "PutBucketPolicy", "MalformedPolicy", "Invalid principal in policy", times=3)
    assert cloud.run(module, **options())["changed"]
    assert not cloud.run(module, **options())["changed"]


def test_a_malformed_policy_fails_at_once(cloud, monkeypatch) -> None:
    refusing(monkeypatch, "PutBucketPolicy", "MalformedPolicy", "Policy has invalid resource", times=1)
    assert "could not put bucket policy" in cloud.run(module, fails=True, **options())["msg"]


def test_the_newest_old_versions_are_kept_longer() -> None:
    """moto does not keep it, so what is written is read without it."""
    expiration = {"NoncurrentDays": 30, "NewerNoncurrentVersions": 20}
    at_aws = {"ID": "old-versions", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": expiration}
    rule = module.Bucket._rule(at_aws)

    assert (rule["noncurrent_version_expiration_days"], rule["newer_noncurrent_versions"], rule["Other"]) == (30, 20, None)
    assert module.Bucket._api_rule(rule) == at_aws


@pytest.mark.parametrize("wrong", [{"newer_noncurrent_versions": 101}, {"newer_noncurrent_versions": 5, "noncurrent_version_expiration_days": None}])
def test_so_many_old_versions_are_no_rule(cloud, wrong) -> None:
    assert "allowed are 1 to 100" in cloud.run(module, fails=True, **options(lifecycle_rules=[{**OLD_VERSIONS, **wrong}]))["msg"]


def test_a_rule_expires_objects_or_markers(cloud) -> None:
    rule = {**OLD_VERSIONS, "expiration_days": 1}
    assert "AWS allows one of them" in cloud.run(module, fails=True, **options(lifecycle_rules=[rule]))["msg"]
