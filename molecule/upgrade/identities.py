"""Prints, as JSON, by what AWS tells the resources of an environment from others of the same names: a resource that was replaced has another identity.

identities.py NAME [FILE]: with FILE, what it printed earlier, it fails where one of those is not there any more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import boto3

name = sys.argv[1]


def client(service: str):
    return boto3.client(service)


account = client("sts").get_caller_identity()["Account"]
vpc = client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"][0]["VpcId"]
in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
database = client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
service = client("ecs").describe_services(cluster=name, services=[name])["services"][0]
distributions = client("cloudfront").list_distributions()["DistributionList"]["Items"]
buckets = client("s3").list_buckets()["Buckets"]
secrets = client("secretsmanager").list_secrets()["SecretList"]
identities = {
    "vpc": vpc,
    "subnets": sorted(it["SubnetId"] for it in client("ec2").describe_subnets(Filters=in_vpc)["Subnets"]),
    "security groups": sorted(
        it["GroupId"] for it in client("ec2").describe_security_groups(Filters=in_vpc)["SecurityGroups"] if it["GroupName"].startswith(name)
    ),
    "database": [database["DbiResourceId"], str(database["InstanceCreateTime"])],
    "load balancer": [it["LoadBalancerArn"] for it in client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]],
    "target group": [it["TargetGroupArn"] for it in client("elbv2").describe_target_groups(Names=[name])["TargetGroups"]],
    "repository": [str(it["createdAt"]) for it in client("ecr").describe_repositories(repositoryNames=[name])["repositories"]],
    "service": [service["serviceArn"], str(service["createdAt"])],
    "distribution": sorted(it["Id"] for it in distributions if it["Comment"].startswith(name)),
    "site": [str(it["CreationDate"]) for it in buckets if it["Name"] == f"{name}-site-{account}"],
    "secrets": {it["Name"]: list(client("secretsmanager").describe_secret(SecretId=it["Name"])["VersionIdsToStages"]) for it in secrets},
    "function": client("lambda").get_function(FunctionName=f"{name}-healthcheck")["Configuration"]["FunctionArn"],
    "key": [it["TargetKeyId"] for it in client("kms").list_aliases()["Aliases"] if it["AliasName"] == f"alias/{name}-healthcheck-alarms"],
}
for what, identity in identities.items():
    assert identity, f"The previous release has made no {what}"
print(json.dumps(identities, sort_keys=True))

if len(sys.argv) > 2:
    for what, before in json.loads(Path(sys.argv[2]).read_text()).items():
        now = identities[what]
        kept = set(before) <= set(now) if isinstance(before, list) else now == before
        assert kept, f"{what}: was {before}, is {now}"
