"""The environment is removed. It comes last (by its name): there is nothing left of the session's environment afterwards."""

from __future__ import annotations

from typing import Any

from .conftest import Cloud


def test_destroy_wants_the_environments_name_and_refuses_a_protected_one(application: Cloud) -> None:
    for variables, reason in (({"pulsegrid_confirm": "something-else"}, "pulsegrid_confirm"), ({"pulsegrid_protected": True}, "pulsegrid_protected")):
        run = application.playbook("playbooks/destroy.yml", ok=False, **{"pulsegrid_confirm": "pulsegrid-local", **variables})
        assert run.code == 2
        assert reason in run.output
    assert application.get("/").status_code == 200


def left_in(cloud: Cloud) -> dict[str, list[Any]]:
    """Everything that an environment consists of, as AWS's API lists it."""
    ec2, client = cloud.client("ec2"), cloud.client
    own = [{"Name": "tag:Application", "Values": ["pulsegrid"]}]
    return {
        "vpcs": ec2.describe_vpcs(Filters=own)["Vpcs"],
        "subnets": ec2.describe_subnets(Filters=own)["Subnets"],
        "security groups": ec2.describe_security_groups(Filters=own)["SecurityGroups"],
        "route tables": ec2.describe_route_tables(Filters=own)["RouteTables"],
        "internet gateways": ec2.describe_internet_gateways(Filters=own)["InternetGateways"],
        "NAT gateways": [nat for nat in ec2.describe_nat_gateways(Filters=own)["NatGateways"] if nat["State"] not in {"deleted", "deleting"}],
        "addresses": ec2.describe_addresses(Filters=own)["Addresses"],
        "endpoints": [endpoint for endpoint in ec2.describe_vpc_endpoints(Filters=own)["VpcEndpoints"] if endpoint["State"] != "deleted"],
        "databases": client("rds").describe_db_instances()["DBInstances"],
        "subnet groups": client("rds").describe_db_subnet_groups()["DBSubnetGroups"],
        "parameter groups": [
            group for group in client("rds").describe_db_parameter_groups()["DBParameterGroups"] if not group["DBParameterGroupName"].startswith("default.")
        ],
        "secrets": client("secretsmanager").list_secrets()["SecretList"],
        "repositories": client("ecr").describe_repositories()["repositories"],
        "load balancers": client("elbv2").describe_load_balancers()["LoadBalancers"],
        "target groups": client("elbv2").describe_target_groups()["TargetGroups"],
        "clusters": [
            cluster
            for cluster in client("ecs").describe_clusters(clusters=client("ecs").list_clusters()["clusterArns"])["clusters"]
            if cluster["status"] == "ACTIVE" and cluster["clusterName"] != "default"
        ],
        "task definitions": client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
        "buckets": client("s3").list_buckets()["Buckets"],
        "distributions": client("cloudfront").list_distributions()["DistributionList"].get("Items", []),
        "functions": client("lambda").list_functions()["Functions"],
        "schedules": client("scheduler").list_schedules()["Schedules"],
        "topics": client("sns").list_topics()["Topics"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "log groups": client("logs").describe_log_groups()["logGroups"],
        "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith("pulsegrid-")],
        "policies": client("iam").list_policies(Scope="Local")["Policies"],
    }


def test_destroy_leaves_nothing(application: Cloud) -> None:
    before = left_in(application)
    assert len([kind for kind, resources in before.items() if resources]) > 20, "the listing must see what there is before it can say that nothing is left"
    application.playbook("playbooks/destroy.yml", pulsegrid_confirm="pulsegrid-local")

    assert {kind: resources for kind, resources in left_in(application).items() if resources} == {}


def test_destroy_again_has_nothing_to_do(application: Cloud) -> None:
    run = application.playbook("playbooks/destroy.yml", pulsegrid_confirm="pulsegrid-local")

    assert run.count("changed") == 0
