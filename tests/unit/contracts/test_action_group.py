"""Every module that calls AWS takes defaults from the action group, and says so; no other does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

from ..conftest import CHECKOUT


def fragments(module: Path) -> list[str]:
    """Of which its documentation consists besides."""
    assignments = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.Assign)]
    documentation = next(node.value for node in assignments if ast.unparse(node.targets[0]) == "DOCUMENTATION")
    return yaml.safe_load(ast.literal_eval(documentation)).get("extends_documentation_fragment", [])


def test_the_group_has_each_module_that_takes_credentials_and_each_says_so() -> None:
    modules = {module.stem: fragments(module) for module in (CHECKOUT / "plugins/modules").glob("*.py")}
    calling = sorted(name for name, its in modules.items() if "amazon.aws.common.modules" in its)

    assert calling
    groups = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]
    assert groups["aws"] == [{"metadata": {"extend_group": ["pulsegrid.aws.playbooks", "amazon.aws.aws", "community.aws.aws"]}}]
    assert groups["playbooks"] == calling + official_modules()
    assert sorted(name for name, its in modules.items() if "pulsegrid.aws.attributes.action_group" in its) == calling


def official_modules() -> list[str]:
    """What roles and playbooks call of others: a task of another module would be another account's."""
    files = [file for place in ("roles", "playbooks") for file in (CHECKOUT / place).rglob("*.yml")]
    return sorted({name for file in files for name in re.findall(r"^\s+(?:- )?((?:amazon|community)\.aws\.\w+):", file.read_text(), re.MULTILINE)})
