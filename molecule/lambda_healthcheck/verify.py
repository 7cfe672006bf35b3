"""Asserts what AWS says of the health check, or does what others do: verify.py FUNCTION [ARGUMENT ...]."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3

NAME = "pulsegrid-molecule-healthcheck"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}
OTHERS = {"CostCenter": "4711"}
OWNER = {"Owner": "somebody"}
MOTO = os.environ.get("BACKEND") == "moto"
MOTO_KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"  # on moto the role makes none, see molecule.yml

functions = boto3.client("lambda")
iam = boto3.client("iam")
ACCOUNT = boto3.client("sts").get_caller_identity()["Account"]
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{NAME}"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}-failures"
TOPIC_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:{NAME}-alarms"
GROUP_ARN = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/{NAME}"
LOG_ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{NAME}"


def equal(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def plain(tags: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {it[key]: it[value] for it in tags}


def queue_url() -> str:
    return boto3.client("sqs").get_queue_url(QueueName=f"{NAME}-failures")["QueueUrl"]


def given(directory: str, source: str) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/25")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="health", Description="health", VpcId=vpc)["GroupId"]
    Path(directory, "given.yml").write_text(json.dumps({"subnet": subnet, "group": group}))
    with zipfile.ZipFile(Path(directory, "function.zip"), "w") as package:
        package.write(Path(source, "handler.py"), "handler.py")
        package.writestr("other.txt", "other")


def function(version: str, tags: dict[str, str], expected: dict[str, Any]) -> None:
    """What the schedule invokes, and that it is what there is."""
    alias = functions.get_alias(FunctionName=NAME, Name="live")
    equal("live version", alias["FunctionVersion"], version)
    live = functions.get_function(FunctionName=NAME, Qualifier=version)["Configuration"]
    latest = functions.get_function(FunctionName=NAME)
    equal("code", live["CodeSha256"], latest["Configuration"]["CodeSha256"])
    vpc = live.get("VpcConfig") or {}
    found = {
        "runtime": live["Runtime"],
        "handler": live["Handler"],
        "architectures": live["Architectures"],
        "timeout": live["Timeout"],
        "memory": live["MemorySize"],
        "environment": live.get("Environment", {}).get("Variables", {}),
        "subnets": len(vpc.get("SubnetIds", [])),
        "groups": len(vpc.get("SecurityGroupIds", [])),
        "tracing": live.get("TracingConfig", {}).get("Mode", "PassThrough"),
    }
    equal("function", found, expected)
    equal("tags of the function", latest["Tags"], tags)


def invocations(attempts: int, concurrency: int | None) -> None:
    config = functions.get_function_event_invoke_config(FunctionName=NAME, Qualifier="live")
    equal("attempts", (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]), (attempts, 120))
    equal("failure destination", config["DestinationConfig"]["OnFailure"]["Destination"], QUEUE_ARN)
    equal("concurrency", functions.get_function_concurrency(FunctionName=NAME).get("ReservedConcurrentExecutions"), concurrency)


def schedule(expression: str, zone: str, state: str, attempts: int, targets: list[str], tags: dict[str, str]) -> None:
    scheduler = boto3.client("scheduler")
    found = scheduler.get_schedule(Name=NAME, GroupName=NAME)
    equal("schedule", (found["ScheduleExpression"], found["ScheduleExpressionTimezone"], found["State"]), (expression, zone, state))
    target = found["Target"]
    equal("target", (target["Arn"], target["RoleArn"]), (f"{FUNCTION_ARN}:live", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-schedule"))
    equal("dead letters", target["DeadLetterConfig"]["Arn"], QUEUE_ARN)
    equal("retries", target["RetryPolicy"], {"MaximumRetryAttempts": attempts, "MaximumEventAgeInSeconds": 120})
    event = json.loads(target["Input"])
    equal("event", (event["namespace"], event["dimensions"]), ("Molecule/Check", {"Stage": "molecule"}))
    equal("targets", [it["url"] for it in event["targets"]], targets)
    equal("tags of the group", plain(scheduler.list_tags_for_resource(ResourceArn=GROUP_ARN)["Tags"]), tags)


def statements(name: str, tags: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the role: whom it trusts, and what it may do."""
    role = iam.get_role(RoleName=name)["Role"]
    equal(f"tags of the role {name}", plain(iam.list_role_tags(RoleName=name)["Tags"]), tags)
    equal(f"inline policies of {name}", iam.list_role_policies(RoleName=name)["PolicyNames"], [])
    [attached] = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
    document = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]["Document"]
    return role["AssumeRolePolicyDocument"]["Statement"][0], {it["Sid"]: it for it in document["Statement"]}


def roles(sids: set[str], tags: dict[str, str]) -> None:
    trust, may = statements(NAME, tags)
    equal("trust", trust["Principal"], {"Service": "lambda.amazonaws.com"})
    equal("the function may", set(may), {"WriteItsLog", "PublishItsMetrics", "ReportItsFailures", *sids})
    equal("log", may["WriteItsLog"]["Resource"], f"{LOG_ARN}:*")
    equal("metrics", may["PublishItsMetrics"]["Condition"], {"StringEquals": {"cloudwatch:namespace": "Molecule/Check"}})
    equal("failures", may["ReportItsFailures"]["Resource"], QUEUE_ARN)
    if "ReadItsSecrets" in sids:
        equal("secrets", may["ReadItsSecrets"]["Resource"], ["arn:aws:secretsmanager:us-east-1:000000000000:secret:token-AbCdEf"])
        equal("parameters", may["ReadItsParameters"]["Resource"], ["arn:aws:ssm:us-east-1:000000000000:parameter/password"])
        equal("their key", may["DecryptThem"]["Resource"].rpartition("/")[2], "1234abcd-12ab-34cd-56ef-1234567890ab")

    trust, may = statements(f"{NAME}-schedule", tags)
    equal("the schedule's trust", trust["Condition"], {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": GROUP_ARN}})
    resources = {sid: (it["Action"], it["Resource"]) for sid, it in may.items()}
    expected = {"InvokeTheFunction": ("lambda:InvokeFunction", f"{FUNCTION_ARN}:live"), "ReportItsFailures": ("sqs:SendMessage", QUEUE_ARN)}
    equal("the schedule may", resources, expected)


def log(days: int, tags: dict[str, str]) -> None:
    logs = boto3.client("logs")
    [group] = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}")["logGroups"]
    equal("retention", group["retentionInDays"], days)
    equal("tags of the log", logs.list_tags_for_resource(resourceArn=LOG_ARN)["tags"], tags)


def queue(tags: dict[str, str]) -> None:
    sqs = boto3.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url(), AttributeNames=["All"])["Attributes"]
    equal("queue", (attributes["QueueArn"], attributes["MessageRetentionPeriod"]), (QUEUE_ARN, "1209600"))
    equal("tags of the queue", sqs.list_queue_tags(QueueUrl=queue_url())["Tags"], tags)


def topic(subscription: tuple[str, str], tags: dict[str, str]) -> None:
    sns, kms = boto3.client("sns"), boto3.client("kms")
    attributes = sns.get_topic_attributes(TopicArn=TOPIC_ARN)["Attributes"]
    equal("key of the topic", attributes["KmsMasterKeyId"], MOTO_KEY if MOTO else f"alias/{NAME}-alarms")
    [statement] = json.loads(attributes["Policy"])["Statement"]
    equal("who publishes", (statement["Principal"], statement["Action"]), ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish"))
    found = sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    equal("subscriptions", [(it["Protocol"], it["Endpoint"]) for it in found], [subscription])
    equal("tags of the topic", plain(sns.list_tags_for_resource(ResourceArn=TOPIC_ARN)["Tags"]), tags)

    if MOTO:
        return
    [key] = [it["TargetKeyId"] for it in kms.list_aliases()["Aliases"] if it["AliasName"] == f"alias/{NAME}-alarms"]
    equal("key", kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Enabled")
    equal("rotation", kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True)
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    equal("who uses the key", [it["Principal"] for it in policy["Statement"] if it["Sid"] == "Alarms"], [{"Service": "cloudwatch.amazonaws.com"}])
    equal("tags of the key", plain(kms.list_resource_tags(KeyId=key)["Tags"], "TagKey", "TagValue"), tags)


def alarms(names: list[str]) -> None:
    found = boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{NAME}/")["MetricAlarms"]
    equal("alarms", sorted(it["AlarmName"] for it in found), [f"{NAME}/{name}" for name in names])
    for alarm in found:
        name = alarm["AlarmName"].partition("/")[2]
        equal("metric", (alarm["Namespace"], alarm["MetricName"]), ("Molecule/Check", "Success"))
        equal("dimensions", {it["Name"]: it["Value"] for it in alarm["Dimensions"]}, {"Stage": "molecule", "Name": name})
        equal("periods", (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]), (300, 4, 2))
        equal("missing data", alarm["TreatMissingData"], "breaching")
        equal("who is told", (alarm["AlarmActions"], alarm["OKActions"]), ([TOPIC_ARN], [TOPIC_ARN]))


def first() -> None:
    secrets = {
        "TOKEN_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:token-AbCdEf",
        "PASSWORD_ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/password",
    }
    expected = {
        "runtime": "python3.12",
        "handler": "handler.lambda_handler",
        "architectures": ["arm64"],
        "timeout": 30,
        "memory": 256,
        "environment": {"LOG_LEVEL": "debug"} | secrets,
        "subnets": 1,
        "groups": 1,
        "tracing": "Active",
    }
    function("1", TAGS, expected)
    invocations(attempts=2, concurrency=2)
    schedule(
        "cron(0/5 8-18 ? * MON-FRI *)",
        "Europe/Berlin",
        "ENABLED",
        attempts=2,
        targets=["https://shop.example.com/", "https://api.example.com/health"],
        tags=TAGS,
    )
    roles({"JoinTheVpc", "NotByItsCode", "ReadItsSecrets", "ReadItsParameters", "DecryptThem", "SendTraces"}, TAGS)
    log(7, TAGS)
    queue(TAGS)
    topic(("email", "oncall@example.com"), TAGS)
    alarms(["shop", "the API"])


def others() -> None:
    """Others tag everything."""
    functions.tag_resource(Resource=FUNCTION_ARN, Tags=OTHERS)
    boto3.client("logs").tag_resource(resourceArn=LOG_ARN, tags=OTHERS)
    boto3.client("sqs").tag_queue(QueueUrl=queue_url(), Tags=OTHERS)
    listed = [{"Key": key, "Value": value} for key, value in OTHERS.items()]
    boto3.client("sns").tag_resource(ResourceArn=TOPIC_ARN, Tags=listed)
    boto3.client("scheduler").tag_resource(ResourceArn=GROUP_ARN, Tags=listed)
    for role in (NAME, f"{NAME}-schedule"):
        iam.tag_role(RoleName=role, Tags=listed)
    if MOTO:
        return
    key = boto3.client("kms").describe_key(KeyId=f"alias/{NAME}-alarms")["KeyMetadata"]["KeyId"]
    boto3.client("kms").tag_resource(KeyId=key, Tags=[{"TagKey": key, "TagValue": value} for key, value in OTHERS.items()])


def live(version: str) -> None:
    equal("live version", functions.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"], version)


def changed(version: str) -> None:
    tags = TAGS | OTHERS | OWNER
    expected = {
        "runtime": "python3.12",
        "handler": "handler.lambda_handler",
        "architectures": ["arm64"],
        "timeout": 45,
        "memory": 512,
        "environment": {},
        "subnets": 0,
        "groups": 0,
        "tracing": "Active" if MOTO else "PassThrough",  # moto keeps the first
    }
    function(version, tags, expected)
    attempts = 2 if MOTO else 0
    invocations(attempts=attempts, concurrency=None)
    schedule("rate(10 minutes)", "Europe/Berlin", "DISABLED", attempts=attempts, targets=["https://shop.example.com/new"], tags=tags)
    roles(set(), tags)
    log(14, tags)
    queue(tags)
    topic(("https", "https://example.com/alarms"), tags)
    alarms([])
    versions = [it["Version"] for it in functions.list_versions_by_function(FunctionName=NAME)["Versions"]]
    assert len(versions) <= 5, versions


globals()[sys.argv[1]](*sys.argv[2:])
