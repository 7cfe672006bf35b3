# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ecr_repository

from .conftest import Cloud

NAME = "shop/backend"
KEEP = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]}


def run(cloud: Cloud, **options: Any) -> dict[str, Any]:
    return cloud.run(ecr_repository, name=NAME, **options)


def test_a_repository_is_made_once(cloud: Cloud) -> None:
    made = run(cloud, lifecycle_policy=KEEP, tags={"Application": "shop"})

    repository = cloud.client("ecr").describe_repositories(repositoryNames=[NAME])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["encryptionConfiguration"]["encryptionType"] == "AES256"
    assert made["repository"]["repository_uri"] == repository["repositoryUri"]
    assert made["repository"]["tags"] == {"Application": "shop"}
    assert run(cloud, lifecycle_policy=KEEP, tags={"Application": "shop"})["changed"] is False
    assert cloud.mutations == []


def test_check_mode_on_an_empty_account(cloud: Cloud) -> None:
    predicted = run(cloud, check=True, lifecycle_policy=KEEP)

    assert (predicted["changed"], cloud.mutations) == (True, [])
    assert "countNumber" in predicted["diff"]["after"]["lifecyclePolicyText"]
    assert run(cloud, check=True, state="absent")["changed"] is False


def test_the_lifecycle_policy_is_compared_as_json_and_an_empty_one_removes_it(cloud: Cloud) -> None:
    run(cloud)
    ecr = cloud.client("ecr")
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=json.dumps(KEEP, indent=8))

    assert run(cloud, lifecycle_policy=KEEP)["changed"] is False
    assert run(cloud)["changed"] is False
    described = {"rules": [{**KEEP["rules"][0], "description": "All but three"}]}
    assert run(cloud, lifecycle_policy=described)["changed"] is True
    assert run(cloud, lifecycle_policy=KEEP)["changed"] is True, "a key that is no longer wanted is a difference"
    assert run(cloud, lifecycle_policy={})["changed"] is True
    with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName=NAME)


def statements(cloud: Cloud) -> dict[str, Any]:
    return {it["Sid"]: it for it in json.loads(cloud.client("ecr").get_repository_policy(repositoryName=NAME)["policyText"])["Statement"]}


def test_the_repository_policy_is_there_only_when_asked(cloud: Cloud) -> None:
    pull = {"Effect": "Allow", "Principal": {"AWS": ["210987654321"]}, "Action": ["ecr:BatchGetImage"]}
    run(cloud, policy_statements={"Pull": {}})
    assert "SetRepositoryPolicy" not in cloud.calls
    predicted = run(cloud, check=True, policy_statements={"Pull": pull})
    assert (predicted["changed"], cloud.mutations) == (True, [])
    assert run(cloud, policy_statements={"Pull": pull})["changed"] is True
    assert run(cloud, policy_statements={"Pull": pull})["changed"] is False
    assert run(cloud)["changed"] is False
    assert run(cloud, policy_statements={"Pull": {}})["changed"] is True
    with pytest.raises(cloud.client("ecr").exceptions.RepositoryPolicyNotFoundException):
        statements(cloud)


def test_statements_of_others_stay_and_what_aws_writes_differently_is_no_change(cloud: Cloud) -> None:
    pull = {"Effect": "Allow", "Principal": {"AWS": ["210987654321"]}, "Action": ["ecr:BatchGetImage"]}
    asked_back = {"Sid": "Pull", **pull, "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, "Action": "ecr:BatchGetImage"}
    others = {"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "ecr:BatchGetImage"}
    run(cloud)
    policy = json.dumps({"Version": "2008-10-17", "Statement": [asked_back, others]})
    cloud.client("ecr").set_repository_policy(repositoryName=NAME, policyText=policy)

    assert run(cloud, policy_statements={"Pull": pull})["changed"] is False
    assert run(cloud, policy_statements={"Pull": {**pull, "Action": "ecr:*"}})["changed"] is True
    assert (statements(cloud)["Pull"]["Action"], statements(cloud)[others["Sid"]]) == ("ecr:*", others)
    assert run(cloud, policy_statements={"Pull": {}})["changed"] is True
    assert list(statements(cloud)) == [others["Sid"]]


def test_what_can_be_changed_is_changed_in_place(cloud: Cloud) -> None:
    run(cloud, tags={"Application": "shop"})
    assert run(cloud, image_tag_mutability="MUTABLE", scan_on_push=False, tags={"Owner": "a"}, purge_tags=False)["changed"] is True

    repository = cloud.client("ecr").describe_repositories(repositoryNames=[NAME])["repositories"][0]
    assert (repository["imageTagMutability"], repository["imageScanningConfiguration"]["scanOnPush"]) == ("MUTABLE", False)
    assert run(cloud, check=True, tags={"Owner": "a"}, image_tag_mutability="MUTABLE", scan_on_push=False)["diff"]["after"]["Tags"] == {"Owner": "a"}


def test_an_encryption_that_cannot_be_changed_is_refused(cloud: Cloud) -> None:
    run(cloud)
    assert "cannot change the encryption" in run(cloud, fails=True, encryption_type="KMS")["msg"]
    assert "needs encryption_type KMS" in run(cloud, fails=True, kms_key="arn:aws:kms:eu-central-1:123456789012:key/1")["msg"]


def test_a_repository_with_images_goes_only_with_force(cloud: Cloud) -> None:
    run(cloud)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {}, "layers": []}
    cloud.client("ecr").put_image(repositoryName=NAME, imageManifest=json.dumps(manifest), imageTag="1")

    assert "RepositoryNotEmptyException" in run(cloud, fails=True, state="absent")["msg"]
    assert run(cloud, state="absent", force=True)["changed"] is True
    assert run(cloud, state="absent", force=True)["changed"] is False
