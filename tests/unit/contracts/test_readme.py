"""A README's blocks say what the specs and the policy say, and leave the rest alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from contracts import policies, readme
from contracts.specs import Role

OPTIONS = {
    "shop_state": {"description": ["Whether it is there.", "See O(shop_targets)."], "type": "str", "choices": ["present", "absent"], "default": "present"},
    "shop_targets": {
        "description": "What it checks, such as C(a|b\\)).",
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"url": {"description": "Where.", "type": "str", "required": True}},
    },
}


@pytest.fixture
def role(tmp_path: Path) -> Role:
    path = tmp_path / "shop"
    (path / "meta").mkdir(parents=True)
    (path / "meta" / "argument_specs.yml").write_text(yaml.safe_dump({"argument_specs": {"main": {"options": OPTIONS}}}, sort_keys=False))
    (path / "README.md").write_text("# shop\n\nIt sells.\n")
    return Role(path)


def test_a_first_block_goes_to_the_end_and_a_later_one_takes_its_place(role: Role) -> None:
    file = role.path / "README.md"
    file.write_text(readme.render(role, "").replace("Whether it is there", "Old").replace("# shop", "# Shop") + "\n## Example\nBuy.\n")

    text = readme.render(role, "")

    assert text.startswith("# Shop\n\nIt sells.\n\n## Inputs\n<!-- inputs:")
    assert text.endswith("<!-- end of inputs -->\n\n## Example\nBuy.\n")
    assert text.count("Whether it is there") == 1
    file.write_text(text)
    assert readme.render(role, "") == text


def test_a_section_that_was_written_by_hand_is_replaced(role: Role) -> None:
    (role.path / "README.md").write_text("# shop\n\n## Inputs\nAsk.\n\nOr guess.\n\n## Example\nBuy.\n")

    text = readme.render(role, "")

    assert "guess" not in text
    assert text.startswith("# shop\n\n## Inputs\n<!-- inputs:")
    assert text.endswith("<!-- end of inputs -->\n\n## Example\nBuy.\n")


def test_the_inputs_are_a_table(role: Role) -> None:
    assert readme.inputs(role).splitlines()[2:] == [
        "| `shop_state` | str | `present` | Whether it is there.<br>See `shop_targets`.<br>One of `present`, `absent`. |",
        "| `shop_targets` | list of dict | `[]` | What it checks, such as `a\\|b)`. |",
        "| `shop_targets[].url` | str | required | Where. |",
    ]


@pytest.mark.parametrize(
    ("default", "shown"),
    [("", '""'), ("200", '"200"'), ("a", "a"), (True, "true"), ("true", '"true"'), ([], "[]"), ({"a": 1}, '{"a": 1}'), ("{{ a }}", "{{ a }}"), (None, "null")],
)
def test_a_default_is_shown_as_it_is_written(role: Role, default: object, shown: str) -> None:
    role.options["shop_state"]["default"] = default

    assert f"| `{shown}` |" in readme.inputs(role)


def test_a_default_that_the_specs_cannot_say_is_that_of_the_defaults(role: Role) -> None:
    (role.path / "defaults").mkdir()
    (role.path / "defaults/main.yml").write_text('shop_state: "{{ it }}"\n')
    del role.options["shop_state"]["default"]

    assert "| `shop_state` | str | `{{ it }}` |" in readme.inputs(role)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O(shop_state=absent) and V(1) and M(amazon.aws.s3_bucket)", "`shop_state=absent` and `1` and `amazon.aws.s3_bucket`"),
        ("See L(the guide, https://example.com/a) or U(https://example.com)", "See [the guide](https://example.com/a) or <https://example.com>"),
        ("SQL(text) stays", "SQL(text) stays"),
    ],
)
def test_markup_is_rendered(text: str, expected: str) -> None:
    assert readme.markdown(text) == expected


def test_the_permissions_are_listed_by_service_with_their_conditions() -> None:
    text = readme.permissions(json.loads(json.dumps(policies.document(["ecs:RegisterTaskDefinition"]))))

    assert "- `ecs`: RegisterTaskDefinition, TagResource\n" in text
    assert "- `iam:PassRole` where `iam:PassedToService` is `ecs-tasks.amazonaws.com`" in text
