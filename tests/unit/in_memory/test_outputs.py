# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is of an environment, found in one module run; that the roles make their outputs of it, molecule proves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.client
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import outputs as module
from moto.server import ThreadedMotoServer

from ..conftest import run
from .conftest import Cloud

QUERIES: dict[str, dict[str, Any]] = {
    "vpc": {"name": "shop", "vpc_id": ""},
    "rds": {"db_instance_identifier": "shop", "secret": "shop-database"},
    "ecr": {"repository": "shop", "tag": "r1"},
    "alb": {"target_group": "shop", "service_tags": {"LoadBalancer": "shop"}},
    "static_site": {"distribution": "shop-site"},
    "ecs_service": {"cluster": "shop", "service": "shop"},
    "lambda_healthcheck": {},
}


def found(cloud: Cloud, *roles: str, **options: Any) -> dict[str, Any]:
    return cloud.run(module, roles=list(roles), queries=QUERIES, **options)


def test_where_there_is_nothing_nothing_is_found(cloud: Cloud) -> None:
    result = found(cloud, *QUERIES)

    assert result["found"] == {
        "vpc": {"vpcs": [], "subnets": [], "security_groups": [], "addresses": []},
        "rds": {"instances": [], "secret_arn": ""},
        "ecr": {"repository": {}, "digest": ""},
        "alb": {"target_group": {}, "load_balancer": {}, "listeners": [], "services": []},
        "static_site": {"distribution": {}},
        "ecs_service": {"service": {}, "task_definition_arn": "", "images": {}},
        "lambda_healthcheck": {},
    }
    assert result["caller"]["account"] == "123456789012"
    assert cloud.mutations == []


def test_the_network_is_what_is_in_its_vpc(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "shop"}]}])["Vpc"]["VpcId"]
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    tier = [{"ResourceType": "subnet", "Tags": [{"Key": "Tier", "Value": "public"}]}]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", TagSpecifications=tier)["Subnet"]["SubnetId"]
    ec2.create_subnet(VpcId=other, CidrBlock="10.1.0.0/24")
    there = found(cloud, "vpc")["found"]["vpc"]

    assert [each["vpc_id"] for each in there["vpcs"]] == [vpc]
    assert [(each["subnet_id"], each["tags"]) for each in there["subnets"]] == [(subnet, {"Tier": "public"})]
    assert {each["vpc_id"] for each in there["security_groups"]} == {vpc}
    assert cloud.run(module, roles=["vpc"], queries={"vpc": {"name": "", "vpc_id": other}})["found"]["vpc"]["vpcs"][0]["cidr_block"] == "10.1.0.0/16"


def test_two_networks_of_one_name_are_refused(cloud: Cloud) -> None:
    for _number in range(2):
        cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "shop"}]}])

    assert "vpc_name is 'shop', and several VPCs have this name: vpc-" in found(cloud, "vpc", fails=True)["msg"]


def test_only_what_is_asked_for_is_looked_at(cloud: Cloud) -> None:
    cloud.client("ecr").create_repository(repositoryName="shop")
    result = found(cloud, "ecr")

    assert result["found"]["ecr"]["repository"]["repository_name"] == "shop"
    assert result["found"]["ecr"]["digest"] == ""
    assert cloud.calls == ["GetCallerIdentity", "DescribeRepositories", "DescribeImages"]


def test_the_digest_is_that_of_the_tag(cloud: Cloud) -> None:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="shop")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})
    image = ecr.put_image(repositoryName="shop", imageManifest=manifest, imageTag="r1")["image"]

    assert found(cloud, "ecr")["found"]["ecr"]["digest"] == image["imageId"]["imageDigest"]


def test_nothing_is_looked_for_in_another_account(cloud: Cloud) -> None:
    refused = found(cloud, "ecr", "vpc", account_id="000000000000", fails=True)

    assert refused["msg"].startswith("pulsegrid_account_id is '000000000000', but the credentials belong to account 123456789012 (arn:aws:")
    assert cloud.calls == ["GetCallerIdentity"]
    assert found(cloud, account_id="123456789012")["caller"]["account"] == "123456789012"


def test_the_image_is_the_one_that_was_released(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName="shop")
    containers = [{"name": "app", "image": "shop@sha256:0", "memory": 64}, {"name": "sidecar", "image": module.definitions.NO_RELEASE, "memory": 64}]
    revision = ecs.register_task_definition(family="shop", containerDefinitions=containers)["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(cluster="shop", serviceName="shop", taskDefinition=revision, desiredCount=2)
    there = found(cloud, "ecs_service")["found"]["ecs_service"]

    assert (there["task_definition_arn"], there["images"]) == (revision, {"app": "shop@sha256:0"})
    assert there["service"]["desired_count"] == 2


def test_an_error_says_what_was_asked_and_what_aws_answered(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    call = botocore.client.BaseClient._make_api_call

    def refuse(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "DescribeDBInstances":
            raise botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "is not authorized"}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    refused = found(cloud, "rds", "ecr", fails=True)
    assert refused["msg"].startswith("Could not describe db instances (rds): ")
    assert "is not authorized" in refused["msg"]
    assert refused["error"]["code"] == "AccessDenied"


def test_a_roles_own_variables_are_used_as_if_it_ran(tmp_path: Path) -> None:
    """Its defaults, which an inventory's variables override, and its vars."""
    aws = ThreadedMotoServer("127.0.0.1", 0)
    aws.start()
    host, port = aws.get_host_and_port()
    playbook = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "pulsegrid_name": "shop",
            "pulsegrid_region": "us-east-1",
            "ecr_registry": "here:1",
        },
        "tasks": [
            {"pulsegrid.aws.outputs": {"roles": ["ecr", "ecs_service", "rds"]}, "register": "there"},
            {"ansible.builtin.copy": {"content": "{{ there.outputs | to_json }}", "dest": str(tmp_path / "outputs.json"), "mode": "0600"}},
        ],
    }
    (tmp_path / "play.yml").write_text(json.dumps([playbook]))
    try:
        environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
        }
        result = run("ansible-playbook", "-i", "one,", tmp_path / "play.yml", **environment)
    finally:
        aws.stop()
    assert result.returncode == 0, result.stdout + result.stderr

    outputs = json.loads((tmp_path / "outputs.json").read_text())
    assert outputs["ecr_outputs"]["repository_uri"] == "here:1/shop"
    assert outputs["ecs_service_outputs"]["task_role_arn"] == "arn:aws:iam::123456789012:role/shop-task"
    assert outputs["rds_outputs"]["secret_arn"] == "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-database-known-after-apply"
    assert outputs["rds_outputs"]["port"] == 5432
