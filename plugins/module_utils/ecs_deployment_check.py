# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether tasks of a task definition could start: what the module of this name documents, for modules with its options."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.error import URLError

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.urls import open_url
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import all_pages

ECR_HOST = re.compile(r"^(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.]+$")
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
CONFIGURATION_BYTES = 4 << 20
DOWNLOAD_SECONDS = 10

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
# What a dry run says in place of what is made first
UNKNOWN = "known-after-"
# The protocol of a target group, and those that the container's port must have
PROTOCOLS = {"UDP": {"udp"}, "QUIC": {"udp"}, "TCP_UDP": {"tcp", "udp"}, "TCP_QUIC": {"tcp", "udp"}}
AT_ONCE = 50  # DescribeParameters takes no more names


class NotAnswered(Exception):
    """AWS has refused a question."""

    def __init__(self, permission: str, error: Exception) -> None:
        denied = error.response["Error"].get("Code") in DENIED
        super().__init__(f"the caller has no permission for {permission}" if denied else f"{permission} answered: {error}")


class Image(NamedTuple):
    """Where an image in ECR is."""

    account: str  # empty: the caller's
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def wanted(self) -> dict[str, str]:
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}


class Secret(NamedTuple):
    """What a role reads, and with which key it is encrypted."""

    arn: str
    key: str


def together(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Each in a thread of its own, since they wait for AWS and not for each other."""
    checks = list(checks)
    if len(checks) < 2:
        return [check() for check in checks]
    with ThreadPoolExecutor(len(checks)) as pool:
        return [each.result() for each in [pool.submit(check) for check in checks]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def listed(things: Iterable[str]) -> str:
    return ", ".join(sorted(things))


class Check:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params = module.params
        self.definition = self.params["task_definition"]
        self.containers = self.definition["containerDefinitions"]
        self.role = self.definition.get("executionRoleArn") or ""
        self.problems: list[str] = []
        self.not_checked: list[str] = []
        self.clients: dict[tuple[str, str], Any] = {}
        self.making_clients = threading.Lock()
        platform = self.definition.get("runtimePlatform") or {}
        system = "windows" if str(platform.get("operatingSystemFamily") or "").startswith("WINDOWS") else "linux"
        self.platform = f"{system}/{'arm64' if platform.get('cpuArchitecture') == 'ARM64' else 'amd64'}"
        self.pulled, self.foreign = self.images()

    # Asking

    def client(self, service: str, region: str = "") -> Any:
        key = service, region or self.module.region
        if key not in self.clients:
            with self.making_clients:  # sessions of boto3 are not made for several threads
                if key not in self.clients:
                    self.clients[key] = self.module.client(service, region=key[1])
        return self.clients[key]

    def ask(self, service: str, operation: str, absent: str = "", region: str = "", **arguments: Any) -> dict[str, Any] | None:
        """The answer; None where AWS says with the code `absent` that there is no such thing."""
        client = self.client(service, region)
        try:
            return all_pages(client, operation, **arguments)
        except botocore.exceptions.ClientError as error:
            if absent and error.response["Error"].get("Code") == absent:
                return None
            prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
            raise NotAnswered(f"{prefix}:{client.meta.method_to_api_mapping[operation]}", error) from error

    def checking(self, what: str, check: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        def run() -> Any:
            try:
                return check(*arguments)
            except NotAnswered as reason:
                self.not_checked.append(f"{what} could not be looked at: {reason}.")
                return None

        return run

    # Images

    def images(self) -> tuple[dict[str, Image], list[str]]:
        """Those in ECR, and those elsewhere."""
        pulled: dict[str, Image] = {}
        foreign = []
        for reference in {container["image"]: None for container in self.containers if container.get("image")}:
            host, _slash, path = reference.partition("/")
            ecr = ECR_HOST.match(host)
            name, _at, digest = path.partition("@")
            repository, _colon, tag = name.partition(":")
            if host == self.params["registry"]:
                pulled[reference] = Image("", "", repository, tag or "latest", digest)
            elif ecr:
                pulled[reference] = Image(ecr["account"], ecr["region"], repository, tag or "latest", digest)
            else:
                foreign.append(reference)
        return pulled, foreign

    def image_checks(self) -> list[Callable[[], None]]:
        for reference in self.foreign:
            self.not_checked.append(f"Image {reference} is not in ECR, and is not looked at.")
        repositories: dict[tuple[str, str, str], dict[str, Image]] = defaultdict(dict)
        for reference, image in self.pulled.items():
            if UNKNOWN in reference:
                self.not_checked.append(f"Image {reference.partition('@')[0]} is not pushed yet, and is not looked at.")
            else:
                repositories[image.account, image.region, image.repository][reference] = image
        return [self.checking(f"Image {listed(images)}", self.repository, *where, images) for where, images in repositories.items()]

    def repository(self, account: str, region: str, repository: str, images: dict[str, Image]) -> None:
        where = {"repositoryName": repository} | ({"registryId": account} if account else {})
        wanted = list({tuple(image.wanted.items()): image.wanted for image in images.values()}.values())
        found = self.ask("ecr", "batch_get_image", "RepositoryNotFoundException", region, **where, imageIds=wanted, acceptedMediaTypes=[*INDEXES, *MANIFESTS])
        if found is None:
            self.problems.append(f"Image {listed(images)} cannot be pulled: ECR has no repository {repository}: create it and push the image.")
            return
        manifests: dict[str, str] = {}
        for each in found["images"]:
            for name in ("imageDigest", "imageTag"):
                if each["imageId"].get(name):
                    manifests[each["imageId"][name]] = each["imageManifest"]
        checks = []
        for reference, image in images.items():
            if manifest := manifests.get(image.digest or image.tag):
                checks.append(self.checking(f"The platform of image {reference}", self.image_platform, reference, json.loads(manifest), where, region))
            else:
                self.problems.append(f"Image {reference} is not in ECR: push it, or deploy a release that is there.")
        together(checks)

    def image_platform(self, reference: str, manifest: dict[str, Any], where: dict[str, str], region: str) -> None:
        if "manifests" in manifest:
            platforms = {f"{it['platform'].get('os')}/{it['platform'].get('architecture')}" for it in manifest["manifests"] if it.get("platform")}
            platforms.discard("unknown/unknown")  # what is attested of the images
        else:
            digest = (manifest.get("config") or {}).get("digest")
            if not digest:
                self.not_checked.append(f"The platform of image {reference} is not known: its manifest names no configuration.")
                return
            layer = self.ask("ecr", "get_download_url_for_layer", region=region, **where, layerDigest=digest)
            try:
                with open_url(layer["downloadUrl"], timeout=DOWNLOAD_SECONDS) as answer:
                    configuration = json.loads(answer.read(CONFIGURATION_BYTES))
                platforms = {f"{configuration['os']}/{configuration['architecture']}"}
            except (URLError, OSError, ValueError, KeyError) as error:
                self.not_checked.append(f"The platform of image {reference} is not known: its configuration could not be read: {error}.")
                return
        if platforms and self.platform not in platforms:
            self.problems.append(
                f"Image {reference} is for {listed(platforms)} and the tasks run on {self.platform}: build it for that platform, or change runtimePlatform."
            )

    # Roles and secrets

    def identity(self) -> None:
        """The roles and secrets exist; then the execution role may do what starting a task needs."""
        references: dict[str, set[str]] = defaultdict(set)  # by what is referred to, the containers' variables
        for container in self.containers:
            log = container.get("logConfiguration") or {}
            for secret in [*(container.get("secrets") or []), *(log.get("secretOptions") or [])]:
                references[secret["valueFrom"]].add(secret["name"])
            if credentials := (container.get("repositoryCredentials") or {}).get("credentialsParameter"):
                references[credentials].add("repositoryCredentials")
        known = {reference: names for reference, names in references.items() if UNKNOWN not in reference}
        secrets = {reference: names for reference, names in known.items() if ":secretsmanager:" in reference}
        parameters = {reference: names for reference, names in known.items() if reference not in secrets}
        roles = {"execution": self.role, "task": self.definition.get("taskRoleArn") or ""}
        if not self.role and (references or self.pulled):
            self.problems.append("The task definition has no executionRoleArn: name a role that may pull the images and read the secrets.")
        answers = together(
            [
                *(self.checking(f"The {kind} role {arn.split('/')[-1]}", self.role_exists, kind, arn) for kind, arn in roles.items() if arn),
                *(self.checking(f"Secret {secret}", self.secret, secret, listed(names)) for secret, names in secrets.items()),
                *(
                    self.checking("The parameters", self.parameters_of, region, dict(part))
                    for region, named in self.by_region(parameters).items()
                    for part in (list(named.items())[start : start + AT_ONCE] for start in range(0, len(named), AT_ONCE))
                ),
            ]
        )
        if self.role and answers[0] is not False:
            found = [each for answer in answers[1:] if isinstance(answer, list) for each in answer]
            self.permissions([each for each in found if isinstance(each, Secret)])

    def role_exists(self, kind: str, arn: str) -> bool:
        name = arn.split("/")[-1]
        found = self.ask("iam", "get_role", "NoSuchEntity", RoleName=name)
        if found is None:
            self.problems.append(f"The {kind} role {name} does not exist: create it, or name another in the task definition.")
            return False
        trusted = any(
            statement.get("Effect") == "Allow"
            and isinstance(statement.get("Principal"), dict)
            and "ecs-tasks.amazonaws.com" in as_list(statement["Principal"].get("Service"))
            and {"sts:AssumeRole", "sts:*", "*"} & set(as_list(statement.get("Action")))
            for statement in as_list(found["Role"]["AssumeRolePolicyDocument"]["Statement"])
        )
        if not trusted:
            self.problems.append(f"The {kind} role {name} is not trusted: let ecs-tasks.amazonaws.com assume it (sts:AssumeRole in its trust policy).")
        return True

    def secret(self, reference: str, names: str) -> list[Secret]:
        parts = reference.split(":")
        arn, (_key, stage, version) = ":".join(parts[:7]), (parts[7:] + ["", "", ""])[:3]
        found = self.ask("secretsmanager", "describe_secret", "ResourceNotFoundException", parts[3], SecretId=arn)
        if found is None:
            self.problems.append(f"The secret of {names} does not exist: create {arn}, or refer to another.")
            return []
        if found.get("DeletedDate"):
            self.problems.append(f"The secret of {names} is to be deleted: restore {arn}, or refer to another.")
        elif version and version not in found.get("VersionIdsToStages", {}):
            self.problems.append(f"The secret of {names} has no version {version}: refer to one that {arn} has.")
        elif not version and not any((stage or "AWSCURRENT") in stages for stages in found.get("VersionIdsToStages", {}).values()):
            self.problems.append(f"The secret of {names} has no value with the label {stage or 'AWSCURRENT'}: put one into {arn}.")
        return [Secret(found["ARN"], found.get("KmsKeyId") or "")]

    def by_region(self, parameters: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
        """By region and name, the variables that are read from a parameter."""
        own = self.role.split(":")[4:5]
        found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for reference, names in parameters.items():
            parts = reference.split(":", 5)
            if parts[0] != "arn":
                found[self.module.region][reference] |= names
            elif own and parts[4] not in own:
                self.not_checked.append(f"Parameter {reference} is in another account, and is not looked at.")
            else:
                name = parts[5].removeprefix("parameter/")
                found[parts[3]]["/" + name if "/" in name else name] |= names
        return found

    def parameters_of(self, region: str, parameters: dict[str, set[str]]) -> list[Secret]:
        # A name without a path may have been given with a slash: the ARN does not tell.
        names = {spelt: name for name in parameters for spelt in ((name,) if "/" in name else (name, "/" + name))}
        found: dict[str, Secret] = {}
        for start in range(0, len(names), AT_ONCE):
            asked = [{"Key": "Name", "Option": "Equals", "Values": list(names)[start : start + AT_ONCE]}]
            for it in self.ask("ssm", "describe_parameters", region=region, ParameterFilters=asked)["Parameters"]:
                found[names[it["Name"]]] = Secret(self.arn("ssm", region, f"parameter/{it['Name'].removeprefix('/')}"), it.get("KeyId") or "")
        for name, variables in parameters.items():
            if name not in found:
                self.problems.append(f"The parameter of {listed(variables)} does not exist: create {name}, or refer to another.")
        return list(found.values())

    def arn(self, service: str, region: str, resource: str, account: str = "") -> str:
        """Of the execution role's account, where no other is given."""
        parts = (self.role.split(":") + [""] * 5)[:5]
        return f"arn:{parts[1] or 'aws'}:{service}:{region}:{account or parts[4]}:{resource}"

    def permissions(self, secrets: list[Secret]) -> None:
        repositories = {self.arn("ecr", it.region or self.module.region, f"repository/{it.repository}", it.account) for it in self.pulled.values()}
        asked = [
            ("pull from", PULL, repositories),
            ("read", ("secretsmanager:GetSecretValue",), {it.arn for it in secrets if ":secretsmanager:" in it.arn}),
            ("read", ("ssm:GetParameters",), {it.arn for it in secrets if ":ssm:" in it.arn}),
        ]
        name = self.role.split("/")[-1]
        keys = {(it.key, it.arn.split(":")[3]) for it in secrets if it.key and not it.key.rpartition(":")[2].startswith("alias/aws/")}
        together(
            [
                *(self.checking(f"What role {name} may do ({listed(it[1])})", self.simulated, *it) for it in asked if it[2]),
                *(self.checking(f"Whether role {name} may decrypt with key {key}", self.key, key, region) for key, region in keys),
            ]
        )

    def key(self, key: str, region: str) -> None:
        if not re.search(":key/", key):
            described = self.ask("kms", "describe_key", "NotFoundException", region, KeyId=key)
            if described is None:
                self.problems.append(f"The KMS key {key} does not exist: encrypt the secrets and parameters that have it with another.")
                return
            key = described["KeyMetadata"]["Arn"]
        self.simulated("decrypt with", ("kms:Decrypt",), {key})

    def simulated(self, doing: str, actions: tuple[str, ...], resources: set[str]) -> None:
        answer = self.ask("iam", "simulate_principal_policy", PolicySourceArn=self.role, ActionNames=list(actions), ResourceArns=sorted(resources))
        denied: dict[str, set[str]] = defaultdict(set)
        for result in answer["EvaluationResults"]:
            each = [(it["EvalResourceName"], it["EvalResourceDecision"], it) for it in result.get("ResourceSpecificResults") or []]
            for resource, decision, more in each or [(result.get("EvalResourceName", "*"), result["EvalDecision"], result)]:
                action = result["EvalActionName"]
                if decision == "allowed" or (decision == "implicitDeny" and self.named_in_policy_of(resource)):
                    continue
                if decision == "implicitDeny" and more.get("MissingContextValues"):
                    conditions = listed(more["MissingContextValues"])
                    self.not_checked.append(f"Whether role {self.role.split('/')[-1]} may {doing} {resource} depends on {conditions}, which is not known.")
                    continue
                denied[resource].add(action)
        for resource, missing in denied.items():
            self.problems.append(f"The execution role {self.role.split('/')[-1]} may not {doing} {resource}: allow it {listed(missing)}.")

    def named_in_policy_of(self, resource: str) -> bool:
        """Whether a secret's or a key's own policy names the role, so that the role's need not allow it."""
        service, region = resource.split(":")[2:4] if resource.count(":") >= 5 else ("", "")
        try:
            if service == "secretsmanager":
                policy = self.ask(service, "get_resource_policy", "ResourceNotFoundException", region, SecretId=resource) or {}
                return self.role in policy.get("ResourcePolicy", "")
            if service == "kms":
                return self.role in self.ask(service, "get_key_policy", region=region, KeyId=resource, PolicyName="default")["Policy"]
        except NotAnswered:
            pass  # the role's own policies are then what is known
        return False

    # Logs

    def log_checks(self) -> list[Callable[[], None]]:
        groups = set()
        for container in self.containers:
            log = container.get("logConfiguration") or {}
            options = log.get("options") or {}
            if log.get("logDriver") == "awslogs" and options.get("awslogs-group") and str(options.get("awslogs-create-group")).lower() != "true":
                groups.add((options["awslogs-group"], options.get("awslogs-region", "")))
        return [self.checking(f"Log group {name}", self.log_group, name, region) for name, region in sorted(groups)]

    def log_group(self, name: str, region: str) -> None:
        found = self.ask("logs", "describe_log_groups", region=region, logGroupNamePrefix=name)
        if name not in [each["logGroupName"] for each in found["logGroups"]]:
            self.problems.append(f"Log group {name} does not exist: create it, or set awslogs-create-group.")

    # Load balancers

    def target_group_checks(self) -> list[Callable[[], None]]:
        known = [it for it in self.params["load_balancers"] if UNKNOWN not in it["target_group_arn"]]
        return [self.checking(f"Target group {it['target_group_arn'].split('/')[-2]}", self.target_group, it) for it in known if it["target_group_arn"]]

    def target_group(self, balancer: dict[str, Any]) -> None:
        arn, container, port = balancer["target_group_arn"], balancer["container_name"], balancer["container_port"]
        name = arn.split("/")[-2]
        found = self.ask("elbv2", "describe_target_groups", "TargetGroupNotFound", TargetGroupArns=[arn])
        if not found or not found["TargetGroups"]:
            self.problems.append(f"Target group {name} does not exist: create it, or name another.")
            return
        (group,) = found["TargetGroups"]
        if group.get("TargetType", "instance") != "ip":
            self.problems.append(f"Target group {name} takes targets of type {group.get('TargetType')}: tasks in awsvpc mode need one of type ip.")
        if not group.get("LoadBalancerArns"):
            self.problems.append(f"Target group {name} has no load balancer: let a listener or one of its rules forward to it.")
        if group.get("Port") != port:
            self.problems.append(f"Target group {name} has port {group.get('Port')} and container {container} is to answer on {port}: make them the same.")
        if container not in {each["name"] for each in self.containers}:
            self.problems.append(f"Target group {name} is of container {container}, which the task definition has not: name one that it has.")
            return
        protocol = group.get("Protocol", "")
        missing = PROTOCOLS.get(protocol, {"tcp"}) - self.protocols(container, port)
        if missing:
            self.problems.append(
                f"Container {container} has no port {port}/{listed(missing)}, to which target group {name} sends {protocol}: add it to its portMappings."
            )
        health = str(group.get("HealthCheckPort", "traffic-port"))
        if health.isdigit() and int(health) != port and not any("tcp" in self.protocols(each["name"], int(health)) for each in self.containers):
            self.problems.append(f"Target group {name} checks the health on port {health}, which no container has: check the traffic-port, or map {health}.")

    def protocols(self, container: str, port: int) -> set[str]:
        found = set()
        for each in self.containers:
            for mapping in (each.get("portMappings") or []) if each["name"] == container else []:
                first, _dash, last = str(mapping.get("containerPortRange") or mapping.get("containerPort")).partition("-")
                if int(first) <= port <= int(last or first):
                    found.add(mapping.get("protocol") or "tcp")
        return found

    # Network

    def network_checks(self) -> list[Callable[[], None]]:
        subnets = self.params["subnets"]
        return [self.checking("The way of the subnets to ECR", self.network)] if subnets and not any(UNKNOWN in subnet for subnet in subnets) else []

    def network(self) -> None:
        wanted = self.params["subnets"]
        found = {it["SubnetId"]: it for it in self.ask("ec2", "describe_subnets", Filters=[{"Name": "subnet-id", "Values": wanted}])["Subnets"]}
        if missing := set(wanted) - found.keys():
            self.problems.append(f"There is no subnet {listed(missing)}: name subnets that exist.")
        vpcs = {subnet["VpcId"] for subnet in found.values()}
        if len(vpcs) > 1:
            self.problems.append(f"The subnets {listed(found)} are in several VPCs, {listed(vpcs)}: name subnets of one.")
        if len(vpcs) != 1:
            return
        of_vpc = [{"Name": "vpc-id", "Values": list(vpcs)}]
        tables, gateways = together(
            [
                lambda: self.ask("ec2", "describe_route_tables", Filters=of_vpc)["RouteTables"],
                lambda: self.ask("ec2", "describe_nat_gateways", Filters=of_vpc)["NatGateways"],
            ]
        )
        states = {it["NatGatewayId"]: it["State"] for it in gateways}
        closed: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)  # by why they do not reach the internet, the subnets and their route tables
        for subnet in sorted(found):
            table = self.table_of(subnet, tables)
            if reason := self.no_way_out(table, states):
                closed[reason][subnet] = table
        if closed:
            self.endpoints(closed, found, of_vpc)

    @staticmethod
    def table_of(subnet: str, tables: list[dict[str, Any]]) -> dict[str, Any]:
        """The route table of a subnet, or else the main one of the VPC."""
        main: dict[str, Any] = {"RouteTableId": "", "Routes": []}
        for table in tables:
            for association in table.get("Associations", []):
                if association.get("SubnetId") == subnet:
                    return table
                if association.get("Main"):
                    main = table
        return main

    def no_way_out(self, table: dict[str, Any], gateways: dict[str, str]) -> str:
        """Why what is in a subnet with this route table does not reach the internet; empty where it does."""
        route = next((it for it in table["Routes"] if it.get("DestinationCidrBlock") == "0.0.0.0/0"), None)
        if route is None:
            return "no default route"
        if gateway := route.get("NatGatewayId"):
            state = gateways.get(gateway, "deleted")
            return "" if state == "available" else f"a default route to NAT gateway {gateway}, which is {state}"
        if route.get("State") == "blackhole":
            return "a default route to what does not exist any more"
        if str(route.get("GatewayId", "")).startswith("igw-") and not self.params["assign_public_ip"]:
            return "a default route to an internet gateway, and the tasks no public addresses"
        return ""

    def endpoints(self, closed: dict[str, dict[str, dict[str, Any]]], subnets: dict[str, dict[str, Any]], of_vpc: list[dict[str, Any]]) -> None:
        """Without the internet, tasks start by way of endpoints."""
        endpoints = [it for it in self.ask("ec2", "describe_vpc_endpoints", Filters=of_vpc)["VpcEndpoints"] if it["State"].lower() == "available"]
        for reason, tables in closed.items():
            where = f"{'Subnet' if len(tables) == 1 else 'Subnets'} {listed(tables)}"
            if self.foreign:
                self.problems.append(
                    f"{where}: tasks cannot pull {listed(self.foreign)} there, for there is {reason}: route to a NAT gateway, or copy the image to ECR."
                )
            needed = self.needed_endpoints()
            missing = {service for service in needed if not self.private(service, endpoints)}
            if self.pulled and not self.private("s3", endpoints):
                gateways = {table for it in endpoints if it["ServiceName"].endswith(".s3") for table in it.get("RouteTableIds", [])}
                if any(table["RouteTableId"] not in gateways for table in tables.values()):
                    missing.add("s3")
            if missing:
                self.problems.append(
                    f"{where}: tasks do not reach ECR and what else they need, for there is {reason}, and no endpoint with private DNS for {listed(missing)}: "
                    "route to a NAT gateway, use public subnets with public addresses, or add the endpoints."
                )
            else:
                used = [it for service in needed for it in self.private(service, endpoints)]
                self.let_in(used, [subnets[subnet]["CidrBlock"] for subnet in tables])

    def needed_endpoints(self) -> set[str]:
        needed = {"ecr.api", "ecr.dkr"} if self.pulled else set()
        for container in self.containers:
            log = container.get("logConfiguration") or {}
            needed |= {"logs"} if log.get("logDriver") == "awslogs" else set()
            for secret in [*(container.get("secrets") or []), *(log.get("secretOptions") or [])]:
                needed.add("secretsmanager" if ":secretsmanager:" in secret["valueFrom"] else "ssm")
        return needed

    def private(self, service: str, endpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
        suffix = f".{self.module.region}.{service}"
        return [it for it in endpoints if it["ServiceName"].endswith(suffix) and it["VpcEndpointType"] == "Interface" and it.get("PrivateDnsEnabled")]

    def let_in(self, endpoints: list[dict[str, Any]], networks: list[str]) -> None:
        groups = {each["GroupId"] for it in endpoints for each in it.get("Groups", [])}
        asked = [{"Name": "group-id", "Values": sorted(groups)}]
        found = {it["GroupId"]: it for it in self.ask("ec2", "describe_security_groups", Filters=asked)["SecurityGroups"]} if groups else {}
        for endpoint in endpoints:
            its = [found[each["GroupId"]] for each in endpoint.get("Groups", []) if each["GroupId"] in found]
            if its and not any(self.takes(rule, networks) for group in its for rule in group["IpPermissions"]):
                service = endpoint["ServiceName"].split(f".{self.module.region}.")[-1]
                tasks = listed(self.params["security_groups"]) or "the tasks"
                self.problems.append(f"Endpoint {endpoint['VpcEndpointId']} ({service}) lets nobody in from {tasks}: allow TCP 443 in its security group.")

    def takes(self, rule: dict[str, Any], networks: list[str]) -> bool:
        """Whether a rule lets the tasks in with HTTPS."""
        if rule["IpProtocol"] not in ("tcp", "-1") or (rule["IpProtocol"] == "tcp" and not rule.get("FromPort", 0) <= 443 <= rule.get("ToPort", 65535)):
            return False
        if rule.get("PrefixListIds") or {it.get("GroupId") for it in rule.get("UserIdGroupPairs", [])} & set(self.params["security_groups"]):
            return True
        ranges = [ipaddress.ip_network(it["CidrIp"], strict=False) for it in rule.get("IpRanges", [])]
        return all(any(ipaddress.ip_network(network).subnet_of(it) for it in ranges) for network in networks)

    # All of it

    def require(self) -> tuple[list[str], list[str]]:
        """The problems, which are none unless in check mode, and what could not be looked at."""
        checks = [*self.image_checks(), self.identity, *self.log_checks(), *self.target_group_checks(), *self.network_checks()]
        try:
            together(checks)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.fail_json_aws(error, msg=f"ECS service {self.params['name']}: the deployment could not be checked")
        problems, not_checked = sorted(self.problems), sorted(self.not_checked)
        for text in not_checked:
            self.module.warn(text)
        if problems and not self.module.check_mode:
            message = "\n".join([f"ECS service {self.params['name']}: the deployment would fail, and nothing was changed:", *(f"- {it}" for it in problems)])
            self.module.fail_json(msg=message, problems=problems, not_checked=not_checked)
        for text in problems:
            self.module.warn(f"The deployment would fail: {text}")
        return problems, not_checked
