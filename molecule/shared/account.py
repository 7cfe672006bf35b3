"""Prints what there is in the account, one line for each resource, without what AWS puts into every account."""

from __future__ import annotations

import boto3

LISTS = {
    "ec2": {
        "describe_vpcs": ("Vpcs", "VpcId", lambda it: not it["IsDefault"]),
        "describe_nat_gateways": ("NatGateways", "NatGatewayId", lambda it: it["State"] != "deleted"),
        "describe_addresses": ("Addresses", "AllocationId", None),
        "describe_vpc_endpoints": ("VpcEndpoints", "VpcEndpointId", lambda it: it["State"] != "deleted"),
        "describe_security_groups": ("SecurityGroups", "GroupId", None),
        "describe_subnets": ("Subnets", "SubnetId", None),
        "describe_route_tables": ("RouteTables", "RouteTableId", None),
        "describe_internet_gateways": ("InternetGateways", "InternetGatewayId", None),
        "describe_flow_logs": ("FlowLogs", "FlowLogId", None),
        "describe_network_interfaces": ("NetworkInterfaces", "NetworkInterfaceId", None),
    },
    "rds": {
        "describe_db_instances": ("DBInstances", "DBInstanceIdentifier", None),
        "describe_event_subscriptions": ("EventSubscriptionsList", "CustSubscriptionId", None),
        "describe_db_subnet_groups": ("DBSubnetGroups", "DBSubnetGroupName", None),
        "describe_db_parameter_groups": ("DBParameterGroups", "DBParameterGroupName", lambda it: not it["DBParameterGroupName"].startswith("default.")),
    },
    "secretsmanager": {"list_secrets": ("SecretList", "Name", None)},
    "logs": {"describe_log_groups": ("logGroups", "logGroupName", None)},
    "elbv2": {
        "describe_load_balancers": ("LoadBalancers", "LoadBalancerArn", None),
        "describe_target_groups": ("TargetGroups", "TargetGroupArn", None),
    },
    "acm": {"list_certificates": ("CertificateSummaryList", "CertificateArn", None)},
    "route53": {"list_hosted_zones": ("HostedZones", "Id", None)},
    "ecr": {"describe_repositories": ("repositories", "repositoryName", None)},
    "ecs": {"describe_clusters": ("clusters", "clusterArn", lambda it: it["status"] == "ACTIVE"), "list_task_definitions": ("taskDefinitionArns", None, None)},
    "s3": {"list_buckets": ("Buckets", "Name", None)},
    "lambda": {"list_functions": ("Functions", "FunctionName", None)},
    "scheduler": {"list_schedules": ("Schedules", "Name", None)},
    "sns": {"list_topics": ("Topics", "TopicArn", None)},
    "sqs": {"list_queues": ("QueueUrls", None, None)},
    "cloudwatch": {"describe_alarms": ("MetricAlarms", "AlarmName", None)},
    "iam": {
        "list_roles": ("Roles", "RoleName", lambda it: not it["Path"].startswith("/aws-service-role/")),
        "list_policies": ("Policies", "PolicyName", lambda it: not it["Arn"].startswith("arn:aws:iam::aws:")),
    },
}

for service, operations in LISTS.items():
    client = boto3.client(service)
    for operation, (key, name, counts) in operations.items():
        arguments = {"Scope": "Local"} if operation == "list_policies" else {}
        if operation == "describe_clusters":  # AWS, too, lists removed ones for a while
            arguments = {"clusters": client.list_clusters()["clusterArns"]}
        for resource in getattr(client, operation)(**arguments).get(key) or []:
            if counts is None or counts(resource):
                print(service, operation.partition("_")[2], resource[name] if name else resource)
