"""The IAM actions of operations, and what is known about them."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .operations import Operation

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "actions.yml").read_text())
READS = re.compile(r"^(Describe|List|Get|Head|BatchGet|BatchCheck|Lookup|Search|Simulate)")
PASS_ROLE = "iam:PassRole"
LINKED_ROLE = "iam:CreateServiceLinkedRole"
KEY_USE = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """What parliament knows of each action: its access_level and its resource_types."""
    found: dict[str, dict[str, Any]] = {}
    for service in _services():
        for action in service["privileges"]:
            known = found.setdefault(f"{service['prefix']}:{action['privilege']}", {**action, "resource_types": []})
            known["resource_types"] += action["resource_types"]  # load balancers of both generations have one prefix
    return found


@cache
def arns() -> dict[str, str]:
    """What the ARNs of a type of resource look like."""
    return {f"{service['prefix']}:{resource['resource']}": resource["arn"] for service in _services() for resource in service["resources"]}


@cache
def _services() -> list[dict[str, Any]]:
    # Importing parliament takes longer than reading its data
    found = importlib.util.find_spec("parliament")
    if found is None or found.origin is None:
        raise RuntimeError("parliament is not installed: make .venv/test")
    return json.loads((Path(found.origin).parent / "iam_definition.json").read_text())


def actions(operation: Operation) -> list[str]:
    if str(operation) in TABLE["operations"]:
        return TABLE["operations"][str(operation)]
    return [f"{TABLE['prefixes'].get(operation.service, operation.service)}:{operation.name}"]


def is_read(operation: Operation) -> bool:
    """By the access level of its actions, or by its name where they are not known. To become a role changes nothing either."""
    if operation.service == "sts":
        return True
    levels = [definitions()[action]["access_level"] for action in actions(operation) if action in definitions()]
    if len(levels) == len(actions(operation)):
        return set(levels) <= {"Read", "List"}
    return READS.match(operation.name) is not None or operation.name.startswith(("GET ", "HEAD "))


def complete(used: Iterable[str]) -> set[str]:
    """With what a later run may need, and the actions that AWS asks for besides."""
    found = set(used)
    for table in ("later", "needs"):
        found |= {need for action in found for pattern, needs in TABLE[table].items() if fnmatchcase(action, pattern) for need in needs}
    if passed_to(found):
        found.add(PASS_ROLE)
    if linked_role_of(found):
        found.add(LINKED_ROLE)
    return found


def passed_to(used: Iterable[str]) -> set[str]:
    return _of("passed_to", used)


def linked_role_of(used: Iterable[str]) -> set[str]:
    return _of("linked_role_of", used)


def key_used_by(used: Iterable[str]) -> set[str]:
    return _of("key_used_by", used)


def _of(table: str, used: Iterable[str]) -> set[str]:
    return {TABLE[table][action] for action in used if action in TABLE[table]}


def by_service(used: Iterable[str]) -> dict[str, list[str]]:
    services: dict[str, list[str]] = defaultdict(list)
    for action in sorted(used):
        services[action.partition(":")[0]].append(action)
    return dict(services)
