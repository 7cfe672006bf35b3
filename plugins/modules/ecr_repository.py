#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repository
version_added: 0.1.0
short_description: Manage an image repository in ECR
description:
  - A private repository with tag mutability, scanning, encryption and a lifecycle policy.
  - M(community.aws.ecs_ecr) fails in check mode where the repository is not there yet and a lifecycle policy is given, and with C(AES256) as the encryption.
options:
  name:
    description: Name of the repository, 2 to 256 characters.
    type: str
    required: true
  image_tag_mutability:
    description: Whether a tag can be moved to another image.
    type: str
    choices: [IMMUTABLE, MUTABLE]
    default: IMMUTABLE
  scan_on_push:
    description: Whether each image is scanned for known vulnerabilities when it is pushed.
    type: bool
    default: true
  encryption_type:
    description: How the images are encrypted. AWS cannot change it afterwards, and the module fails where it would have to.
    type: str
    choices: [AES256, KMS]
    default: AES256
  kms_key:
    description: ARN of the key, with O(encryption_type=KMS). Without it a new repository gets C(aws/ecr), and an existing one keeps its key.
    type: str
  lifecycle_policy:
    description: The lifecycle policy; an empty dict removes it. Without it the policy is left alone.
    type: dict
  policy_statements:
    description:
      - Statements of the repository policy by their C(Sid), such as one with which another account pulls images; an empty statement is removed.
      - All other statements stay, since Lambda, for one, adds its own to the policy. A policy without statements is removed.
    type: dict
    default: {}
  force:
    description: Whether O(state=absent) also removes a repository that has images.
    type: bool
    default: false
  state:
    description: Whether the repository is there.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Images go to a repository that keeps the last thirty
  pulsegrid.aws.ecr_repository:
    name: pulsegrid-production
    lifecycle_policy:
      rules:
        - rulePriority: 1
          selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}
          action: {type: expire}

- name: Another account pulls from it
  pulsegrid.aws.ecr_repository:
    name: pulsegrid-production
    policy_statements:
      PullFromOtherAccounts:
        Effect: Allow
        Principal: {AWS: ["210987654321"]}
        Action: [ecr:BatchGetImage, ecr:GetDownloadUrlForLayer]
"""

RETURN = r"""
repository:
  description: The repository as ECR describes it; empty when it is absent.
  returned: success
  type: dict
  contains:
    repository_name:
      description: Its name.
      type: str
      returned: always
    repository_arn:
      description: Its ARN.
      type: str
      returned: when it exists
    repository_uri:
      description: What C(docker pull) takes, without a tag.
      type: str
      returned: when it exists
    lifecycle_policy_text:
      description: Its lifecycle policy as JSON; empty where there is none.
      type: str
      returned: with O(lifecycle_policy)
    policy_text:
      description: Its policy as JSON; empty where there is none.
      type: str
      returned: with O(policy_statements)
  sample:
    repository_name: pulsegrid-production
    repository_arn: arn:aws:ecr:us-east-1:123456789012:repository/pulsegrid-production
    repository_uri: 123456789012.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-production
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    differs,
)


def canonical(policy: dict[str, Any]) -> str:
    """As text, so that a key that is no longer wanted is a difference too; empty for no policy."""
    return json.dumps(policy, indent=2, sort_keys=True) if policy else ""


class Repository(Resource):
    service = "ecr"
    kind = "ECR repository"
    result = "repository"
    not_found = ("RepositoryNotFoundException", "LifecyclePolicyNotFoundException", "RepositoryPolicyNotFoundException")

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_repositories", repositoryNames=[self.name])
        if found is None:
            return None
        repository = found["repositories"][0]
        tags = self.call("list_tags_for_resource", resourceArn=repository["repositoryArn"])["tags"]
        return {
            "encryptionConfiguration": {"encryptionType": "AES256"},
            **repository,
            **({} if self.params["lifecycle_policy"] is None else self.policy_text("get_lifecycle_policy", "lifecyclePolicyText")),
            **(self.policy_text("get_repository_policy", "policyText") if self.params["policy_statements"] else {}),
            "Tags": boto3_tag_list_to_ansible_dict(tags),
        }

    def policy_text(self, operation: str, key: str) -> dict[str, str]:
        found = self.find(operation, repositoryName=self.name)
        return {key: canonical(json.loads(found[key]) if found else {})}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        encryption = {"encryptionType": self.params["encryption_type"]}
        if self.params["kms_key"]:
            encryption["kmsKey"] = self.params["kms_key"]
        if current and differs(current["encryptionConfiguration"], encryption):
            self.module.fail_json(
                msg=f"ECR repository {self.name}: AWS cannot change the encryption from {current['encryptionConfiguration']} to {encryption} in place. "
                "Use another name, or remove the repository and run again."
            )
        return {
            "repositoryName": self.name,
            "imageTagMutability": self.params["image_tag_mutability"],
            "imageScanningConfiguration": {"scanOnPush": self.params["scan_on_push"]},
            "encryptionConfiguration": encryption,
            "lifecyclePolicyText": None if self.params["lifecycle_policy"] is None else canonical(self.params["lifecycle_policy"]),
            "policyText": self.wanted_policy((current or {}).get("policyText", "")),
            "Tags": self.wanted_tags(current),
        }

    def wanted_policy(self, current: str) -> str | None:
        """The current text where it means the same: AWS may write an account's ID as the ARN of its root, and a list of one as a string."""
        given = self.params["policy_statements"]
        if not given:
            return None
        policy = json.loads(current) if current else {"Version": "2012-10-17", "Statement": []}
        kept = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        statements = [it for it in kept if it.get("Sid") not in given]
        statements += [{"Sid": sid, **statement} for sid, statement in given.items() if statement]
        wanted = {**policy, "Statement": statements} if statements else {}
        return current if current and wanted and not compare_policies(policy, wanted) else canonical(wanted)

    def create(self, wanted: dict[str, Any]) -> None:
        properties = {key: wanted[key] for key in ("imageTagMutability", "imageScanningConfiguration", "encryptionConfiguration")}
        self.call("create_repository", repositoryName=self.name, tags=ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {}), **properties)
        self.set_policies({}, wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if current["imageTagMutability"] != wanted["imageTagMutability"]:
            self.call("put_image_tag_mutability", repositoryName=self.name, imageTagMutability=wanted["imageTagMutability"])
        if differs(current["imageScanningConfiguration"], wanted["imageScanningConfiguration"]):
            self.call("put_image_scanning_configuration", repositoryName=self.name, imageScanningConfiguration=wanted["imageScanningConfiguration"])
        self.set_policies(current, wanted)
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", resourceArn=current["repositoryArn"], tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("untag_resource", resourceArn=current["repositoryArn"], tagKeys=to_remove)

    def set_policies(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        for key, put, delete in (
            ("lifecyclePolicyText", "put_lifecycle_policy", "delete_lifecycle_policy"),
            ("policyText", "set_repository_policy", "delete_repository_policy"),
        ):
            if wanted.get(key, "") == current.get(key, ""):
                continue
            if wanted[key]:
                self.call(put, repositoryName=self.name, **{key: wanted[key]})
            else:
                self.call(delete, repositoryName=self.name)

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_repository", repositoryName=self.name, force=self.params["force"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "image_tag_mutability": {"choices": ["IMMUTABLE", "MUTABLE"], "default": "IMMUTABLE"},
            "scan_on_push": {"type": "bool", "default": True},
            "encryption_type": {"choices": ["AES256", "KMS"], "default": "AES256"},
            "kms_key": {"no_log": False},
            "lifecycle_policy": {"type": "dict"},
            "policy_statements": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": False},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    if module.params["kms_key"] and module.params["encryption_type"] != "KMS":
        module.fail_json(msg=f"kms_key is {module.params['kms_key']}: a key needs encryption_type KMS.")
    Repository(module).run()


if __name__ == "__main__":
    main()
