"""Prints what AWS says of the VPC with the given Name tag, with names in place of IDs, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import unquote

import boto3

ec2, iam, logs = (boto3.client(service) for service in ("ec2", "iam", "logs"))
NAME = sys.argv[1]


def tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


(vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [NAME]}])["Vpcs"]
ID = vpc["VpcId"]


def all_of(operation: str, key: str, filter_parameter: str = "Filters") -> list[dict[str, Any]]:
    found = getattr(ec2, operation)(**{filter_parameter: [{"Name": "vpc-id", "Values": [ID]}]})[key]
    return [it for it in found if it.get("VpcId") == ID]


subnets = all_of("describe_subnets", "Subnets")
subnet_names = {it["SubnetId"]: f"{tags(it).get('Tier')} {it['AvailabilityZone']}" for it in subnets}
tables = all_of("describe_route_tables", "RouteTables")
table_names = {it["RouteTableId"]: tags(it).get("Name", "main") for it in tables}
gateways = [it for it in all_of("describe_nat_gateways", "NatGateways", "Filter") if it["State"] in ("pending", "available")]
groups = all_of("describe_security_groups", "SecurityGroups")
group_names = {it["GroupId"]: it["GroupName"] for it in groups}
(internet_gateway,) = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [ID]}])["InternetGateways"] or [None]
endpoints = [it for it in all_of("describe_vpc_endpoints", "VpcEndpoints") if it["State"].lower() == "available"]
addresses = ec2.describe_addresses()["Addresses"]

leads_to = {it["NatGatewayId"]: "NAT in " + subnet_names[it["SubnetId"]] for it in gateways}
if internet_gateway:
    leads_to[internet_gateway["InternetGatewayId"]] = "internet"


def default_route(table: dict[str, Any]) -> str:
    for route in table["Routes"]:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0":
            return leads_to.get(route.get("GatewayId") or route.get("NatGatewayId"), "unknown")
    return "nowhere"


def rules() -> list[str]:
    """One line for each rule, such as: pulsegrid-molecule-tasks from pulsegrid-molecule-alb tcp 8080."""
    lines = []
    for group in groups:
        for way, key in (("from", "IpPermissions"), ("to", "IpPermissionsEgress")):
            for rule in group[key]:
                others = [group_names.get(it["GroupId"], it["GroupId"]) for it in rule.get("UserIdGroupPairs", [])]
                others += [it["CidrIp"] for it in rule.get("IpRanges", [])] + [it["CidrIpv6"] for it in rule.get("Ipv6Ranges", [])]
                lines += [f"{group['GroupName']} {way} {other} {rule['IpProtocol']} {rule.get('FromPort', 'all')}" for other in others]
    return sorted(lines)


def role(name: str) -> dict[str, Any] | None:
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    trust = found["AssumeRolePolicyDocument"]
    trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust
    policies = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    actions = []
    for policy in policies:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            actions += [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
    return {
        "trusts": [statement["Principal"]["Service"] for statement in trust["Statement"]],
        "conditions": sorted(key for statement in trust["Statement"] for one in statement["Condition"].values() for key in one),
        "actions": sorted(actions),
    }


def attribute(name: str) -> bool:
    return ec2.describe_vpc_attribute(VpcId=ID, Attribute=name)[name[0].upper() + name[1:]]["Value"]


log_groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/vpc-flow-logs/{NAME}")["logGroups"]
print(
    json.dumps(
        {
            "ids": {
                "vpc": ID,
                **{f"{tier} subnets": sorted(key for key, name in subnet_names.items() if name.startswith(tier)) for tier in ("public", "private", "database")},
                "tables": {name: key for key, name in table_names.items()},
                "groups": {name: key for key, name in group_names.items()},
                "internet gateway": internet_gateway and internet_gateway["InternetGatewayId"],
            },
            "vpc": {"cidr": vpc["CidrBlock"], "dns": [attribute("enableDnsSupport"), attribute("enableDnsHostnames")], "tags": tags(vpc)},
            "subnets": {subnet_names[it["SubnetId"]]: it["CidrBlock"] for it in subnets},
            "subnets that give out public addresses": [subnet_names[it["SubnetId"]] for it in subnets if it["MapPublicIpOnLaunch"]],
            "environments": sorted({tags(it).get("Environment", "none") for it in [*subnets, *gateways, *addresses, *endpoints]}),
            "default routes": {
                subnet_names[association["SubnetId"]]: default_route(it) for it in tables for association in it["Associations"] if association.get("SubnetId")
            },
            "routes": sorted({route["DestinationCidrBlock"] for it in tables for route in it["Routes"] if "DestinationCidrBlock" in route}),
            "addresses": sorted(it["PublicIp"] for it in addresses),
            "nat addresses": sorted(address["PublicIp"] for it in gateways for address in it["NatGatewayAddresses"]),
            "endpoints": {
                it["ServiceName"].rpartition("us-east-1.")[2]: {
                    "type": it["VpcEndpointType"],
                    "private dns": it["VpcEndpointType"] == "Interface" and it["PrivateDnsEnabled"],
                    "in": sorted([table_names[one] for one in it.get("RouteTableIds", [])] + [subnet_names[one] for one in it.get("SubnetIds", [])]),
                    "groups": [group_names[one["GroupId"]] for one in it.get("Groups", [])],
                }
                for it in endpoints
            },
            "rules": rules(),
            "flow logs": [
                {"traffic": it["TrafficType"], "log group": it["LogGroupName"], "role": it["DeliverLogsPermissionArn"].partition(":role/")[2]}
                for it in ec2.describe_flow_logs(Filter=[{"Name": "resource-id", "Values": [ID]}])["FlowLogs"]
            ],
            "log groups": {it["logGroupName"]: it.get("retentionInDays") for it in log_groups},
            "flow log role": role(f"{NAME}-flow-logs"),
        }
    )
)
