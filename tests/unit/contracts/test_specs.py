"""What is wrong with a role's specs is said, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts.specs import Role

OPTIONS: dict[str, Any] = {
    "shop_state": {"description": "Whether it is there.", "type": "str", "choices": ["present", "absent"], "default": "present"},
    "shop_subnets": {"description": "Where it is.", "type": "list", "elements": "str", "default": "{{ vpc_outputs.subnets }}"},
    "shop_memory_mib": {"description": "How much it gets.", "type": "int", "default": 512},
}
DEFAULTS: dict[str, Any] = {"shop_state": "present", "shop_subnets": "{{vpc_outputs.subnets}}", "shop_memory_mib": 512}
TASKS: list[dict[str, Any]] = [
    {
        "name": "It is there",
        "shop.make": {"subnets": "{{ shop_subnets }}", "memory": "{{ shop_memory_mib | int }}", "group": "{{ vpc_outputs.shop_group }}"},
        "when": "shop_state == 'present' and not shop_failed",
        "register": "shop_made",
        "vars": {"shop_failed": "{{ 'shop_text' in shop_made.shop_answer }}"},
    }
]


@pytest.fixture
def role(tmp_path: Path) -> Any:
    def make(
        options: dict[str, Any] | None = None, defaults: dict[str, Any] | None = None, tasks: list[Any] | None = None, inventory: dict[str, Any] | None = None
    ) -> list[str]:
        specs = {"argument_specs": {"main": {"short_description": "A shop", "description": ["It sells."], "options": {**OPTIONS, **(options or {})}}}}
        contents = {"meta/argument_specs.yml": specs, "defaults/main.yml": {**DEFAULTS, **(defaults or {})}, "tasks/main.yml": TASKS + (tasks or [])}
        for name, content in contents.items():
            file = tmp_path / "shop" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None} if isinstance(content, dict) else content))
        (tmp_path / "all.yml").write_text(yaml.safe_dump(inventory or {}))
        return Role(tmp_path / "shop", [tmp_path / "all.yml"]).problems()

    return make


def test_a_role_that_keeps_its_contract_has_no_problem(role: Any) -> None:
    assert role() == []


def test_a_number_whose_default_is_a_template_has_none_in_the_specs(role: Any) -> None:
    option = {key: value for key, value in OPTIONS["shop_memory_mib"].items() if key != "default"}

    assert role(options={"shop_memory_mib": option}, defaults={"shop_memory_mib": "{{ memory }}"}) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"defaults": {"shop_memory_mib": 1024}}, "shop_memory_mib is 1024 in defaults/main.yml and 512 in meta/argument_specs.yml"),
        ({"defaults": {"shop_memory_mib": "512"}}, "shop_memory_mib is '512' in defaults/main.yml and 512 in meta/argument_specs.yml"),
        ({"defaults": {"shop_memory_mib": None}}, "shop_memory_mib is in meta/argument_specs.yml and has no default in defaults/main.yml"),
        ({"defaults": {"shop_subnet": []}}, "shop_subnet has a default and is not in meta/argument_specs.yml (is shop_subnets meant?)"),
        (
            {"defaults": {"shop_memory_mib": "{{ memory }}"}, "options": {"shop_memory_mib": {**OPTIONS["shop_memory_mib"], "default": "{{ memory }}"}}},
            "shop_memory_mib has a template as its default",
        ),
        ({"options": {"shop_state": {**OPTIONS["shop_state"], "description": ""}}}, "shop_state has no description"),
        (
            {"options": {"shop_state": {**OPTIONS["shop_state"], "choices": ["absent"]}}},
            "shop_state has the default 'present', which is none of its choices (absent)",
        ),
        ({"options": {"shop_subnets": {**OPTIONS["shop_subnets"], "elements": None}}}, "shop_subnets is a list and does not say of what (elements)"),
        ({"options": {"shop_memory_mib": {**OPTIONS["shop_memory_mib"], "type": "str"}}}, "shop_memory_mib has the default 512, which is no str"),
        ({"options": {"shop_memory_mib": {**OPTIONS["shop_memory_mib"], "type": "number"}}}, "shop_memory_mib has the type 'number'"),
        (
            {"options": {"shop_state": {**OPTIONS["shop_state"], "description": "See O(shop_status)."}}},
            "meta/argument_specs.yml: O(shop_status) names no option",
        ),
        (
            {"options": {"shop_timeout": {"description": "How long it waits.", "type": "int", "required": True}}, "tasks": [{"pause": "{{ shop_timeout }}"}]},
            "shop_timeout is a number and does not say of what",
        ),
        (
            {"options": {"shop_unused": {"description": "Nothing.", "type": "bool", "required": True}}},
            "shop_unused is used nowhere in the role",
        ),
        ({"tasks": [{"debug": {"msg": "{{ shop_memory_mb }}"}}]}, "tasks/main.yml uses shop_memory_mb, which is no option"),
        ({"tasks": [{"debug": {"msg": "a"}, "when": "shop_stat is defined"}]}, "tasks/main.yml uses shop_stat, which is no option"),
        (
            {"tasks": [{"shop.list": {}, "register": "shop_subnet"}]},
            "shop_subnet is set by a task: the preflight of a later play takes it for a misspelt shop_subnets",
        ),
        ({"inventory": {"shop_memory_mb": 1}}, "is no variable of the role (is shop_memory_mib meant?)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(role: Any, changes: dict[str, Any], problem: str) -> None:
    problems = role(**changes)

    assert len(problems) == 1
    assert problem in problems[0]


def test_sub_options_are_looked_at_too(role: Any) -> None:
    targets = {
        "description": "What.",
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"url": {"type": "str"}, "timeout": {"type": "int", "description": "a"}},
    }
    problems = role(options={"shop_targets": targets}, tasks=[{"debug": {"var": "shop_targets"}}])

    assert len(problems) == 2
    assert "shop_targets.url has no description" in problems
    assert any(problem.startswith("shop_targets.timeout is a number") for problem in problems)
