"""Asks AWS whether the site is as it should be: `verify.py given|present|publish|changed|alone BACKEND`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import boto3

PHASE, BACKEND = sys.argv[1:]
NAME = "pulsegrid-molecule-site"
SECOND = "pulsegrid-molecule-documentation-of-the-users-site"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
SECURITY_HEADERS = "67f7725c-6f97-4210-82d7-5512b31e9d03"
# moto has neither response headers policies nor published functions.
HAS_EDGE = BACKEND == "ministack"

s3, cloudfront, route53 = boto3.client("s3"), boto3.client("cloudfront"), boto3.client("route53")
account = boto3.client("sts").get_caller_identity()["Account"]
bucket = f"{NAME}-{account}"
log_bucket = f"{NAME}-logs-{account}"


def same(what: str, found: Any, expected: Any) -> None:
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def buckets() -> set[str]:
    return {found["Name"] for found in s3.list_buckets()["Buckets"]}


def tags(tag_list: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tag_list}


def bucket_tags(name: str) -> dict[str, str]:
    return tags(s3.get_bucket_tagging(Bucket=name)["TagSet"])


def is_private(name: str, ownership: str) -> None:
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    same(f"public access block of {name}", sorted(block.items()), [(key, True) for key in sorted(block)])
    same("its parts", len(block), 4)
    same(f"ownership of {name}", s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"][0]["ObjectOwnership"], ownership)
    (encryption,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    same(f"encryption of {name}", encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
    (tls,) = [statement for statement in statements(name) if statement["Effect"] == "Deny"]
    same(f"TLS of {name}", tls["Condition"], {"Bool": {"aws:SecureTransport": "false"}})
    same("who needs it", (tls["Principal"], tls["Action"], sorted(tls["Resource"])), ("*", "s3:*", [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]))


def statements(name: str) -> list[dict[str, Any]]:
    return json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]


def rules(name: str) -> list[dict[str, Any]]:
    return s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]


def distribution_of(name: str) -> dict[str, Any] | None:
    for summary in cloudfront.list_distributions()["DistributionList"].get("Items") or []:
        found = cloudfront.get_distribution(Id=summary["Id"])["Distribution"]
        if found["DistributionConfig"]["CallerReference"].startswith(f"{name}/"):
            return found
    return None


def records() -> dict[str, str]:
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    found = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    return {f"{it['Name']} {it['Type']}": it["AliasTarget"]["DNSName"].rstrip(".") for it in found if "AliasTarget" in it}


def certificates() -> dict[str, dict[str, Any]]:
    acm = boto3.client("acm", region_name="us-east-1")
    found = [acm.describe_certificate(CertificateArn=it["CertificateArn"])["Certificate"] for it in acm.list_certificates()["CertificateSummaryList"]]
    return {certificate["CertificateArn"]: certificate for certificate in found}


def functions() -> set[str]:
    return {it["Name"] for it in cloudfront.list_functions()["FunctionList"].get("Items") or []}


def own_policies() -> list[dict[str, Any]]:
    if not HAS_EDGE:
        return []
    items = cloudfront.list_response_headers_policies(Type="custom")["ResponseHeadersPolicyList"].get("Items") or []
    return [it["ResponseHeadersPolicy"] for it in items]


def access_controls() -> set[str]:
    return {it["Name"] for it in cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items") or []}


def behaves(distribution: dict[str, Any], blocked: list[str]) -> None:
    """What both phases have in common: the page from the bucket, the API from its origin."""
    config = distribution["DistributionConfig"]
    page, others = config["DefaultCacheBehavior"], config["CacheBehaviors"].get("Items") or []
    same("state", (config["Enabled"], distribution["Status"]), (True, "Deployed"))
    same("versions of HTTP", (config["HttpVersion"], config["IsIPV6Enabled"]), ("http2and3", True))
    same("root object", config["DefaultRootObject"], "index.html")
    same("error pages, which would hide errors of the API", config.get("CustomErrorResponses", {"Quantity": 0})["Quantity"], 0)
    same("page", (page["TargetOriginId"], page["CachePolicyId"], page["Compress"]), ("site", CACHING_OPTIMIZED, True))
    same("HTTP", {it["ViewerProtocolPolicy"] for it in [page, *others]}, {"redirect-to-https"})

    same("paths, the blocked ones first", [it["PathPattern"] for it in others], [*blocked, "/v1/*"])
    api = others[-1]
    same("API", (api["TargetOriginId"], api["CachePolicyId"], api["OriginRequestPolicyId"]), ("api", CACHING_DISABLED, ALL_VIEWER))
    same("methods of the API", set(api["AllowedMethods"]["Items"]), METHODS)
    same("functions of the API", api.get("FunctionAssociations", {"Quantity": 0})["Quantity"], 0)

    origins = {origin["Id"]: origin for origin in config["Origins"]["Items"]}
    same("bucket", (origins["site"]["DomainName"], origins["site"]["OriginPath"]), (f"{bucket}.s3.us-east-1.amazonaws.com", "/site"))
    (header,) = origins["api"]["CustomHeaders"]["Items"]
    same("origin header", (header["HeaderName"], header["HeaderValue"]), ("X-Origin-Verify", "molecule"))
    if HAS_EDGE:  # moto forgets it
        control = cloudfront.get_origin_access_control(Id=origins["site"]["OriginAccessControlId"])["OriginAccessControl"]["OriginAccessControlConfig"]
        signs = (control["Name"], control["OriginAccessControlOriginType"], control["SigningBehavior"], control["SigningProtocol"])
        same("access control", signs, (NAME, "s3", "always", "sigv4"))
    assert NAME in access_controls()

    is_private(bucket, "BucketOwnerEnforced")
    same("versioning", s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
    allowed = {it["Action"]: it for it in statements(bucket) if it["Effect"] == "Allow"}
    same("what the policy allows", sorted(allowed), ["s3:GetObject", "s3:ListBucket"])
    for statement in allowed.values():
        same("whom", statement["Principal"], {"Service": "cloudfront.amazonaws.com"})
        same("for what", statement["Condition"], {"StringEquals": {"aws:SourceArn": distribution["ARN"]}})
    same("objects", allowed["s3:GetObject"]["Resource"], f"arn:aws:s3:::{bucket}/site/*")


def given() -> None:
    # Not amazon.aws.route53_zone, which asks for DNSSEC, and MiniStack does not know of it.
    route53.create_hosted_zone(Name="example.com", CallerReference="molecule")


def present() -> None:
    distribution = distribution_of(NAME)
    assert distribution is not None
    behaves(distribution, ["/v1/metrics", "/v1/debug/*"] if HAS_EDGE else [])
    config = distribution["DistributionConfig"]
    same("price class", config["PriceClass"], "PriceClass_200")
    assert config["WebACLId"].endswith("/webacl/molecule/11111111-2222-3333-4444-555555555555"), config["WebACLId"]
    countries = config["Restrictions"]["GeoRestriction"]
    same("countries", (countries["RestrictionType"], sorted(countries["Items"])), ("whitelist", ["DE", "FR"]))
    same("access log", (config["Logging"]["Enabled"], config["Logging"]["Bucket"]), (True, f"{log_bucket}.s3.amazonaws.com"))
    origins = {origin["Id"]: origin for origin in config["Origins"]["Items"]}
    same("Origin Shield", origins["site"]["OriginShield"], {"Enabled": True, "OriginShieldRegion": "us-east-1"})
    same("no shield for the API", origins["api"].get("OriginShield", {"Enabled": False})["Enabled"], False)
    same("protocol to the API", origins["api"]["CustomOriginConfig"]["OriginProtocolPolicy"], "https-only")

    is_private(log_bucket, "BucketOwnerPreferred")
    same("days of logs", [rule["Expiration"]["Days"] for rule in rules(log_bucket)], [14])
    (rule,) = rules(bucket)
    same("days of old versions", rule["NoncurrentVersionExpiration"]["NoncurrentDays"], 7)
    if BACKEND != "moto":  # which forgets it
        same("old versions kept longer", int(rule["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"]), 12)
    same(
        "tags",
        [bucket_tags(bucket), bucket_tags(log_bucket), tags(cloudfront.list_tags_for_resource(Resource=distribution["ARN"])["Tags"]["Items"])],
        [TAGS] * 3,
    )

    same("aliases", sorted(config["Aliases"]["Items"]), ["example.com", "www.example.com"])
    certificate = certificates()[config["ViewerCertificate"]["ACMCertificateArn"]]
    same("certificate", (certificate["Status"], sorted(certificate["SubjectAlternativeNames"])), ("ISSUED", ["example.com", "www.example.com"]))
    same("its region", certificate["CertificateArn"].split(":")[3], "us-east-1")
    same("TLS", (config["ViewerCertificate"]["MinimumProtocolVersion"], config["ViewerCertificate"]["SSLSupportMethod"]), ("TLSv1.2_2021", "sni-only"))
    names = [f"{name}. {kind}" for name in ("example.com", "www.example.com") for kind in ("A", "AAAA")]
    same("records", records(), dict.fromkeys(names, distribution["DomainName"]))

    if HAS_EDGE:
        page, *others = [config["DefaultCacheBehavior"], *config["CacheBehaviors"]["Items"]]
        (spa,) = page["FunctionAssociations"]["Items"]
        same("routes of the page", (spa["EventType"], spa["FunctionARN"].rpartition("/")[2]), ("viewer-request", f"{NAME}-spa"))
        same("blocked", {it["FunctionAssociations"]["Items"][0]["FunctionARN"].rpartition("/")[2] for it in others[:-1]}, {f"{NAME}-blocked"})
        for name in (f"{NAME}-spa", f"{NAME}-blocked"):
            same(f"{name} is live", cloudfront.describe_function(Name=name, Stage="LIVE")["FunctionSummary"]["FunctionMetadata"]["Stage"], "LIVE")
        (policy,) = own_policies()
        same("policy of the page", page["ResponseHeadersPolicyId"], policy["Id"])
        headers = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        same("CSP", headers["ContentSecurityPolicy"]["ContentSecurityPolicy"], "default-src 'self' https://cdn.example.com; frame-ancestors 'none'")
        same("HSTS", headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"], 63072000)
        same("frames", headers["FrameOptions"]["FrameOption"], "DENY")
        same("referrer", headers["ReferrerPolicy"]["ReferrerPolicy"], "strict-origin-when-cross-origin")
        assert "ContentTypeOptions" in headers


def without_policy(write: Callable[[], Any]) -> None:
    """moto takes each request for one without TLS, and refuses it."""
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    if BACKEND == "moto":
        s3.delete_bucket_policy(Bucket=bucket)
    write()
    if BACKEND == "moto":
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def publish() -> None:
    without_policy(lambda: s3.put_object(Bucket=bucket, Key="site/index.html", Body=b"published"))
    distribution = distribution_of(NAME)
    assert distribution is not None
    for name in (bucket, log_bucket):
        theirs = [{"Key": key, "Value": value} for key, value in {**bucket_tags(name), "CostCenter": "4711"}.items()]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": theirs})
    cloudfront.tag_resource(Resource=distribution["ARN"], Tags={"Items": [{"Key": "CostCenter", "Value": "4711"}]})


def changed() -> None:
    distribution = distribution_of(NAME)
    assert distribution is not None
    behaves(distribution, [])
    config = distribution["DistributionConfig"]
    same("price class", config["PriceClass"], "PriceClass_100")
    same("web ACL", config["WebACLId"], "")
    same("countries", config["Restrictions"]["GeoRestriction"]["RestrictionType"], "none")
    same("access log", config["Logging"]["Enabled"], False)
    assert log_bucket not in buckets()
    origins = {origin["Id"]: origin for origin in config["Origins"]["Items"]}
    same("Origin Shield", origins["site"]["OriginShield"]["Enabled"], False)
    same("protocol to the API", origins["api"]["CustomOriginConfig"]["OriginProtocolPolicy"], "http-only")
    (rule,) = rules(bucket)
    same("days of old versions", rule["NoncurrentVersionExpiration"]["NoncurrentDays"], 5)
    if BACKEND != "moto":  # which forgets it
        same("old versions kept longer", int(rule["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"]), 16)

    same("aliases", config["Aliases"]["Quantity"], 0)
    same("certificate", config["ViewerCertificate"]["CloudFrontDefaultCertificate"], True)
    second = distribution_of(SECOND)
    assert second is not None
    same("records", records(), {f"docs.example.com. {kind}": second["DomainName"] for kind in ("A", "AAAA")})
    same("names of the certificates", [it["DomainName"] for it in certificates().values()], ["docs.example.com"])

    theirs = {**TAGS, "Owner": "somebody", "CostCenter": "4711"}
    same("tags", bucket_tags(bucket), theirs)
    same("tags", tags(cloudfront.list_tags_for_resource(Resource=distribution["ARN"])["Tags"]["Items"]), theirs)
    same("published", [it["Key"] for it in s3.list_objects_v2(Bucket=bucket)["Contents"]], ["site/index.html"])

    same("sites", len(cloudfront.list_distributions()["DistributionList"]["Items"]), 2)
    same("access controls", access_controls(), {NAME, SECOND})
    if HAS_EDGE:
        same("policy of the page", config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"], SECURITY_HEADERS)
        same("functions", functions(), {f"{SECOND}-spa"})
        same("policies", [policy["ResponseHeadersPolicyConfig"]["Name"] for policy in own_policies()], [SECOND])
    same("buckets of both", len(buckets()), 3)


def alone() -> None:
    distribution = distribution_of(NAME)
    assert distribution is not None
    behaves(distribution, [])
    same("sites", len(cloudfront.list_distributions()["DistributionList"]["Items"]), 1)
    same("access controls", access_controls(), {NAME})
    same("buckets", buckets(), {bucket})
    same("certificates", certificates(), {})
    same("records", records(), {})
    if HAS_EDGE:
        same("functions", functions(), set())
        same("policies", own_policies(), [])
    else:  # the removal is refused too
        versions = s3.list_object_versions(Bucket=bucket)["Versions"]
        objects = [{"Key": it["Key"], "VersionId": it["VersionId"]} for it in versions]
        without_policy(lambda: s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}))


{"given": given, "present": present, "publish": publish, "changed": changed, "alone": alone}[PHASE]()
