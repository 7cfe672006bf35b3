"""Requests as botocore sends them are called what botocore calls them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from contracts.operations import Operation, Request

BUCKET: dict[str, Any] = {"Bucket": "shop-site"}
OBJECT: dict[str, Any] = {**BUCKET, "Key": "site/a b/index.html"}
DISTRIBUTION = {"CallerReference": "1", "Comment": "", "Enabled": True, "DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "https-only"}}
ORIGINS = {"Quantity": 1, "Items": [{"Id": "a", "DomainName": "a.example.com"}]}
CHANGE = {"Action": "DELETE", "ResourceRecordSet": {"Name": "shop.example.com", "Type": "A"}}

CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("s3", "list_buckets", {}, "s3:ListBuckets"),
    ("s3", "create_bucket", BUCKET, "s3:CreateBucket"),
    ("s3", "head_bucket", BUCKET, "s3:HeadBucket"),
    ("s3", "list_objects", BUCKET, "s3:ListObjects"),
    ("s3", "list_objects_v2", {**BUCKET, "Prefix": "site/"}, "s3:ListObjectsV2"),
    ("s3", "list_object_versions", BUCKET, "s3:ListObjectVersions"),
    ("s3", "get_bucket_lifecycle_configuration", BUCKET, "s3:GetBucketLifecycleConfiguration"),
    ("s3", "put_bucket_lifecycle_configuration", {**BUCKET, "LifecycleConfiguration": {"Rules": []}}, "s3:PutBucketLifecycleConfiguration"),
    ("s3", "get_bucket_inventory_configuration", {**BUCKET, "Id": "a"}, "s3:GetBucketInventoryConfiguration"),
    ("s3", "list_bucket_inventory_configurations", BUCKET, "s3:ListBucketInventoryConfigurations"),
    ("s3", "put_public_access_block", {**BUCKET, "PublicAccessBlockConfiguration": {}}, "s3:PutPublicAccessBlock"),
    ("s3", "delete_objects", {**BUCKET, "Delete": {"Objects": [{"Key": "a"}]}}, "s3:DeleteObjects"),
    ("s3", "get_object", OBJECT, "s3:GetObject"),
    ("s3", "head_object", OBJECT, "s3:HeadObject"),
    ("s3", "put_object", OBJECT, "s3:PutObject"),
    ("s3", "copy_object", {**OBJECT, "CopySource": "shop-site/a"}, "s3:CopyObject"),
    ("s3", "get_object_tagging", OBJECT, "s3:GetObjectTagging"),
    ("s3", "upload_part", {**OBJECT, "UploadId": "u", "PartNumber": 1}, "s3:UploadPart"),
    ("s3", "list_parts", {**OBJECT, "UploadId": "u"}, "s3:ListParts"),
    ("s3", "delete_bucket", BUCKET, "s3:DeleteBucket"),
    ("cloudfront", "list_distributions", {}, "cloudfront:ListDistributions"),
    ("cloudfront", "create_distribution", {"DistributionConfig": {**DISTRIBUTION, "Origins": ORIGINS}}, "cloudfront:CreateDistribution"),
    (
        "cloudfront",
        "create_distribution_with_tags",
        {"DistributionConfigWithTags": {"DistributionConfig": {**DISTRIBUTION, "Origins": ORIGINS}, "Tags": {}}},
        "cloudfront:CreateDistributionWithTags",
    ),
    ("cloudfront", "get_distribution_config", {"Id": "E1"}, "cloudfront:GetDistributionConfig"),
    ("cloudfront", "tag_resource", {"Resource": "arn:aws:cloudfront::1:distribution/E1", "Tags": {}}, "cloudfront:TagResource"),
    ("cloudfront", "untag_resource", {"Resource": "arn:aws:cloudfront::1:distribution/E1", "TagKeys": {}}, "cloudfront:UntagResource"),
    ("lambda", "get_function", {"FunctionName": "arn:aws:lambda:us-east-1:1:function:shop"}, "lambda:GetFunction"),
    ("lambda", "get_function_configuration", {"FunctionName": "shop"}, "lambda:GetFunctionConfiguration"),
    ("lambda", "list_tags", {"Resource": "arn:aws:lambda:us-east-1:1:function:shop"}, "lambda:ListTags"),
    ("lambda", "invoke", {"FunctionName": "shop"}, "lambda:Invoke"),
    ("scheduler", "get_schedule", {"Name": "check", "GroupName": "shop"}, "scheduler:GetSchedule"),
    ("scheduler", "list_tags_for_resource", {"ResourceArn": "arn:aws:scheduler:us-east-1:1:schedule-group/shop"}, "scheduler:ListTagsForResource"),
    ("route53", "change_resource_record_sets", {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [CHANGE]}}, "route53:ChangeResourceRecordSets"),
    ("efs", "describe_file_systems", {}, "elasticfilesystem:DescribeFileSystems"),
    ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs"),
    ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers"),
    ("ecs", "list_clusters", {}, "ecs:ListClusters"),
    ("cloudwatch", "describe_alarms", {}, "monitoring:DescribeAlarms"),
    ("resourcegroupstaggingapi", "get_resources", {}, "tagging:GetResources"),
]


class Sent(Exception):
    pass


@pytest.mark.parametrize(("service", "method", "parameters", "expected"), CALLS, ids=[f"{service}.{method}" for service, method, *more in CALLS])
def test_the_operation_is_the_one_that_was_called(service: str, method: str, parameters: dict[str, Any], expected: str) -> None:
    client = boto3.client(
        service,
        "us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    sent = []

    def keep(request: Any, **_: Any) -> None:
        headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
        body = request.body.encode() if isinstance(request.body, str) else request.body if isinstance(request.body, bytes) else b""
        sent.append(Request(request.method, request.url.removeprefix("http://127.0.0.1:9"), headers, body))
        raise Sent

    client.meta.events.register("before-send", keep)
    with pytest.raises(Sent):
        getattr(client, method)(**parameters)

    assert str(sent[0].operation) == expected


def test_what_is_no_call_of_aws_is_named_by_method_and_path() -> None:
    assert Request("PUT", "/v2/shop/blobs?a=b", {}).operation == Operation("?", "PUT /v2/shop/blobs")


def test_a_presigned_request_is_one_of_its_service() -> None:
    target = "/shop-site/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    assert str(Request("GET", target, {}).operation) == "s3:GetObject"
