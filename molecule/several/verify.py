"""Asserts what AWS says of two services and two sites: verify.py first|changed BACKEND."""

from __future__ import annotations

import sys

import boto3

API, SCHEDULER, STATUS = "pulsegrid-molecule", "pulsegrid-molecule-scheduler", "pulsegrid-molecule-status"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-molecule@sha256:"
RELEASES = {
    API: f"{IMAGE}1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014",
    SCHEDULER: f"{IMAGE}60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
}

ecs, iam, logs = boto3.client("ecs"), boto3.client("iam"), boto3.client("logs")
cloudfront, s3 = boto3.client("cloudfront"), boto3.client("s3")


def equal(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def services(revisions: dict[str, int], interval: str) -> None:
    equal("clusters", [it.rpartition("/")[2] for it in ecs.list_clusters()["clusterArns"]], [API])
    found = {it["serviceName"]: it for it in ecs.describe_services(cluster=API, services=[API, SCHEDULER])["services"]}
    equal("services", sorted(found), [API, SCHEDULER])
    equal("behind the load balancer", {name: len(it["loadBalancers"]) for name, it in found.items()}, {API: 1, SCHEDULER: 0})
    equal("tasks", {name: it["desiredCount"] for name, it in found.items()}, {API: 2, SCHEDULER: 1})
    equal("revisions", {name: int(it["taskDefinition"].rpartition(":")[2]) for name, it in found.items()}, revisions)
    for name, it in found.items():
        definition = ecs.describe_task_definition(taskDefinition=it["taskDefinition"])["taskDefinition"]
        app = definition["containerDefinitions"][0]
        equal("image", app["image"], RELEASES[name])
        equal("log", app["logConfiguration"]["options"]["awslogs-group"], f"/ecs/{name}")
        equal("roles", [definition[key].rpartition("/")[2] for key in ("executionRoleArn", "taskRoleArn")], [f"{name}-execution", f"{name}-task"])
        environment = {"ENV": "molecule"} | ({"HEALTH_CHECK_INTERVAL": interval} if name == SCHEDULER else {})
        equal("environment", {variable["name"]: variable["value"] for variable in app["environment"]}, environment)
        equal("secrets", [secret["name"] for secret in app.get("secrets", [])], ["JWT_SECRET"] if name == API else [])
        equal("health check", "healthCheck" in app, name == API)
    equal("logs", sorted(it["logGroupName"] for it in logs.describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"]), [f"/ecs/{API}", f"/ecs/{SCHEDULER}"])
    equal(
        "roles",
        sorted(it["RoleName"] for it in iam.list_roles()["Roles"] if it["RoleName"].startswith(API)),
        sorted(f"{name}-{kind}" for name in (API, SCHEDULER) for kind in ("execution", "task")),
    )


def scaled(backend: str) -> None:
    if backend == "moto":  # has no tags of scalable targets, so autoscaling is off there
        return
    targets = boto3.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    equal("what is scaled", [it["ResourceId"] for it in targets], [f"service/{API}/{API}"])


def sites(price_class: str) -> None:
    distributions = [
        cloudfront.get_distribution_config(Id=it["Id"])["DistributionConfig"] for it in cloudfront.list_distributions()["DistributionList"]["Items"]
    ]
    equal("distributions", len(distributions), 2)
    (site,) = (it for it in distributions if it["Origins"]["Quantity"] == 2)
    (status,) = (it for it in distributions if it["Origins"]["Quantity"] == 1)
    equal("paths to the API", [it["PathPattern"] for it in site["CacheBehaviors"]["Items"]][-1], "/api/*")
    equal("price classes", (site["PriceClass"], status["PriceClass"]), ("PriceClass_All", price_class))
    buckets = {it["DomainName"].partition(".s3.")[0] for config in distributions for it in config["Origins"]["Items"] if ".s3." in it["DomainName"]}
    equal("buckets of the sites", len(buckets), 2)
    assert buckets <= {it["Name"] for it in s3.list_buckets()["Buckets"]}, buckets
    assert sum(name.startswith(STATUS) for name in buckets) == 1, buckets


def first(backend: str) -> None:
    services({API: 1, SCHEDULER: 1}, "60")
    scaled(backend)
    sites("PriceClass_All")


def changed(backend: str) -> None:
    """The API and the first site are as they were."""
    services({API: 1, SCHEDULER: 2}, "30")
    scaled(backend)
    sites("PriceClass_100")


{"first": first, "changed": changed}[sys.argv[1]](sys.argv[2])
