"""The IAM policies: of a role, what a recording of its run measured; of a deployment, what all of them together need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import actions
from .actions import KEY_USE, LINKED_ROLE, PASS_ROLE, TABLE

CHECKOUT = Path(__file__).parents[2]
# Managed policies, without white space: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LIMIT = 6144
BACKENDS = {"ministack", "moto"}
DEPLOYMENT = "deployment-policy-{}.json"


def path(role: str) -> Path:
    return CHECKOUT / "roles" / role / "iam_policy.json"


def roles() -> list[str]:
    return sorted(file.parent.name for file in CHECKOUT.glob("roles/*/iam_policy.json"))


def allowed(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in _list(statement["Action"])}


def read(role: str) -> set[str]:
    """The actions that a role's policy is made of. Statements with a condition follow from them."""
    policy = json.loads(path(role).read_text()) if path(role).exists() else document([])
    return allowed({"Statement": [statement for statement in policy["Statement"] if "Condition" not in statement]})


def missing(policy: dict[str, Any], used: Iterable[str]) -> list[str]:
    """What the policy does not allow of what was used and of what AWS asks for besides."""
    wanted = document(used)
    lacking = allowed(wanted) - allowed(policy)
    services = _condition(wanted, "iam:PassedToService") - _condition(policy, "iam:PassedToService")
    linked = _condition(wanted, "iam:AWSServiceName") - _condition(policy, "iam:AWSServiceName")
    return sorted(lacking | {f"{PASS_ROLE} to {service}" for service in services} | {f"{LINKED_ROLE} of {service}" for service in linked})


def update(role: str, recording: str, used: Iterable[str]) -> None:
    """Writes a role's policy after a scenario was recorded; recording is the backend, and the scenario where a role has several (moto-vpc_existing)."""
    recordings = CHECKOUT / ".local" / "iam" / role
    recordings.mkdir(parents=True, exist_ok=True)
    (recordings / f"{recording}.json").write_text(json.dumps(sorted(used)))
    recorded = {file.stem: set(json.loads(file.read_text())) for file in recordings.glob("*.json")}
    measured = set().union(*recorded.values(), TABLE["unmeasured"].get(role, []))
    path(role).write_text(render(document(measured if {name.partition("-")[0] for name in recorded} >= BACKENDS else measured | read(role))))


def document(used: Iterable[str]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements(used)}


def statements(used: Iterable[str]) -> list[dict[str, Any]]:
    complete = actions.complete(used)
    made: list[dict[str, Any]] = []
    keys = actions.key_used_by(complete)
    for service, its_actions in actions.by_service(complete - {PASS_ROLE, LINKED_ROLE}).items():
        wide = [action for action in its_actions if not resources(action)]
        narrow = [action for action in its_actions if resources(action)]
        name = "".join(word.capitalize() for word in service.split("-"))
        if wide:
            made.append({"Sid": name, "Effect": "Allow", "Action": wide, "Resource": "*"})
        if narrow:
            arns = sorted({arn for action in narrow for arn in resources(action)})
            made.append({"Sid": f"{name}ByName", "Effect": "Allow", "Action": narrow, "Resource": arns})
    if keys:
        via = {"StringLike": {"kms:ViaService": [f"{service}.*.amazonaws.com" for service in sorted(keys)]}}
        made.append({"Sid": "KmsThroughServices", "Effect": "Allow", "Action": list(KEY_USE), "Resource": "*", "Condition": via})
    if PASS_ROLE in complete:
        to = {"StringEquals": {"iam:PassedToService": sorted(actions.passed_to(complete))}}
        made.append({"Sid": "IamPassRole", "Effect": "Allow", "Action": [PASS_ROLE], "Resource": [_arn("iam:role")], "Condition": to})
    if LINKED_ROLE in complete:
        of = {"StringEquals": {"iam:AWSServiceName": sorted(actions.linked_role_of(complete))}}
        linked = ["arn:aws:iam::*:role/aws-service-role/*"]
        made.append({"Sid": "IamServiceLinkedRoles", "Effect": "Allow", "Action": [LINKED_ROLE], "Resource": linked, "Condition": of})
    return made


def resources(action: str) -> list[str]:
    """The ARNs of what has the application's name; none where the action is for resources without a name, or for none in particular."""
    if any(fnmatchcase(action, pattern) for pattern in TABLE["not_narrowed"]) or action not in actions.definitions():
        return []
    service = action.partition(":")[0]
    types = {kind["resource_type"].rstrip("*") for kind in actions.definitions()[action]["resource_types"]} - {""}
    return sorted(_arn(f"{service}:{kind}") for kind in types if kind in TABLE["named"].get(service, []))


def _arn(kind: str) -> str:
    arn = actions.arns()[kind].replace("${Partition}", "aws").replace("${Region}", "*").replace("${Account}", "*")
    name = TABLE["name_patterns"].get(kind, "pulsegrid-*")
    return re.sub(r"\$\{[^}]+\}", "*", re.sub(r"\$\{[^}]+\}", name, arn, count=1))


def render(policy: dict[str, Any]) -> str:
    return json.dumps(policy, indent=2) + "\n"


def size(policy: dict[str, Any]) -> int:
    return len(json.dumps(policy, separators=(",", ":")))


def deployment() -> dict[str, str]:
    """The documents for a deployment of everything, by the name of their file: as many as IAM's limit of a managed policy needs."""
    used = set(TABLE["playbooks"]).union(*(read(role) for role in roles()))
    documents: list[dict[str, Any]] = []
    for statement in sorted(statements(used), key=size, reverse=True):
        if size({"Version": "2012-10-17", "Statement": [statement]}) > LIMIT:
            raise ValueError(f"Statement {statement['Sid']} alone is larger than the {LIMIT} characters of a managed policy")
        for document_ in documents:
            if size({**document_, "Statement": [*document_["Statement"], statement]}) <= LIMIT:
                document_["Statement"].append(statement)
                break
        else:
            documents.append({"Version": "2012-10-17", "Statement": [statement]})
    for document_ in documents:
        document_["Statement"].sort(key=lambda statement: statement["Sid"])
    return {DEPLOYMENT.format(number): render(document_) for number, document_ in enumerate(documents, 1)}


def deployed() -> set[str]:
    """What the written documents allow together."""
    files = (CHECKOUT / "docs").glob(DEPLOYMENT.format("*"))
    return set().union(*(allowed(json.loads(file.read_text())) for file in files))


def findings(policy: str) -> list[str]:
    """What parliament says of a policy, without what is meant to be so."""
    from parliament import analyze_policy_string, enhance_finding

    said = []
    for finding in map(enhance_finding, analyze_policy_string(policy).findings):
        if finding.issue == "RESOURCE_STAR":
            if wide := [action for action in finding.detail if not may_stay_wide(action)]:
                said.append(f"{', '.join(wide)}: Resource * is too wide (list the type of resource under named in tests/contracts/actions.yml)")
        elif finding.issue == "RESOURCE_MISMATCH":
            # Parliament's data wants a network load balancer's listener beside an application load balancer's
            if other := [detail for detail in finding.detail if "/net/" not in detail["required_format"]]:
                said.append(f"{finding.title}: {other}")
        elif finding.issue == "RESOURCE_POLICY_PRIVILEGE_ESCALATION":
            continue  # who makes a bucket writes its policy too, and could thereby let themselves in: to buckets of the application's name alone
        else:
            said.append(f"{finding.title}: {finding.detail or finding.location}")
    return said


def may_stay_wide(action: str) -> bool:
    service = action.partition(":")[0]
    return service in TABLE["unnamed"] or any(fnmatchcase(action, pattern) for pattern in TABLE["not_narrowed"])


def _condition(policy: dict[str, Any], key: str) -> set[str]:
    return {value for statement in policy["Statement"] for test in statement.get("Condition", {}).values() for value in _list(test.get(key, []))}


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
