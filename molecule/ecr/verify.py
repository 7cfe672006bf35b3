"""Asserts what ECR says of the repositories, or does what others do there: verify.py FUNCTION [ARGUMENT ...]."""

from __future__ import annotations

import json
import sys

import boto3

NAME = "pulsegrid-molecule/backend"
TAGS = {"Application": "pulsegrid", "Environment": "molecule", "ManagedBy": "pulsegrid.aws"}
OTHERS = {"Sid": "Others", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "ecr:BatchGetImage"}

ecr = boto3.client("ecr")


def equal(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def repository(mutability: str, scan: bool, keep: int, tags: dict[str, str], statements: dict[str, object]) -> None:
    found = ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]
    equal("mutability", found["imageTagMutability"], mutability)
    equal("scan on push", found["imageScanningConfiguration"]["scanOnPush"], scan)
    equal("encryption", found["encryptionConfiguration"]["encryptionType"], "KMS")
    equal("key", found["encryptionConfiguration"]["kmsKey"].rpartition("/")[2], "1234abcd-12ab-34cd-56ef-1234567890ab")
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])["rules"]
    selections = [{key: value for key, value in rule["selection"].items() if key != "countUnit"} for rule in rules]
    equal("untagged images", selections[0], {"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 3})
    equal("tagged images", selections[1], {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": keep})
    equal("tags", {it["Key"]: it["Value"] for it in ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]}, tags)
    policy = json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"])
    equal("policy", {it["Sid"]: it["Principal"] for it in policy["Statement"]}, statements)


def first() -> None:
    repository("MUTABLE", scan=False, keep=7, tags=TAGS, statements={"PullFromOtherAccounts": {"AWS": ["210987654321"]}})
    equal("repositories", [it["repositoryName"] for it in ecr.describe_repositories()["repositories"]], [NAME])


def changed() -> None:
    """What others added has stayed."""
    tags = {**TAGS, "Owner": "somebody", "CostCenter": "4711"}
    repository("IMMUTABLE", scan=True, keep=5, tags=tags, statements={"Others": OTHERS["Principal"]})
    equal("images", [it["imageTags"] for it in ecr.describe_images(repositoryName=NAME)["imageDetails"]], [["release"]])


def others() -> None:
    """What others do: an image, a tag, a statement in the policy."""
    push(NAME)
    found = ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]
    ecr.tag_resource(resourceArn=found["repositoryArn"], tags=[{"Key": "CostCenter", "Value": "4711"}])
    policy = json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"])
    policy["Statement"].append(OTHERS)
    ecr.set_repository_policy(repositoryName=NAME, policyText=json.dumps(policy))


def push(name: str) -> None:
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": []}
    ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageManifestMediaType=media_type, imageTag="release")


def repositories(*names: str) -> None:
    equal("repositories", sorted(it["repositoryName"] for it in ecr.describe_repositories()["repositories"]), sorted(names))


{"first": first, "changed": changed, "others": others, "push": push, "repositories": repositories}[sys.argv[1]](*sys.argv[2:])
