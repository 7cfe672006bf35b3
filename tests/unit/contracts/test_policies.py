"""Policies allow what was recorded, what AWS asks for besides, and on what has the application's name alone where names are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from contracts import actions, policies
from contracts.operations import Operation

SCRIPT = Path(__file__).parents[3] / "molecule" / "shared" / "iam_policy.py"


def statement(document: dict[str, Any], action: str) -> dict[str, Any]:
    (found,) = (statement for statement in document["Statement"] if action in statement["Action"])
    return found


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("s3:HeadBucket", ["s3:ListBucket"]),
        ("s3:PutBucketLifecycleConfiguration", ["s3:PutLifecycleConfiguration"]),
        ("cloudfront:CreateDistributionWithTags", ["cloudfront:CreateDistribution", "cloudfront:TagResource"]),
        ("monitoring:PutMetricAlarm", ["cloudwatch:PutMetricAlarm"]),
        ("tagging:GetResources", ["tag:GetResources"]),
        ("ec2:CreateVpc", ["ec2:CreateVpc"]),
    ],
)
def test_operations_have_their_actions(operation: str, expected: list[str]) -> None:
    assert actions.actions(Operation(*operation.split(":"))) == expected


@pytest.mark.parametrize(
    ("operation", "read"),
    [
        ("ec2:DescribeVpcs", True),
        ("s3:HeadObject", True),
        ("logs:FilterLogEvents", True),
        ("sts:AssumeRole", True),
        ("ecr:GetAuthorizationToken", True),
        ("ec2:CreateTags", False),
        ("s3:PutPublicAccessBlock", False),
        ("iam:TagRole", False),
        ("lambda:Invoke", False),
        ("shop:DescribeThings", True),
        ("shop:MakeThings", False),
        ("?:GET /a", True),
        ("?:POST /a", False),
    ],
)
def test_reads_are_told_from_changes(operation: str, read: bool) -> None:
    assert actions.is_read(Operation(*operation.split(":"))) is read


def test_every_action_in_the_table_is_one() -> None:
    table = actions.TABLE
    named = {action for key in ("operations", "needs", "later", "unmeasured") for listed in table[key].values() for action in listed}
    named |= {action for key in ("passed_to", "linked_role_of", "key_used_by") for action in table[key]} | set(table["playbooks"])

    assert named - actions.definitions().keys() == set()


def test_every_named_type_of_resource_is_one() -> None:
    assert {f"{service}:{kind}" for service, kinds in actions.TABLE["named"].items() for kind in kinds} - actions.arns().keys() == set()


def test_a_role_is_passed_to_the_services_that_need_it_alone() -> None:
    found = statement(policies.document(["ecs:RegisterTaskDefinition"]), "iam:PassRole")

    assert found["Resource"] == ["arn:aws:iam::*:role/pulsegrid-*"]
    assert found["Condition"] == {"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}}


def test_tags_on_creation_are_allowed() -> None:
    assert "ec2:CreateTags" in policies.allowed(policies.document(["ec2:CreateSubnet"]))


def test_changes_are_narrowed_to_names_and_what_has_none_is_not() -> None:
    document = policies.document(["s3:GetObject", "s3:ListBucket", "ec2:DeleteVpc", "logs:CreateLogGroup"])

    assert statement(document, "s3:GetObject")["Resource"] == ["arn:aws:s3:::pulsegrid-*/*"]
    assert statement(document, "s3:ListBucket")["Resource"] == "*"
    assert statement(document, "ec2:DeleteVpc")["Resource"] == "*"
    assert statement(document, "logs:CreateLogGroup")["Resource"] == ["arn:aws:logs:*:*:log-group:*pulsegrid-*"]


def test_a_written_policy_is_read_back(checkout: Path) -> None:
    used = {"rds:CreateDBInstance", "rds:DescribeDBInstances"}
    policies.path("shop").write_text(policies.render(policies.document(used)))

    assert policies.read("shop") == used | {"rds:AddTagsToResource", "rds:ModifyDBInstance"}
    assert policies.missing(json.loads(policies.path("shop").read_text()), used) == []


def test_an_action_or_a_service_that_is_not_allowed_is_said() -> None:
    policy = policies.document(["ecs:RegisterTaskDefinition"])

    assert policies.missing(policy, ["lambda:CreateFunction"]) == [
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "iam:PassRole to lambda.amazonaws.com",
        "lambda:CreateFunction",
        "lambda:TagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "roles" / "shop").mkdir(parents=True)
    monkeypatch.setattr(policies, "CHECKOUT", tmp_path)
    return tmp_path


def test_what_is_used_no_longer_leaves_when_every_backend_was_recorded(checkout: Path) -> None:
    policies.path("shop").write_text(policies.render(policies.document(["sqs:DeleteQueue"])))

    policies.update("shop", "moto", ["sqs:GetQueueUrl"])
    assert policies.read("shop") == {"sqs:DeleteQueue", "sqs:GetQueueUrl"}

    policies.update("shop", "ministack", ["sqs:PurgeQueue"])
    assert policies.read("shop") == {"sqs:GetQueueUrl", "sqs:PurgeQueue"}


def test_the_deployment_policy_is_as_many_documents_as_iam_allows_characters(checkout: Path) -> None:
    every = [action for action in actions.definitions() if action.startswith(("ec2:Describe", "rds:", "ecs:", "lambda:", "logs:"))]
    for service, of_service in actions.by_service(every).items():
        (checkout / "roles" / service).mkdir()
        policies.path(service).write_text(policies.render(policies.document(of_service[:100])))

    documents = [json.loads(text) for text in policies.deployment().values()]

    assert len(documents) > 1
    assert max(map(policies.size, documents)) <= policies.LIMIT
    allowed = set().union(*map(policies.allowed, documents))
    assert allowed >= set(actions.TABLE["playbooks"]).union(*(policies.read(role) for role in policies.roles()))


def test_the_linter_accepts_what_is_made_and_says_what_is_wrong() -> None:
    assert policies.findings(json.dumps(policies.document(["s3:CreateBucket", "ec2:CreateVpc", "elasticloadbalancing:CreateRule"]))) == []
    assert "s3:CreateBucket: Resource * is too wide" in " ".join(policies.findings(json.dumps(wide("s3:CreateBucket"))))
    assert "Unknown action s3:MakeBucket" in " ".join(policies.findings(json.dumps(wide("s3:MakeBucket"))))


def wide(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": "*"}]}


def run(role: str, used: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "UPDATE_IAM_POLICIES"}
    return subprocess.run([sys.executable, str(SCRIPT), role, "moto"], check=False, input=json.dumps(used), text=True, capture_output=True, env=environment)


def test_the_script_fails_for_what_the_role_is_not_allowed() -> None:
    done = run("vpc", ["ec2:DescribeVpcs", "rds:DeleteDBInstance"])

    assert done.returncode == 1
    assert "roles/vpc/iam_policy.json does not allow" in done.stderr
    assert "rds:DeleteDBInstance" in done.stderr
    assert run("vpc", ["ec2:DescribeVpcs"]).returncode == 0
    assert run("vpc", []).returncode == 1
