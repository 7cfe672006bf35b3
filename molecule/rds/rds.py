"""Asserts what AWS says of the database, or does what others do: rds.py FUNCTION [ARGUMENT ...]."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

import boto3

NAME = "pulsegrid-molecule"
SECRET = "pulsegrid-molecule-database"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}
ROTATED = "Rotated-by-somebody.1"
MINISTACK = (os.environ.get("BACKEND") or "ministack") == "ministack"

rds, secrets, logs, iam, ec2 = (boto3.client(service) for service in ("rds", "secretsmanager", "logs", "iam", "ec2"))


def equal(what: str, found: Any, expected: Any) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def properties(found: dict[str, Any], **expected: Any) -> None:
    equal("properties", {key: found.get(key) for key in expected}, expected)


def tags_of(arn: str) -> dict[str, str]:
    return {it["Key"]: it["Value"] for it in rds.list_tags_for_resource(ResourceName=arn)["TagList"]}


def network() -> None:
    """Prints two subnets of the default VPC, in different zones, and its security group."""
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    by_zone = sorted({it["AvailabilityZone"]: it["SubnetId"] for it in subnets}.items())
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    print(json.dumps({"database_subnet_ids": [subnet for _zone, subnet in by_zone[:2]], "database_security_group_id": groups[0]["GroupId"]}))


def database(name: str = NAME, tags: dict[str, str] | None = None, **expected: Any) -> dict[str, Any]:
    """What holds of each database of this scenario."""
    found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    properties(
        found,
        DBInstanceStatus="available",
        Engine="postgres",
        DBName="shop",
        MasterUsername="shopkeeper",
        StorageType="gp3",
        StorageEncrypted=True,
        PubliclyAccessible=False,
        CopyTagsToSnapshot=True,
        **expected,
    )
    equal("key", found["KmsKeyId"].rpartition("/")[2], KEY)
    equal("port", found["Endpoint"]["Port"], 5433)
    with open(sys.argv[-1], encoding="utf-8") as given_file:
        given = json.load(given_file)
    equal("security groups", [it["VpcSecurityGroupId"] for it in found["VpcSecurityGroups"]], [given["database_security_group_id"]])
    equal("subnet group", found["DBSubnetGroup"]["DBSubnetGroupName"], name)
    group = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]
    equal("subnets", sorted(it["SubnetIdentifier"] for it in group["Subnets"]), sorted(given["database_subnet_ids"]))
    equal("tags", tags_of(found["DBInstanceArn"]), tags or TAGS)
    return found


def parameters(group: str, **expected: str) -> None:
    found = rds.describe_db_parameters(DBParameterGroupName=group, Source="user")["Parameters"]
    equal(f"parameters of {group}", {it["ParameterName"]: it["ParameterValue"] for it in found if "ParameterValue" in it}, {"rds.force_ssl": "1", **expected})


def log_groups(name: str, **expected: int) -> None:
    found = logs.describe_log_groups(logGroupNamePrefix=f"/aws/rds/instance/{name}/")["logGroups"]
    equal("log groups", {it["logGroupName"].rpartition("/")[2]: it["retentionInDays"] for it in found}, expected)


def password(name: str) -> str:
    value = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    equal("keys of the secret", sorted(value), ["password", "username"])
    equal("user", value["username"], "shopkeeper")
    return value["password"]


def absent(call: Any, error: type[Exception], **arguments: str) -> None:
    try:
        found = call(**arguments)
    except error:
        return
    raise AssertionError(f"{arguments}: there still is {found}")


def first(_given: str) -> None:
    found = database(
        DBInstanceClass="db.m7g.large",
        AllocatedStorage=400,
        MaxAllocatedStorage=1000,
        Iops=12000,
        StorageThroughput=500,
        MultiAZ=True,
        BackupRetentionPeriod=9,
        PreferredBackupWindow="01:00-02:00",
        PreferredMaintenanceWindow="tue:04:00-tue:05:00",
        AutoMinorVersionUpgrade=False,
        DeletionProtection=True,
        IAMDatabaseAuthenticationEnabled=True,
        CACertificateIdentifier="rds-ca-rsa4096-g1",
        MonitoringInterval=15,
    )
    equal("log exports", sorted(found["EnabledCloudwatchLogsExports"]), ["postgresql", "upgrade"])
    equal("major version", found["EngineVersion"].partition(".")[0], "15")
    equal("parameter group", [it["DBParameterGroupName"] for it in found["DBParameterGroups"]], ["pulsegrid-molecule-postgres15"])
    if MINISTACK:
        properties(found, PerformanceInsightsEnabled=True, PerformanceInsightsRetentionPeriod=31)
    group = rds.describe_db_parameter_groups(DBParameterGroupName="pulsegrid-molecule-postgres15")["DBParameterGroups"][0]
    equal("family", group["DBParameterGroupFamily"], "postgres15")
    parameters("pulsegrid-molecule-postgres15", log_min_duration_statement="500")
    log_groups(NAME, postgresql=14, upgrade=14)

    role = iam.get_role(RoleName="pulsegrid-molecule-rds-monitoring")["Role"]
    equal("role for metrics", found["MonitoringRoleArn"], role["Arn"])
    trust = role["AssumeRolePolicyDocument"]["Statement"]
    equal("trusted", [it["Principal"] for it in trust], [{"Service": "monitoring.rds.amazonaws.com"}])
    equal("trusted for", [it["Condition"]["ArnLike"]["aws:SourceArn"] for it in trust], [found["DBInstanceArn"]])
    policies = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    equal("policies", [it["PolicyArn"] for it in policies], ["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"])

    events = rds.describe_event_subscriptions(SubscriptionName=NAME)["EventSubscriptionsList"][0]
    properties(events, SnsTopicArn="arn:aws:sns:us-east-1:000000000000:operations", SourceType="db-instance", SourceIdsList=[NAME], Enabled=True)
    equal("categories", sorted(events["EventCategoriesList"]), ["failover", "low storage"])

    secret = secrets.describe_secret(SecretId=SECRET)
    equal("key of the secret", secret["KmsKeyId"].rpartition("/")[2], KEY)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{32}", password(SECRET)), "the password is not safe in an unquoted DSN"


def others() -> None:
    """Others rotate the password, and tag the database and its parameter group."""
    secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps({"username": "shopkeeper", "password": ROTATED}))
    rds.modify_db_instance(DBInstanceIdentifier=NAME, MasterUserPassword=ROTATED, ApplyImmediately=True)
    instance = rds.describe_db_instances(DBInstanceIdentifier=NAME)["DBInstances"][0]
    group = rds.describe_db_subnet_groups(DBSubnetGroupName=NAME)["DBSubnetGroups"][0]
    for arn in (instance["DBInstanceArn"], group["DBSubnetGroupArn"]):
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "CostCenter", "Value": "4711"}])
    rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier="before")
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig={"Delay": 1})


def restored(_given: str) -> None:
    """The copy that was made of the snapshot has all that a database has."""
    found = database(
        f"{NAME}-copy",
        DBInstanceClass="db.m7g.large",
        MultiAZ=True,
        AllocatedStorage=400,
        BackupRetentionPeriod=9,
        PreferredBackupWindow="01:00-02:00",
        PreferredMaintenanceWindow="tue:04:00-tue:05:00",
        IAMDatabaseAuthenticationEnabled=True,
        MonitoringInterval=15,
        DeletionProtection=False,
    )
    equal("parameter group", [it["DBParameterGroupName"] for it in found["DBParameterGroups"]], [f"{NAME}-copy-postgres15"])
    assert password(f"{NAME}-copy-database") not in ("", ROTATED)


def last_snapshot() -> None:
    """The copy's removal has left one, with its tags, and without a copy of its own that would be in the way."""
    found = [it for it in rds.describe_db_snapshots()["DBSnapshots"] if it["DBInstanceIdentifier"] == f"{NAME}-copy" and it["SnapshotType"] == "manual"]
    equal("last snapshots", len(found), 1)
    assert re.fullmatch(rf"{NAME}-copy-\d{{14}}", found[0]["DBSnapshotIdentifier"]), found[0]["DBSnapshotIdentifier"]
    equal("tags of the last snapshot", tags_of(found[0]["DBSnapshotArn"]) or {it["Key"]: it["Value"] for it in found[0]["TagList"]}, TAGS)


def changed(_given: str) -> None:
    found = database(
        tags={**TAGS, "Owner": "somebody", "CostCenter": "4711"},
        DBInstanceClass="db.r7g.large",
        AllocatedStorage=450,
        MaxAllocatedStorage=None,
        MultiAZ=False,
        BackupRetentionPeriod=3,
        PreferredBackupWindow="02:00-03:00",
        PreferredMaintenanceWindow="wed:04:00-wed:05:00",
        AutoMinorVersionUpgrade=True,
        DeletionProtection=False,
        IAMDatabaseAuthenticationEnabled=False,
        CACertificateIdentifier="rds-ca-ecc384-g1",
        EnabledCloudwatchLogsExports=["postgresql"],
        MonitoringInterval=0,
    )
    equal("major version", found["EngineVersion"].partition(".")[0], "16")
    equal("parameter group", [it["DBParameterGroupName"] for it in found["DBParameterGroups"]], ["pulsegrid-molecule-postgres16"])
    assert not found.get("PerformanceInsightsEnabled")
    parameters("pulsegrid-molecule-postgres16", log_min_duration_statement="250")
    log_groups(NAME, postgresql=30)
    absent(iam.get_role, iam.exceptions.NoSuchEntityException, RoleName="pulsegrid-molecule-rds-monitoring")
    absent(rds.describe_event_subscriptions, rds.exceptions.SubscriptionNotFoundFault, SubscriptionName=NAME)
    equal("password", password(SECRET), ROTATED)
    group = rds.describe_db_subnet_groups(DBSubnetGroupName=NAME)["DBSubnetGroups"][0]
    equal("tags of the subnet group", tags_of(group["DBSubnetGroupArn"]), {**TAGS, "Owner": "somebody", "CostCenter": "4711"})


FUNCTIONS = (network, first, others, restored, last_snapshot, changed)
{function.__name__: function for function in FUNCTIONS}[sys.argv[1]](*sys.argv[2:])
