"""Asserts what AWS says of the service, or does what others do there: verify.py FUNCTION [ARGUMENT ...]."""

from __future__ import annotations

import json
import sys

import boto3

NAME, CLUSTER = "pulsegrid-molecule-api", "pulsegrid-molecule-shared"
RELEASE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-molecule@sha256:1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014"
REPOSITORY = "arn:aws:ecr:us-east-1:000000000000:repository/pulsegrid-molecule"
INDEX = "application/vnd.oci.image.index.v1+json"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}

ecs, iam, logs = boto3.client("ecs"), boto3.client("iam"), boto3.client("logs")
ec2, elb, ecr = boto3.client("ec2"), boto3.client("elbv2"), boto3.client("ecr")
secrets, ssm = boto3.client("secretsmanager"), boto3.client("ssm")
scaling = boto3.client("application-autoscaling")
ACCOUNT = boto3.client("sts").get_caller_identity()["Account"]
HERE = f"us-east-1:{ACCOUNT}"


def equal(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def named(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag.get("key") or tag["Key"]: tag.get("value") or tag["Value"] for tag in tags}


def given() -> None:
    """A network, a load balancer, a secret and a parameter, as JSON."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zones = [("10.9.0.0/24", "us-east-1a"), ("10.9.1.0/24", "us-east-1b")]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"] for cidr, zone in zones]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    balancer = elb.create_load_balancer(Name="pulsegrid-molecule", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.create_target_group(Name="pulsegrid-molecule", Protocol="HTTP", Port=9090, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
    parameter = "/pulsegrid-molecule/api-key"
    ssm.put_parameter(Name=parameter, Value="a", Type="SecureString")
    secret = secrets.create_secret(Name="pulsegrid-molecule-given", SecretString='{"password": "a"}')["ARN"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    ecr.create_repository(repositoryName="pulsegrid-molecule")
    manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}]}
    ecr.put_image(repositoryName="pulsegrid-molecule", imageTag="2", imageManifest=json.dumps(manifest), imageManifestMediaType=INDEX)
    names = {"subnet_ids": subnets, "security_group_id": group, "target_group_arn": target, "load_balancer_arn": balancer, "secret_arn": secret}
    print(json.dumps(names | {"parameter_arn": f"arn:aws:ssm:{HERE}:parameter{parameter}"}))


def there() -> dict:
    """What given() made."""
    target = elb.describe_target_groups(Names=["pulsegrid-molecule"])["TargetGroups"][0]
    return {
        "target_group": target["TargetGroupArn"],
        "label": f"{target['LoadBalancerArns'][0].split('loadbalancer/')[1]}/{target['TargetGroupArn'].split(':')[-1]}",
        "subnets": [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [target["VpcId"]]}])["Subnets"]],
        "secret": secrets.describe_secret(SecretId="pulsegrid-molecule-given")["ARN"],
        "generated": secrets.describe_secret(SecretId=f"{NAME}-jwt-secret")["ARN"],
        "parameter": f"arn:aws:ssm:{HERE}:parameter/pulsegrid-molecule/api-key",
    }


def policy(role: str) -> dict[str, dict] | None:
    """The only policy of a role, by statement."""
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    if not attached:
        return None
    equal(f"policies of {role}", [it["PolicyName"] for it in attached], [role])
    found = iam.get_policy(PolicyArn=attached[0]["PolicyArn"])["Policy"]
    document = iam.get_policy_version(PolicyArn=found["Arn"], VersionId=found["DefaultVersionId"])["PolicyVersion"]["Document"]
    return {it["Sid"]: it for it in document["Statement"]}


def service(name: str = NAME) -> dict:
    return ecs.describe_services(cluster=CLUSTER, services=[name], include=["TAGS"])["services"][0]


def definition(of: dict) -> tuple[dict, dict[str, dict]]:
    found = ecs.describe_task_definition(taskDefinition=of["taskDefinition"])["taskDefinition"]
    return found, {it["name"]: it for it in found["containerDefinitions"]}


def cluster(insights: str, tags: dict[str, str]) -> None:
    found = ecs.describe_clusters(clusters=[CLUSTER], include=["SETTINGS", "TAGS"])["clusters"][0]
    equal("Container Insights", {it["name"]: it["value"] for it in found["settings"]}["containerInsights"], insights)
    equal("capacity providers", sorted(found["capacityProviders"]), ["FARGATE", "FARGATE_SPOT"])
    equal("the cluster's tags", named(found["tags"]), tags)


def log_group(days: int, tags: dict[str, str]) -> None:
    found = logs.describe_log_groups(logGroupNamePrefix=f"/ecs/{NAME}")["logGroups"]
    equal("log groups", [(it["logGroupName"], it.get("retentionInDays")) for it in found], [(f"/ecs/{NAME}", days)])
    equal("the log group's tags", logs.list_tags_log_group(logGroupName=f"/ecs/{NAME}")["tags"], tags)


def roles(tags: dict[str, str]) -> None:
    for role in (f"{NAME}-execution", f"{NAME}-task"):
        found = iam.get_role(RoleName=role)["Role"]
        (trust,) = found["AssumeRolePolicyDocument"]["Statement"]
        equal(f"principal of {role}", trust["Principal"], {"Service": "ecs-tasks.amazonaws.com"})
        conditions = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{HERE}:*"}}
        equal(f"conditions of {role}", trust["Condition"], conditions)
        equal(f"tags of {role}", named(iam.list_role_tags(RoleName=role)["Tags"]), tags)


def network(found: dict, target_group: str, subnets: list[str]) -> None:
    where = found["networkConfiguration"]["awsvpcConfiguration"]
    equal("public address", where["assignPublicIp"], "DISABLED")
    equal("subnets", sorted(where["subnets"]), sorted(subnets))
    equal("security groups", len(where["securityGroups"]), 1)
    balancers = [{"targetGroupArn": target_group, "containerName": "app", "containerPort": 9090}]
    equal("load balancers", found["loadBalancers"], balancers)


def rollouts(found: dict, alarms: list[str]) -> None:
    equal("grace period", found["healthCheckGracePeriodSeconds"], 90)
    deployment = found["deploymentConfiguration"]
    equal("circuit breaker", deployment["deploymentCircuitBreaker"], {"enable": True, "rollback": True})
    equal("alarms", deployment["alarms"], {"alarmNames": alarms, "enable": bool(alarms), "rollback": bool(alarms)})
    equal("healthy percent", (deployment["minimumHealthyPercent"], deployment["maximumPercent"]), (100, 200))
    equal("propagated tags", (found["propagateTags"], found["enableECSManagedTags"]), ("SERVICE", True))


def strategy(found: dict) -> dict[str, tuple[int, int]]:
    return {it["capacityProvider"]: (it.get("weight", 0), it.get("base", 0)) for it in found["capacityProviderStrategy"]}


def container(app: dict, **expected: object) -> None:
    equal("capabilities", app["linuxParameters"]["capabilities"], {"drop": ["ALL"]})
    assert not app.get("privileged")
    equal("user", app["user"], "1000:1000")
    equal("image", app["image"], RELEASE)
    equal("command", app["command"], ["serve"])
    equal("ports", [it["containerPort"] for it in app["portMappings"]], [9090])
    equal("health check", app["healthCheck"]["command"], ["CMD", "/backend", "healthcheck"])
    equal("log", app["logConfiguration"]["options"]["awslogs-group"], f"/ecs/{NAME}")
    for key, value in expected.items():
        equal(key, app.get(key), value)


def variables(app: dict) -> dict[str, str]:
    return {it["name"]: it["value"] for it in app["environment"]}


def references(app: dict) -> dict[str, str]:
    return {it["name"]: it["valueFrom"] for it in app["secrets"]}


def scaled() -> dict | None:
    of = {"ServiceNamespace": "ecs", "ResourceId": f"service/{CLUSTER}/{NAME}"}
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[of["ResourceId"]])["ScalableTargets"]
    policies = scaling.describe_scaling_policies(**of)["ScalingPolicies"]
    actions = scaling.describe_scheduled_actions(**of)["ScheduledActions"]
    if not targets:
        assert policies == actions == []
        return None
    return {
        "bounds": (targets[0]["MinCapacity"], targets[0]["MaxCapacity"]),
        "tags": scaling.list_tags_for_resource(ResourceARN=targets[0]["ScalableTargetARN"])["Tags"],
        "policies": {it["PolicyName"]: it["TargetTrackingScalingPolicyConfiguration"] for it in policies},
        "actions": {it["ScheduledActionName"]: (it["Schedule"], it["Timezone"], it["ScalableTargetAction"]) for it in actions},
    }


def first(backend: str) -> None:
    have = there()
    cluster("enhanced", TAGS)
    log_group(14, TAGS)
    roles(TAGS)

    generated = secrets.get_secret_value(SecretId=have["generated"])["SecretString"]
    equal("length of the generated secret", len(generated), 64)
    assert not set(generated) & set(" '\"\\"), "the generated secret has a character that an unquoted DSN cannot have"

    execution = policy(f"{NAME}-execution")
    equal("statements", sorted(execution), ["Decrypt", "LogInToEcr", "PullTheImage", "ReadTheSecrets", "WriteTheLog"])
    equal("repository", execution["PullTheImage"]["Resource"], REPOSITORY)
    equal("log", execution["WriteTheLog"]["Resource"], f"arn:aws:logs:{HERE}:log-group:/ecs/{NAME}:*")
    equal("readable secrets", execution["ReadTheSecrets"]["Resource"], sorted([have["secret"], have["generated"], have["parameter"]]))
    equal("the application's rights", sorted(policy(f"{NAME}-task")), ["Publish"])

    found = service()
    equal("desired count", found["desiredCount"], 3)
    equal("tags", named(found["tags"]), TAGS)
    network(found, have["target_group"], have["subnets"])
    equal("ECS Exec", found.get("enableExecuteCommand", False), False)
    if backend == "ministack":  # moto's CreateService forgets these; its UpdateService does not
        equal("strategy", strategy(found), {"FARGATE": (1, 1), "FARGATE_SPOT": (3, 0)})
        rollouts(found, ["pulsegrid-molecule-errors"])

    task, containers = definition(found)
    equal("size", (task["cpu"], task["memory"]), ("1024", "3072"))
    equal("platform", task["runtimePlatform"]["cpuArchitecture"], "ARM64")
    equal("network mode", (task["networkMode"], task["requiresCompatibilities"]), ("awsvpc", ["FARGATE"]))
    equal("override", task["ephemeralStorage"], {"sizeInGiB": 30})
    equal("execution role", task["executionRoleArn"], f"arn:aws:iam::{ACCOUNT}:role/{NAME}-execution")
    equal("task role", task["taskRoleArn"], f"arn:aws:iam::{ACCOUNT}:role/{NAME}-task")
    app, proxy = containers["app"], containers["proxy"]
    container(app, readonlyRootFilesystem=True, dependsOn=[{"containerName": "proxy", "condition": "HEALTHY"}])
    equal("environment", variables(app), {"PORT": "9090", "LOG_LEVEL": "debug"})
    expected = {"DB_PASSWORD": f"{have['secret']}:password::", "API_KEY": have["parameter"], "JWT_SECRET": have["generated"]}
    equal("secrets", references(app), expected)
    assert generated not in json.dumps(task, default=str), "a secret's value is in the task definition"
    equal("sidecar", (proxy["readonlyRootFilesystem"], proxy["essential"]), (True, True))
    equal("the sidecar's log", proxy["logConfiguration"], app["logConfiguration"])

    if backend == "ministack":
        bounds = scaled()
        equal("bounds", bounds["bounds"], (2, 8))
        equal("tags of the scalable target", bounds["tags"], TAGS)
        metrics = {name: (it["PredefinedMetricSpecification"], it["TargetValue"]) for name, it in bounds["policies"].items()}
        expected = {
            "cpu": ({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}, 55),
            "memory": ({"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}, 75),
            "requests": ({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": have["label"]}, 600),
        }
        equal("policies", metrics, expected)
        expected = {
            "night": ("cron(0 22 * * ? *)", "Europe/Berlin", {"MinCapacity": 2, "MaxCapacity": 2}),
            "morning": ("cron(0 6 * * ? *)", "Europe/Berlin", {"MaxCapacity": 8}),
        }
        equal("scheduled actions", bounds["actions"], expected)


def others() -> None:
    """Autoscaling moves the number of tasks, a scheduled action the bounds; somebody tags."""
    ecs.update_service(cluster=CLUSTER, service=NAME, desiredCount=5)
    ecs.tag_resource(resourceArn=service()["serviceArn"], tags=[{"key": "CostCenter", "value": "4711"}])


def worker(count: str = "", image: str = "") -> None:
    found = [it for it in ecs.describe_services(cluster=CLUSTER, services=["pulsegrid-molecule-worker"])["services"] if it["status"] == "ACTIVE"]
    if not count:
        equal("workers", found, [])
        equal("clusters", [it.rpartition("/")[2] for it in ecs.list_clusters()["clusterArns"]], [CLUSTER])
        return
    equal("tasks of the worker", str(found[0]["desiredCount"]), count)
    equal("load balancers of the worker", found[0]["loadBalancers"], [])
    app = definition(found[0])[1]["app"]
    equal("its command", app["command"], ["scheduler"])
    equal("its ports", app["portMappings"], [])
    assert "healthCheck" not in app
    assert not app.get("secrets")
    if image != "none":
        equal("its image", app["image"], image)
    else:
        assert app["image"].startswith("no-release.invalid/"), app["image"]


def revisions() -> None:
    print(len(ecs.list_task_definitions()["taskDefinitionArns"]))


def changed(backend: str) -> None:
    """Image, count and tags of others have stayed; what was turned off is gone."""
    have, tags = there(), TAGS | {"Owner": "somebody"}
    cluster("disabled", tags)
    log_group(7, tags)
    roles(tags)
    equal("statements", sorted(policy(f"{NAME}-execution")), ["LogInToEcr", "PullTheImage", "ReadTheSecrets", "WriteTheLog"])
    equal("the application's rights", sorted(policy(f"{NAME}-task")), ["ExecuteCommand"])

    found = service()
    equal("desired count", found["desiredCount"], 5)
    equal("tags", named(found["tags"]), tags | {"CostCenter": "4711"})
    network(found, have["target_group"], have["subnets"])
    equal("strategy", strategy(found), {"FARGATE": (1, 0)})
    equal("ECS Exec", found["enableExecuteCommand"], True)
    rollouts(found, [])

    task, containers = definition(found)
    equal("size", (task["cpu"], task["memory"]), ("512", "1024"))
    assert "ephemeralStorage" not in task
    equal("containers", list(containers), ["app"])
    container(containers["app"], readonlyRootFilesystem=False, dependsOn=None)  # ECS Exec's agent writes into the root file system
    equal("environment", variables(containers["app"]), {"PORT": "9090", "LOG_LEVEL": "info"})
    expected = {"DB_PASSWORD": f"{have['secret']}:password::", "JWT_SECRET": have["generated"]}
    equal("secrets", references(containers["app"]), expected)
    if backend == "ministack":
        equal("scaling", scaled(), None)


FUNCTIONS = {"given": given, "first": first, "others": others, "worker": worker, "revisions": revisions, "changed": changed}
FUNCTIONS[sys.argv[1]](*sys.argv[2:])
