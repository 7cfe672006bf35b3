#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_deployment_check
version_added: 0.2.0
short_description: Find what would make a deployment to ECS fail, before it begins
description:
  - Takes the task definition, the network and the target groups of M(pulsegrid.aws.ecs_service), asks AWS whether tasks of it could start, and fails with
    all problems at once where they could not. Each is a sentence that says what to do.
  - Each image in ECR is there, and is one for the architecture and operating system of the task definition.
  - The execution role and the task role exist, and C(ecs-tasks.amazonaws.com) may assume them. The execution role may pull the images, read the secrets and
    parameters, and decrypt those that have a KMS key of their own.
  - The secrets exist, have a value and are not to be deleted, and the parameters exist. Their values are never read; so whether a secret's JSON has the key
    that a reference names is not known.
  - The log groups exist, where the containers do not make them (C(awslogs-create-group)).
  - The target groups take IP addresses and have a load balancer, and container, port, protocol and port of the health check agree.
  - The subnets reach ECR, by way of a NAT gateway, a transit gateway, an internet gateway together with public addresses, or endpoints of the VPC.
  - What could not be looked at, such as an image in another registry than ECR, or what the caller has no permission for, is a warning, and no failure.
  - There is no official module that looks at a deployment before it begins.
options:
  name:
    description: Name of the service, for the messages.
    type: str
    required: true
  task_definition:
    description:
      - The task definition, in the form of ECS's C(RegisterTaskDefinition), with its C(camelCase) keys.
      - A container without C(image) keeps the image that the service runs, which is not looked at.
    type: dict
    required: true
  registry:
    description: Host and port of the registry, where it is not the one that ECR names, as with an emulator of ECR.
    type: str
attributes:
  check_mode:
    description: In check mode problems are warnings, since what a run would make first is not there yet.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.ecs_network
notes:
  - A role's permissions are asked for with IAM's policy simulator, which knows the role's own policies, its boundary and the organization's policies. Where
    these do not allow something, a policy of the secret or the key that names the role is found too.
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The deployment can succeed
  pulsegrid.aws.ecs_deployment_check:
    name: shop
    subnets: [subnet-0a1b2c3d4e5f60718, subnet-0f1e2d3c4b5a69788]
    security_groups: [sg-0a1b2c3d4e5f60718]
    load_balancers:
      - target_group_arn: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/73e2d6bc24d8a067
        container_name: shop
        container_port: 8080
    task_definition:
      requiresCompatibilities: [FARGATE]
      networkMode: awsvpc
      cpu: 256
      memory: 512
      executionRoleArn: arn:aws:iam::123456789012:role/shop-execution
      containerDefinitions:
        - name: shop
          image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:7d0b...
          portMappings: [{containerPort: 8080}]
"""

RETURN = r"""
problems:
  description: What would make the deployment fail, a sentence for each; the module fails where there is one.
  returned: always
  type: list
  elements: str
  sample: ["Log group /ecs/shop does not exist: create it, or set awslogs-create-group."]
not_checked:
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: str
  sample: ["Image public.ecr.aws/docker/library/envoy:v1.31 is not in ECR, and is not looked at."]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import task_definition as definitions
from ansible_collections.pulsegrid.aws.plugins.module_utils.ecs_deployment_check import Check


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "task_definition": {"type": "dict", "required": True},
            **definitions.NETWORK_OPTIONS,
            "registry": {},
        },
        supports_check_mode=True,
    )
    problems, not_checked = Check(module).require()
    module.exit_json(changed=False, problems=problems, not_checked=not_checked)


if __name__ == "__main__":
    main()
