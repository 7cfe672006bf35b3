"""Every module that calls AWS takes defaults from the action group, and says so; no other does."""

from __future__ import annotations

import ast
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
    official, *own = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]["aws"]
    assert official == {"metadata": {"extend_group": ["amazon.aws.aws", "community.aws.aws"]}}
    assert own == calling
    assert sorted(name for name, its in modules.items() if "pulsegrid.aws.attributes.action_group" in its) == calling
