"""Asserts what AWS says of the load balancer, or does what others do: verify.py FUNCTION."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3

NAME = "pulsegrid-molecule"
SECRET = f"{NAME}/alb/origin-header"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}
THEIRS = {"CostCenter": "4711"}
PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"

elb, ec2, s3, acm, route53, waf, secrets, sts = (
    boto3.client(service) for service in ("elbv2", "ec2", "s3", "acm", "route53", "wafv2", "secretsmanager", "sts")
)
account = sts.get_caller_identity()["Account"]
bucket = f"{NAME}-alb-logs-{account}"


def equal(what: str, found: Any, expected: Any) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def tags(arn: str) -> dict[str, str]:
    return {it["Key"]: it["Value"] for it in elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]}


def balancer() -> dict[str, Any]:
    return elb.describe_load_balancers(Names=[NAME])["LoadBalancers"][0]


def network() -> tuple[str, list[str], str]:
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    by_zone = sorted({it["AvailabilityZone"]: it["SubnetId"] for it in subnets}.items())
    group = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["molecule"]}])["SecurityGroups"][0]
    return subnets[0]["VpcId"], [subnet for _zone, subnet in by_zone[:2]], group["GroupId"]


def given() -> None:
    """A hosted zone, a web ACL and a security group. Prints them, and the default network."""
    route53.create_hosted_zone(Name="example.com", CallerReference="molecule")
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "molecule"}
    acl = waf.create_web_acl(Name="molecule", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visible)["Summary"]
    vpc = next(it["VpcId"] for it in ec2.describe_vpcs()["Vpcs"] if it["IsDefault"])
    ec2.create_security_group(GroupName="molecule", Description="molecule", VpcId=vpc)
    vpc, subnets, group = network()
    print(json.dumps({"web_acl_arn": acl["ARN"], "vpc_outputs": {"vpc_id": vpc, "public_subnet_ids": subnets, "alb_security_group_id": group}}))


def attributes(**expected: str) -> None:
    found = {it["Key"]: it["Value"] for it in elb.describe_load_balancer_attributes(LoadBalancerArn=balancer()["LoadBalancerArn"])["Attributes"]}
    wanted = {
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        **{key.replace("__", "."): value for key, value in expected.items()},
    }
    equal("attributes", {key: found.get(key) for key in wanted}, wanted)


def groups() -> dict[str, dict[str, Any]]:
    """The target groups by their names, without the hash of one that is for a service."""
    found = elb.describe_target_groups()["TargetGroups"]
    return {it["TargetGroupName"] if it["TargetGroupName"] == NAME else tags(it["TargetGroupArn"])["Service"]: it for it in found}


def group(found: dict[str, Any], port: int, path: str, interval: int, delay: int, own_tags: dict[str, str]) -> None:
    assert len(found["TargetGroupName"]) <= 32, found["TargetGroupName"]
    vpc, _subnets, _group = network()
    expected = {
        "TargetType": "ip",
        "Protocol": "HTTP",
        "Port": port,
        "VpcId": vpc,
        "HealthCheckPath": path,
        "HealthCheckIntervalSeconds": interval,
        "HealthCheckTimeoutSeconds": 4,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 4,
        "Matcher": {"HttpCode": "200-299"},
    }
    equal("target group", {key: found.get(key) for key in expected}, expected)
    others = {it["Key"]: it["Value"] for it in elb.describe_target_group_attributes(TargetGroupArn=found["TargetGroupArn"])["Attributes"]}
    equal("delay", others["deregistration_delay.timeout_seconds"], str(delay))
    equal("tags of the target group", tags(found["TargetGroupArn"]), own_tags)


def listeners() -> dict[int, dict[str, Any]]:
    return {it["Port"]: it for it in elb.describe_listeners(LoadBalancerArn=balancer()["LoadBalancerArn"])["Listeners"]}


def rules(listener: dict[str, Any]) -> list[tuple[str, dict[str, list[str]], str]]:
    """Priority, conditions and target group of each rule that is not the default one; the secret header is compared here."""
    names = {it["TargetGroupArn"]: name for name, it in groups().items()}
    found = []
    for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
        if rule["IsDefault"]:
            continue
        conditions = {
            it["Field"]: sorted((it.get("PathPatternConfig") or it.get("HostHeaderConfig") or it["HttpHeaderConfig"])["Values"]) for it in rule["Conditions"]
        }
        if "http-header" in conditions:
            (header,) = [it["HttpHeaderConfig"]["HttpHeaderName"] for it in rule["Conditions"] if it["Field"] == "http-header"]
            secret = secrets.get_secret_value(SecretId=SECRET)["SecretString"]
            assert len(secret) == 48
            assert conditions.pop("http-header") == [secret], "a rule demands another header than the secret's"
            conditions[header] = ["the secret"]
        found.append((rule["Priority"], conditions, names[rule["Actions"][0]["TargetGroupArn"]]))
    return sorted(found, key=lambda it: int(it[0]))


def redirects(listener: dict[str, Any]) -> None:
    equal("protocol of port 80", listener["Protocol"], "HTTP")
    (action,) = listener["DefaultActions"]
    redirect = action["RedirectConfig"]
    equal("redirect", (redirect["Protocol"], redirect["Port"], redirect["StatusCode"]), ("HTTPS", "443", "HTTP_301"))


def certificate(listener: dict[str, Any], names: list[str]) -> None:
    """The listener's certificate is the only one, issued for the names."""
    found = [acm.describe_certificate(CertificateArn=it["CertificateArn"])["Certificate"] for it in acm.list_certificates()["CertificateSummaryList"]]
    equal("certificates", [it["CertificateArn"] for it in found], [it["CertificateArn"] for it in listener["Certificates"]])
    equal("certificate", (found[0]["Status"], sorted(found[0]["SubjectAlternativeNames"])), ("ISSUED", names))


def records() -> dict[str, dict[str, str]]:
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {f"{it['Name']} {it['Type']}": it["AliasTarget"]["DNSName"].rstrip(".") for it in found if it.get("AliasTarget")}


def ingress(*expected: tuple[int, str]) -> None:
    _vpc, _subnets, group_id = network()
    (found,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    rules_found = {
        (rule["FromPort"], source)
        for rule in found["IpPermissions"]
        for source in [it["CidrIp"] for it in rule["IpRanges"]] + [it["PrefixListId"] for it in rule.get("PrefixListIds", [])]
    }
    equal("ingress", rules_found, set(expected))


def prefix_list() -> str:
    (found,) = ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [PREFIX_LIST]}])["PrefixLists"]
    return found["PrefixListId"]


def buckets() -> list[str]:
    return [it["Name"] for it in s3.list_buckets()["Buckets"]]


def log_bucket() -> None:
    equal("buckets", buckets(), [bucket])
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    equal("public access block", sorted(block.values()), [True] * 4)
    (encryption,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    equal("encryption", encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")  # a load balancer writes with no other
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    equal("retention", rule["Expiration"]["Days"], 14)
    allowed, denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    equal("who writes", allowed["Principal"], {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"})
    equal("what", (allowed["Action"], allowed["Resource"]), ("s3:PutObject", f"arn:aws:s3:::{bucket}/AWSLogs/{account}/*"))
    equal("TLS", (denied["Effect"], denied["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
    equal("tags of the bucket", {it["Key"]: it["Value"] for it in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}, TAGS)


def web_acl() -> str:
    try:
        found = waf.get_web_acl_for_resource(ResourceArn=balancer()["LoadBalancerArn"]).get("WebACL")
    except waf.exceptions.WAFNonexistentItemException:
        return ""
    return found["Name"] if found else ""


def without_theirs(found: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in found.items() if key not in THEIRS}


def first() -> None:
    """Prints what the outputs must be."""
    made = balancer()
    _vpc, subnets, security_group = network()
    equal("scheme", (made["Type"], made["Scheme"]), ("application", "internet-facing"))
    equal("subnets", sorted(it["SubnetId"] for it in made["AvailabilityZones"]), sorted(subnets))
    equal("security groups", made["SecurityGroups"], [security_group])
    equal("tags", without_theirs(tags(made["LoadBalancerArn"])), TAGS)
    attributes(deletion_protection__enabled="true", idle_timeout__timeout_seconds="120", access_logs__s3__enabled="true", access_logs__s3__bucket=bucket)
    log_bucket()
    equal("web ACL", web_acl(), "molecule")
    ingress((443, prefix_list()))

    found = listeners()
    equal("ports", sorted(found), [80, 443])
    redirects(found[80])
    https = found[443]
    equal("HTTPS", (https["Protocol"], https["SslPolicy"]), ("HTTPS", "ELBSecurityPolicy-TLS13-1-3-2021-06"))
    certificate(https, ["example.com", "www.example.com"])
    (refusal,) = https["DefaultActions"]
    equal("request without the header", refusal["FixedResponseConfig"]["StatusCode"], "403")
    header = {"X-Origin-Verify": ["the secret"]}
    admin = "admin-for-the-whole-company"
    expected = [
        ("10", {"host-header": ["admin.example.com"], "path-pattern": ["/admin/*"], **header}, admin),
        ("20", {"path-pattern": ["/reports", "/reports/*"], **header}, "reports"),
        ("50000", header, NAME),
    ]
    equal("rules", rules(https), expected)

    targets = groups()
    equal("target groups", sorted(targets), [admin, NAME, "reports"])
    group(targets[NAME], 9090, "/health", 15, 10, TAGS)
    group(targets["reports"], 8081, "/health", 15, 10, {**TAGS, "LoadBalancer": NAME, "Service": "reports"})
    group(targets[admin], 8082, "/ready", 15, 10, {**TAGS, "LoadBalancer": NAME, "Service": admin})
    equal("aliases", records(), dict.fromkeys(["origin.example.com. A", "origin.example.com. AAAA"], made["DNSName"]))
    outputs = {
        "load_balancer_arn": made["LoadBalancerArn"],
        "dns_name": made["DNSName"],
        "canonical_hosted_zone_id": made["CanonicalHostedZoneId"],
        "target_group_arn": targets[NAME]["TargetGroupArn"],
        "target_group_arns": {name: targets[name]["TargetGroupArn"] for name in (admin, "reports")},
        "listener_arn": https["ListenerArn"],
        "url": "https://origin.example.com",
    }
    print(json.dumps(outputs))


def others() -> None:
    elb.add_tags(ResourceArns=[balancer()["LoadBalancerArn"]], Tags=[{"Key": key, "Value": value} for key, value in THEIRS.items()])


def open_to_everybody() -> None:
    ingress((80, "0.0.0.0/0"), (443, "0.0.0.0/0"))
    https = listeners()[443]
    certificate(https, ["shop.example.com"])
    equal("default target group", https["DefaultActions"][0]["TargetGroupArn"], groups()[NAME]["TargetGroupArn"])
    equal("rules", [(priority, target) for priority, _conditions, target in rules(https)], [("10", "admin-for-the-whole-company"), ("20", "reports")])
    no_secret()


def no_secret() -> None:
    equal("secrets", [it["Name"] for it in secrets.list_secrets()["SecretList"]], [])


def changed() -> None:
    made = balancer()
    equal("tags", tags(made["LoadBalancerArn"]), {**TAGS, **THEIRS, "Owner": "somebody"})
    attributes(deletion_protection__enabled="false", idle_timeout__timeout_seconds="30", access_logs__s3__enabled="false")
    equal("buckets", buckets(), [])
    equal("web ACL", web_acl(), "")
    ingress((80, "203.0.113.0/24"), (80, "198.51.100.0/24"))
    found = listeners()
    equal("ports", sorted(found), [80])
    targets = groups()
    equal("request that no rule takes", found[80]["DefaultActions"][0]["TargetGroupArn"], targets[NAME]["TargetGroupArn"])
    equal("rules", rules(found[80]), [("30", {"host-header": ["reports.example.com"]}, "reports")])
    equal("target groups", sorted(targets), [NAME, "reports"])
    group(targets[NAME], 9090, "/health", 30, 60, {**TAGS, "Owner": "somebody"})
    group(targets["reports"], 8081, "/health", 30, 60, {**TAGS, "Owner": "somebody", "LoadBalancer": NAME, "Service": "reports"})
    equal("certificates", acm.list_certificates()["CertificateSummaryList"], [])
    equal("aliases", records(), {})
    no_secret()


FUNCTIONS = (given, first, others, open_to_everybody, changed)
{function.__name__: function for function in FUNCTIONS}[sys.argv[1]]()
