#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# The action plugin of the same name asks the roles what to look for, and makes their outputs of what is found here.

from __future__ import annotations

DOCUMENTATION = r"""
module: outputs
version_added: 0.2.0
short_description: Find the outputs of roles in AWS
description:
  - Answers with what the roles of this collection set as C(<role>_outputs), of all the given roles at once. It is read from AWS by the names that the roles'
    variables give; what is not there has well-formed placeholders, with C(known-after-apply) where they may be text.
  - Each role says in C(meta/outputs.yml) what to look for and which output is made of what.
  - A module for each, M(amazon.aws.ec2_vpc_net_info), M(amazon.aws.ec2_vpc_subnet_info), M(amazon.aws.ec2_security_group_info), M(amazon.aws.ec2_eip_info),
    M(amazon.aws.rds_instance_info), M(community.aws.elb_target_group_info), M(amazon.aws.elb_application_lb_info) and more, means fifteen module runs one
    after the other before a deploy can begin. Here it is one, that asks for the roles' parts at the same time.
options:
  roles:
    description: The roles; with none of them the answer is the caller alone.
    type: list
    elements: str
    choices: [vpc, rds, ecr, alb, static_site, ecs_service, lambda_healthcheck]
    required: true
  account_id:
    description: ID of the account that is expected, C(pulsegrid_account_id) of the playbooks; empty for any. Nothing is looked for in another.
    type: str
    default: ""
  queries:
    description: What to look for, by role. Set by the action plugin.
    type: dict
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: It is known where the database is, and the images
  pulsegrid.aws.outputs:
    roles: [rds, ecr]
  register: there

- name: This is where
  ansible.builtin.debug:
    msg: "{{ there.outputs.rds_outputs.address }}, {{ there.outputs.ecr_outputs.repository_uri }}"
"""

RETURN = r"""
outputs:
  description: The outputs of each role, under the name of the fact that the role sets.
  returned: success
  type: dict
  sample: {"rds_outputs": {"address": "shop.abcdefghijkl.us-east-1.rds.amazonaws.com", "port": 5432}}
caller:
  description: Whose credentials they are.
  returned: success
  type: dict
  contains:
    account:
      description: ID of the account.
      type: str
    arn:
      description: ARN of the user or the assumed role.
      type: str
  sample: {"account": "123456789012", "arn": "arn:aws:iam::123456789012:user/deployer"}
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.transformation import boto3_resource_list_to_ansible_dict
from ansible_collections.pulsegrid.aws.plugins.module_utils import task_definition as definitions
from ansible_collections.pulsegrid.aws.plugins.module_utils.cloudfront import find_distribution
from ansible_collections.pulsegrid.aws.plugins.module_utils.elb import target_groups_with
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import all_pages

Ask = Callable[..., dict[str, Any]]

NOT_FOUND = (
    "ClusterNotFoundException",
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "ImageNotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
    "TargetGroupNotFound",
)


class Problem(Exception):
    """What is wrong, and what AWS answered."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        super().__init__(text)
        self.error = error


def vpc(ask: Ask, name: str, vpc_id: str) -> dict[str, Any]:
    by_name = [{"Name": "tag:Name", "Values": [name]}]
    vpcs = ask("ec2", "describe_vpcs", Filters=[{"Name": "vpc-id", "Values": [vpc_id]}] if vpc_id else by_name).get("Vpcs", [])
    if len(vpcs) > 1:
        several = ", ".join(each["VpcId"] for each in vpcs)
        raise Problem(f"vpc_name is '{name}', and several VPCs have this name: {several}. Each needs a name of its own.")
    of_vpc = [{"Name": "vpc-id", "Values": [each["VpcId"] for each in vpcs]}]
    return {
        "vpcs": boto3_resource_list_to_ansible_dict(vpcs),
        "subnets": boto3_resource_list_to_ansible_dict(ask("ec2", "describe_subnets", Filters=of_vpc)["Subnets"]) if vpcs else [],
        "security_groups": boto3_resource_list_to_ansible_dict(ask("ec2", "describe_security_groups", Filters=of_vpc)["SecurityGroups"]) if vpcs else [],
        "addresses": boto3_resource_list_to_ansible_dict(ask("ec2", "describe_addresses", Filters=by_name)["Addresses"]),
    }


def rds(ask: Ask, db_instance_identifier: str, secret: str) -> dict[str, Any]:
    instances = ask("rds", "describe_db_instances", DBInstanceIdentifier=db_instance_identifier).get("DBInstances", [])
    return {
        "instances": boto3_resource_list_to_ansible_dict(instances),
        "secret_arn": ask("secretsmanager", "describe_secret", SecretId=secret).get("ARN", ""),
    }


def ecr(ask: Ask, repository: str, tag: str) -> dict[str, Any]:
    found = ask("ecr", "describe_repositories", repositoryNames=[repository]).get("repositories", [])
    images = ask("ecr", "describe_images", repositoryName=repository, imageIds=[{"imageTag": tag}]).get("imageDetails", []) if found and tag else []
    return {"repository": camel_dict_to_snake_dict(found[0]) if found else {}, "digest": images[0]["imageDigest"] if images else ""}


def alb(ask: Ask, target_group: str, service_tags: dict[str, str]) -> dict[str, Any]:
    groups = ask("elbv2", "describe_target_groups", Names=[target_group]).get("TargetGroups", [])
    arns = groups[0]["LoadBalancerArns"] if groups else []
    balancers = ask("elbv2", "describe_load_balancers", LoadBalancerArns=arns)["LoadBalancers"] if arns else []
    listeners = ask("elbv2", "describe_listeners", LoadBalancerArn=arns[0])["Listeners"] if balancers else []
    services = target_groups_with(service_tags, lambda operation, **arguments: ask("elbv2", operation, **arguments))
    return {
        "target_group": camel_dict_to_snake_dict(groups[0]) if groups else {},
        "load_balancer": camel_dict_to_snake_dict(balancers[0]) if balancers else {},
        "listeners": [{"listener_arn": each["ListenerArn"], "port": each["Port"], "protocol": each["Protocol"]} for each in listeners],
        "services": services,
    }


def static_site(ask: Ask, distribution: str) -> dict[str, Any]:
    found = find_distribution(distribution, distribution, lambda operation, **arguments: ask("cloudfront", operation, **arguments))
    return {"distribution": {"id": found["Id"], "arn": found["ARN"], "domain_name": found["DomainName"]} if found else {}}


def ecs_service(ask: Ask, cluster: str, service: str) -> dict[str, Any]:
    services = ask("ecs", "describe_services", cluster=cluster, services=[service]).get("services", [])
    found = next((each for each in services if each["status"] != "INACTIVE"), None)
    if not found:
        return {"service": {}, "task_definition_arn": "", "images": {}}
    definition = ask("ecs", "describe_task_definition", taskDefinition=found["taskDefinition"])["taskDefinition"]
    return {
        "service": {key: found[of_aws] for key, of_aws in SERVICE.items()},
        "task_definition_arn": found["taskDefinition"],
        "images": {name: image for name, image in definitions.images(definition).items() if image != definitions.NO_RELEASE},
    }


SERVICE = {"cluster_arn": "clusterArn", "service_arn": "serviceArn", "desired_count": "desiredCount", "running_count": "runningCount"}


def lambda_healthcheck(ask: Ask) -> dict[str, Any]:
    """Its outputs follow from its names and the account."""
    return {}


# What finds a role's part, and the services that it asks
ROLES: dict[str, tuple[Callable[..., dict[str, Any]], tuple[str, ...]]] = {
    "vpc": (vpc, ("ec2",)),
    "rds": (rds, ("rds", "secretsmanager")),
    "ecr": (ecr, ("ecr",)),
    "alb": (alb, ("elbv2",)),
    "static_site": (static_site, ("cloudfront",)),
    "ecs_service": (ecs_service, ("ecs",)),
    "lambda_healthcheck": (lambda_healthcheck, ()),
}


class Aws:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.clients: dict[str, Any] = {}

    def begin(self, services: set[str]) -> None:
        """Clients are for all threads, what makes them is for one."""
        self.clients |= {service: self.module.client(service) for service in sorted(services)}

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """All pages of the answer; nothing where AWS says that there is no such thing."""
        try:
            return all_pages(self.clients[service], operation, **arguments)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND:
                return {}
            raise Problem(f"Could not {operation.replace('_', ' ')} ({service})", error) from error
        except botocore.exceptions.BotoCoreError as error:
            raise Problem(f"Could not {operation.replace('_', ' ')} ({service})", error) from error


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "roles": {"type": "list", "elements": "str", "choices": list(ROLES), "required": True},
            "account_id": {"default": ""},
            "queries": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    roles, queries, expected = (module.params[name] for name in ("roles", "queries", "account_id"))
    aws = Aws(module)
    aws.begin({"sts"})
    with ThreadPoolExecutor(len(roles) + 1) as pool:
        try:
            caller = pool.submit(aws.ask, "sts", "get_caller_identity")
            aws.begin({service for role in roles for service in ROLES[role][1]})
            who = caller.result()
            if expected not in ("", who["Account"]):
                raise Problem(f"pulsegrid_account_id is '{expected}', but the credentials belong to account {who['Account']} ({who['Arn']})")
            parts = {role: pool.submit(ROLES[role][0], aws.ask, **queries[role]) for role in roles}
            found = {role: part.result() for role, part in parts.items()}
        except Problem as problem:
            if problem.error:
                module.fail_json_aws(problem.error, msg=str(problem))
            module.fail_json(msg=str(problem))
    module.exit_json(changed=False, found=found, caller={"account": who["Account"], "arn": who["Arn"]}, region=module.region)


if __name__ == "__main__":
    main()
