# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deployment that can succeed is let through; each thing that would make it fail is found, alone and together.

moto has neither IAM's policy simulator nor ECR's download of layers: Answers stands for these two.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import Mock
from urllib.error import URLError

import botocore.client
import botocore.exceptions
import botocore.loaders
import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_deployment_check as util
from ansible_collections.pulsegrid.aws.plugins.modules import ecs_deployment_check as module

ACCOUNT, REGION = "123456789012", "eu-central-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop-execution"
# Each test has clients of its own, and the models of seven services take a second to read
load_file = functools.cache(botocore.loaders.JSONFileLoader.load_file.__get__(botocore.loaders.JSONFileLoader()))
INDEX, MANIFEST = util.INDEXES[0], util.MANIFESTS[1]


class Answers:
    """In place of what moto does not have; also refuses what it is told to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.allowed = {action: ["*"] for action in (*util.PULL, "secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt")}
        self.conditions: list[str] = []
        self.decision = "implicitDeny"
        self.refused: set[str] = set()
        self.simulations: list[dict[str, Any]] = []
        self.configuration = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
        self.downloads: list[str] = []
        upstream = botocore.client.BaseClient._make_api_call

        def answer(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if operation in self.refused:
                code = "UnauthorizedOperation" if client.meta.service_model.service_name == "ec2" else "AccessDeniedException"
                raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
            if operation == "SimulatePrincipalPolicy":
                self.simulations.append(parameters)
                return {"EvaluationResults": [self.result(action, arn) for action in parameters["ActionNames"] for arn in parameters["ResourceArns"]]}
            if operation == "GetDownloadUrlForLayer":
                return {"downloadUrl": f"https://layers.invalid/{parameters['layerDigest']}"}
            return upstream(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
        monkeypatch.setattr(util, "open_url", self.download)

    def result(self, action: str, arn: str) -> dict[str, Any]:
        allowed = any(fnmatchcase(arn, pattern) for pattern in self.allowed.get(action, []))
        result = {"EvalActionName": action, "EvalResourceName": arn, "EvalDecision": "allowed" if allowed else self.decision}
        return result if allowed else result | {"MissingContextValues": self.conditions}

    def download(self, url: str, timeout: int) -> Any:
        self.downloads.append(url)
        if not self.configuration:
            raise URLError("no route")
        return io.BytesIO(self.configuration)


class Shop:
    """A service that can be deployed."""

    def __init__(self, cloud: Any, answers: Answers) -> None:
        self.cloud, self.answers = cloud, answers
        self.ec2, self.ecr, self.elb, self.iam = (cloud.client(service) for service in ("ec2", "ecr", "elbv2", "iam"))
        self.logs, self.secrets, self.ssm = (cloud.client(service) for service in ("logs", "secretsmanager", "ssm"))
        self.network()
        self.ecr.create_repository(repositoryName="shop")
        self.image = f"{HOST}/shop@{self.push('1', ['linux/amd64', 'linux/arm64'])}"
        for role in ("shop-execution", "shop-task"):
            self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=self.trust("ecs-tasks.amazonaws.com"))
        self.secret = self.secrets.create_secret(Name="shop", SecretString="{}")["ARN"]
        self.ssm.put_parameter(Name="/shop/api-key", Value="a", Type="SecureString")
        self.logs.create_log_group(logGroupName="/ecs/shop")
        self.target_group = self.new_target_group("shop")
        self.listener(self.target_group)
        self.options: dict[str, Any] = {
            "name": "shop",
            "subnets": [self.subnet],
            "security_groups": [self.tasks],
            "load_balancers": [{"target_group_arn": self.target_group, "container_name": "app", "container_port": 8080}],
            "task_definition": {
                "networkMode": "awsvpc",
                "executionRoleArn": ROLE,
                "taskRoleArn": ROLE.replace("execution", "task"),
                "containerDefinitions": [
                    {
                        "name": "app",
                        "image": self.image,
                        "portMappings": [{"containerPort": 8080}],
                        "secrets": [
                            {"name": "DB_PASSWORD", "valueFrom": f"{self.secret}:password::"},
                            {"name": "API_KEY", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/api-key"},
                        ],
                        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop", "awslogs-region": REGION}},
                    }
                ],
            },
        }

    @property
    def definition(self) -> dict[str, Any]:
        return self.options["task_definition"]

    @property
    def app(self) -> dict[str, Any]:
        return self.definition["containerDefinitions"][0]

    @staticmethod
    def trust(service: str) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": [service]}, "Action": "sts:AssumeRole"}]})

    def network(self) -> None:
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet, public = (self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr)["Subnet"]["SubnetId"] for cidr in ("10.0.0.0/24", "10.0.1.0/24"))
        self.public = public
        self.tasks = self.ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=self.vpc)["GroupId"]
        self.internet = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(VpcId=self.vpc, InternetGatewayId=self.internet)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.nat = self.ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.association = self.ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)["AssociationId"]
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=self.nat)

    def main_table(self) -> str:
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"]
        return next(it["RouteTableId"] for it in tables if any(its.get("Main") for its in it["Associations"]))

    def push(self, tag: str, platforms: list[str], repository: str = "shop") -> str:
        """An index of some platforms, or, without any, the manifest of one image."""
        config = {"digest": f"sha256:{'c' * 64}", "mediaType": "application/vnd.docker.container.image.v1+json", "size": 1}
        manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        if platforms:
            manifests = [
                {"digest": f"sha256:{number:064}", "platform": dict(zip(("os", "architecture"), it.split("/"), strict=True))}
                for number, it in enumerate(platforms)
            ]
            manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        pushed = self.ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest), imageManifestMediaType=manifest["mediaType"])
        return pushed["image"]["imageId"]["imageDigest"]

    def new_target_group(self, name: str, **properties: Any) -> str:
        wanted = {"Protocol": "HTTP", "Port": 8080, "VpcId": self.vpc, "TargetType": "ip"} | properties
        return self.elb.create_target_group(Name=name, **wanted)["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, target_group: str) -> None:
        balancer = self.elb.create_load_balancer(Name=target_group.split("/")[-2], Subnets=[self.subnet, self.public])["LoadBalancers"][0]["LoadBalancerArn"]
        actions = [{"Type": "forward", "TargetGroupArn": target_group}]
        self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=actions)

    def other_target_group(self, **properties: Any) -> None:
        arn = self.new_target_group("other", **properties)
        self.listener(arn)
        self.options["load_balancers"][0]["target_group_arn"] = arn

    def close(self) -> None:
        self.ec2.delete_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0")

    def route_to_the_internet_gateway(self) -> None:
        self.close()
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.internet)

    def endpoints(self, *left_out: str, private: bool = True, port: int = 443, cidr: str = "") -> None:
        """In place of the NAT gateway."""
        self.close()
        group = self.ec2.create_security_group(GroupName="endpoints", Description="endpoints", VpcId=self.vpc)["GroupId"]
        source = {"IpRanges": [{"CidrIp": cidr}]} if cidr else {"UserIdGroupPairs": [{"GroupId": self.tasks}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}])
        for service in {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm"} - set(left_out):
            self.ec2.create_vpc_endpoint(
                VpcId=self.vpc,
                ServiceName=f"com.amazonaws.{REGION}.{service}",
                VpcEndpointType="Interface",
                SubnetIds=[self.subnet],
                SecurityGroupIds=[group],
                PrivateDnsEnabled=private,
            )
        if "s3" not in left_out:
            s3 = f"com.amazonaws.{REGION}.s3"
            self.ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=s3, VpcEndpointType="Gateway", RouteTableIds=[self.table])

    def check(self, **more: Any) -> dict[str, Any]:
        return self.cloud.run(module, **(self.options | more))

    def problems(self) -> list[str]:
        failed = self.cloud.run(module, fails=True, **self.options)
        assert failed["msg"].startswith("ECS service shop: the deployment would fail, and nothing was changed:\n- ")
        assert all(problem in failed["msg"] for problem in failed["problems"])
        return failed["problems"]


@pytest.fixture
def shop(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", lambda self, path: load_file(path))
    return Shop(cloud, Answers(monkeypatch))


def nothing(shop: Shop) -> None:
    pass


def single_platform(shop: Shop) -> None:
    shop.app["image"] = f"{HOST}/shop:single"
    shop.push("single", [])


def arm64(shop: Shop) -> None:
    shop.definition["runtimePlatform"] = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}


def main_route_table(shop: Shop) -> None:
    shop.ec2.disassociate_route_table(AssociationId=shop.association)
    shop.ec2.create_route(RouteTableId=shop.main_table(), DestinationCidrBlock="0.0.0.0/0", NatGatewayId=shop.nat)


def transit_gateway(shop: Shop) -> None:
    shop.close()
    gateway = shop.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    shop.ec2.create_route(RouteTableId=shop.table, DestinationCidrBlock="0.0.0.0/0", TransitGatewayId=gateway)


def public_addresses(shop: Shop) -> None:
    shop.route_to_the_internet_gateway()
    shop.options["assign_public_ip"] = True


def log_group_made_by_the_container(shop: Shop) -> None:
    shop.app["logConfiguration"]["options"] |= {"awslogs-group": "/ecs/new", "awslogs-create-group": "true"}


def worker(shop: Shop) -> None:
    shop.options["load_balancers"] = []
    shop.app.pop("portMappings")


def parameter_by_name(shop: Shop) -> None:
    shop.ssm.put_parameter(Name="flat", Value="a", Type="String")
    shop.app["secrets"] += [
        {"name": "BY_NAME", "valueFrom": "/shop/api-key"},
        {"name": "FLAT", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/flat"},
    ]


def secret_with_a_policy_of_its_own(shop: Shop) -> None:
    shop.answers.allowed["secretsmanager:GetSecretValue"] = []
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    shop.secrets.put_resource_policy(SecretId=shop.secret, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def key_that_the_role_may_use(shop: Shop) -> None:
    key = shop.cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    shop.cloud.client("kms").create_alias(AliasName="alias/shop", TargetKeyId=key)
    shop.secrets.update_secret(SecretId="shop", KmsKeyId="alias/shop")
    shop.answers.allowed["kms:Decrypt"] = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"]


def fixed_stage(shop: Shop) -> None:
    shop.app["secrets"][0]["valueFrom"] = f"{shop.secret}:password:AWSCURRENT:"


def range_of_ports(shop: Shop) -> None:
    shop.app["portMappings"] = [{"containerPortRange": "8000-8100"}]


def health_on_a_port_that_is_mapped(shop: Shop) -> None:
    shop.app["portMappings"].append({"containerPort": 9000})
    shop.other_target_group(HealthCheckPort="9000")


GOOD: list[Callable[[Shop], None]] = [
    nothing,
    single_platform,
    arm64,
    main_route_table,
    transit_gateway,
    public_addresses,
    lambda shop: shop.endpoints(),
    lambda shop: shop.endpoints(cidr="10.0.0.0/16"),
    log_group_made_by_the_container,
    worker,
    parameter_by_name,
    secret_with_a_policy_of_its_own,
    key_that_the_role_may_use,
    fixed_stage,
    range_of_ports,
    health_on_a_port_that_is_mapped,
]


@pytest.mark.parametrize("arrange", GOOD)
def test_what_can_succeed_is_let_through(shop: Shop, arrange: Callable[[Shop], None]) -> None:
    arrange(shop)
    found = shop.check()

    assert (found["problems"], found["not_checked"], found["changed"]) == ([], [], False)
    assert [call for call in shop.cloud.mutations if call not in ("BatchGetImage", "SimulatePrincipalPolicy")] == []


def image(reference: str) -> Callable[[Shop], None]:
    return lambda shop: shop.app.update(image=reference)


def amd64_alone(shop: Shop) -> None:
    arm64(shop)
    shop.app["image"] = f"{HOST}/shop@{shop.push('amd64', ['linux/amd64', 'unknown/unknown'])}"


def another_configuration(shop: Shop) -> None:
    single_platform(shop)
    arm64(shop)


def role(shop: Shop, name: str, kind: str = "executionRoleArn") -> None:
    shop.definition[kind] = f"arn:aws:iam::{ACCOUNT}:role/{name}"


def untrusted(shop: Shop) -> None:
    shop.iam.update_assume_role_policy(RoleName="shop-execution", PolicyDocument=shop.trust("ec2.amazonaws.com"))


def refers_to(shop: Shop, reference: str, name: str = "NEW") -> None:
    shop.app["secrets"].append({"name": name, "valueFrom": reference})


def unreadable_key(shop: Shop) -> None:
    key_that_the_role_may_use(shop)
    shop.answers.allowed["kms:Decrypt"] = []


def no_value(shop: Shop) -> None:
    refers_to(shop, shop.secrets.create_secret(Name="empty")["ARN"])


def explicitly_denied(shop: Shop) -> None:
    secret_with_a_policy_of_its_own(shop)
    shop.answers.decision = "explicitDeny"


def balancer(**changed: Any) -> Callable[[Shop], None]:
    return lambda shop: shop.options["load_balancers"][0].update(changed)


def unattached(shop: Shop) -> None:
    balancer(target_group_arn=shop.new_target_group("lonely"))(shop)


def no_such_target_group(shop: Shop) -> None:
    balancer(target_group_arn=shop.target_group.replace("/shop/", "/gone/"))(shop)


def nat_gateway_gone(shop: Shop) -> None:
    shop.ec2.delete_nat_gateway(NatGatewayId=shop.nat)


def from_elsewhere_without_the_internet(shop: Shop) -> None:
    shop.endpoints()
    shop.definition["containerDefinitions"].append({"name": "proxy", "image": "envoy:1"})


BAD: list[tuple[Callable[[Shop], None], str]] = [
    # Images
    (image(f"{HOST}/shop@sha256:{'0' * 64}"), f"Image {HOST}/shop@sha256:{'0' * 64} is not in ECR: push it"),
    (image(f"{HOST}/shop:none"), f"Image {HOST}/shop:none is not in ECR: push it"),
    (image(f"{HOST}/shop"), f"Image {HOST}/shop is not in ECR: push it"),
    (image(f"{HOST}/none:1"), f"Image {HOST}/none:1 cannot be pulled: ECR has no repository none"),
    (amd64_alone, "is for linux/amd64 and the tasks run on linux/arm64: build it for that platform"),
    (another_configuration, "is for linux/amd64 and the tasks run on linux/arm64: build it for that platform"),
    # Roles
    (lambda shop: role(shop, "none"), "The execution role none does not exist: create it"),
    (lambda shop: role(shop, "none", "taskRoleArn"), "The task role none does not exist: create it"),
    (untrusted, "The execution role shop-execution is not trusted: let ecs-tasks.amazonaws.com assume it"),
    (lambda shop: shop.definition.pop("executionRoleArn"), "The task definition has no executionRoleArn"),
    (
        lambda shop: shop.answers.allowed.update({"ecr:BatchGetImage": []}),
        "may not pull from arn:aws:ecr:eu-central-1:123456789012:repository/shop: allow it ecr:Bat",
    ),
    (lambda shop: shop.answers.allowed.update({"secretsmanager:GetSecretValue": []}), ": allow it secretsmanager:GetSecretValue."),
    (explicitly_denied, ": allow it secretsmanager:GetSecretValue."),
    (
        lambda shop: shop.answers.allowed.update({"ssm:GetParameters": []}),
        "may not read arn:aws:ssm:eu-central-1:123456789012:parameter/shop/api-key: allow it",
    ),
    (unreadable_key, ": allow it kms:Decrypt."),
    # Secrets
    (
        lambda shop: refers_to(shop, f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-a1b2c3:key::"),
        f"The secret of NEW does not exist: create arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-a1b2c3,",
    ),
    (lambda shop: shop.secrets.delete_secret(SecretId="shop"), "The secret of DB_PASSWORD is to be deleted: restore arn:"),
    (no_value, "The secret of NEW has no value with the label AWSCURRENT: put one into arn:"),
    (lambda shop: refers_to(shop, f"{shop.secret}:a:AWSPENDING:"), "The secret of NEW has no value with the label AWSPENDING"),
    (lambda shop: refers_to(shop, f"{shop.secret}:a::0000"), "The secret of NEW has no version 0000: refer to one"),
    (lambda shop: refers_to(shop, "/shop/none"), "The parameter of NEW does not exist: create /shop/none,"),
    (lambda shop: refers_to(shop, f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/none"), "The parameter of NEW does not exist: create none,"),
    # Logs
    (lambda shop: shop.logs.delete_log_group(logGroupName="/ecs/shop"), "Log group /ecs/shop does not exist: create it, or set awslogs-create-group."),
    (
        lambda shop: (shop.logs.create_log_group(logGroupName="/ecs/shop2"), shop.logs.delete_log_group(logGroupName="/ecs/shop")),
        "Log group /ecs/shop does not",
    ),
    # Target groups
    (no_such_target_group, "Target group gone does not exist: create it"),
    (
        lambda shop: shop.other_target_group(TargetType="instance"),
        "Target group other takes targets of type instance: tasks in awsvpc mode need one of type ip.",
    ),
    (unattached, "Target group lonely has no load balancer: let a listener or one of its rules forward to it."),
    (lambda shop: shop.other_target_group(Port=8081), "Target group other has port 8081 and container app is to answer on 8080: make them the same."),
    (balancer(container_name="web"), "Target group shop is of container web, which the task definition has not"),
    (lambda shop: shop.app.update(portMappings=[{"containerPort": 80}]), "Container app has no port 8080/tcp, to which target group shop sends HTTP"),
    (lambda shop: shop.app.update(portMappings=[{"containerPort": 8080, "protocol": "udp"}]), "Container app has no port 8080/tcp"),
    (lambda shop: shop.other_target_group(HealthCheckPort="9000"), "Target group other checks the health on port 9000, which no container has"),
    # Network
    (lambda shop: shop.options["subnets"].append("subnet-0123456789abcdef0"), "There is no subnet subnet-0123456789abcdef0"),
    (
        lambda shop: shop.close(),
        "for there is no default route, and no endpoint with private DNS for ecr.api, ecr.dkr, logs, s3, secretsmanager, ssm: route to",
    ),
    (lambda shop: shop.options["subnets"].append(shop.public), "tasks do not reach ECR and what else they need, for there is no default route"),
    (
        lambda shop: shop.route_to_the_internet_gateway(),
        "for there is a default route to an internet gateway, and the tasks no public addresses, and no endpoint",
    ),
    (nat_gateway_gone, ", which is deleted, and no endpoint"),
    (lambda shop: shop.endpoints("s3"), "for there is no default route, and no endpoint with private DNS for s3: route to"),
    (lambda shop: shop.endpoints("ecr.dkr", "ssm"), "and no endpoint with private DNS for ecr.dkr, ssm: route to"),
    (lambda shop: shop.endpoints(private=False), "and no endpoint with private DNS for ecr.api, ecr.dkr, logs, secretsmanager, ssm: route to"),
    (from_elsewhere_without_the_internet, "tasks cannot pull envoy:1 there, for there is no default route: route to a NAT gateway, or copy the image to ECR."),
]


@pytest.mark.parametrize(("arrange", "expected"), BAD)
def test_what_would_fail_is_found_alone(shop: Shop, arrange: Callable[[Shop], None], expected: str) -> None:
    arrange(shop)
    (problem,) = shop.problems()

    assert expected in problem


@pytest.mark.parametrize("closed", [{"port": 80}, {"cidr": "10.0.128.0/24"}])
def test_endpoints_that_let_the_tasks_not_in(shop: Shop, closed: dict[str, Any]) -> None:
    shop.endpoints(**closed)
    problems = shop.problems()

    assert len(problems) == 5
    assert all(f"lets nobody in from {shop.tasks}: allow TCP 443" in problem for problem in problems)


def test_all_problems_are_said_at_once(shop: Shop) -> None:
    shop.app["image"] = f"{HOST}/shop:none"
    shop.secrets.delete_secret(SecretId="shop")
    shop.logs.delete_log_group(logGroupName="/ecs/shop")
    shop.close()
    untrusted(shop)

    assert len(shop.problems()) == 5


def test_in_check_mode_problems_are_no_failure(shop: Shop) -> None:
    shop.app["image"] = f"{HOST}/shop@sha256:known-after-push"
    shop.options["subnets"] = ["subnet-known-after-apply"]
    shop.logs.delete_log_group(logGroupName="/ecs/shop")
    found = shop.check(check=True)

    assert found["problems"] == ["Log group /ecs/shop does not exist: create it, or set awslogs-create-group."]
    assert found["not_checked"] == [f"Image {HOST}/shop is not pushed yet, and is not looked at."]


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("BatchGetImage", "ecr:BatchGetImage"),
        ("GetDownloadUrlForLayer", "ecr:GetDownloadUrlForLayer"),
        ("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy"),
        ("GetRole", "iam:GetRole"),
        ("DescribeSecret", "secretsmanager:DescribeSecret"),
        ("DescribeParameters", "ssm:DescribeParameters"),
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
        ("DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups"),
        ("DescribeNatGateways", "ec2:DescribeNatGateways"),
    ],
)
def test_what_the_caller_may_not_ask_is_a_warning(shop: Shop, operation: str, permission: str) -> None:
    single_platform(shop)
    shop.answers.refused = {operation}
    found = shop.check()

    assert found["problems"] == []
    assert found["not_checked"]
    assert all(text.endswith(f" could not be looked at: the caller has no permission for {permission}.") for text in found["not_checked"])


def test_an_image_elsewhere_is_a_warning(shop: Shop) -> None:
    shop.definition["containerDefinitions"].append({"name": "proxy", "image": "public.ecr.aws/docker/library/envoy:1"})

    assert shop.check()["not_checked"] == ["Image public.ecr.aws/docker/library/envoy:1 is not in ECR, and is not looked at."]


def test_a_configuration_that_cannot_be_read_is_a_warning(shop: Shop) -> None:
    single_platform(shop)
    shop.answers.configuration = b""
    (text,) = shop.check()["not_checked"]

    assert "its configuration could not be read: <urlopen error no route>" in text


def test_a_permission_with_conditions_is_a_warning(shop: Shop) -> None:
    shop.answers.allowed["ssm:GetParameters"] = []
    shop.answers.conditions = ["aws:SourceVpc"]
    (text,) = shop.check()["not_checked"]

    assert text.endswith("may read arn:aws:ssm:eu-central-1:123456789012:parameter/shop/api-key depends on aws:SourceVpc, which is not known.")


def test_the_registry_of_an_emulator_is_ecr(shop: Shop) -> None:
    shop.app["image"] = "127.0.0.1:4566/shop:1"

    assert shop.check(registry="127.0.0.1:4566")["not_checked"] == []
    assert shop.check()["not_checked"] == ["Image 127.0.0.1:4566/shop:1 is not in ECR, and is not looked at."]


def test_a_client_that_is_made_is_had_while_another_is_being_made(shop: Shop) -> None:
    check = module.Check(Mock(region=REGION, params={**shop.options, "registry": None}))
    client = check.client("ecr")

    with check.making_clients, ThreadPoolExecutor(1) as pool:
        assert pool.submit(check.client, "ecr").result(timeout=10) is client


def test_it_asks_little_and_reads_no_value(shop: Shop) -> None:
    single_platform(shop)
    shop.check()

    assert sorted(shop.cloud.calls + ["SimulatePrincipalPolicy"] * len(shop.answers.simulations) + ["GetDownloadUrlForLayer"]) == [
        "BatchGetImage",
        "DescribeLogGroups",
        "DescribeNatGateways",
        "DescribeParameters",
        "DescribeRouteTables",
        "DescribeSecret",
        "DescribeSubnets",
        "DescribeTargetGroups",
        "GetDownloadUrlForLayer",
        "GetRole",
        "GetRole",
        "SimulatePrincipalPolicy",
        "SimulatePrincipalPolicy",
        "SimulatePrincipalPolicy",
    ]
    assert shop.answers.downloads == [f"https://layers.invalid/sha256:{'c' * 64}"]
