"""The parts of a role's README that say what its argument specs and its IAM policy say."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from . import actions, policies
from .specs import Role

BLOCK = "<!-- {name}: written by make docs, from {source} -->\n{text}\n<!-- end of {name} -->"
MARKUP = re.compile(r"\b(?:O|C|V|M|B|I|RV|E)\(((?:\\.|[^)\\])*)\)")
LINK = re.compile(r"\bL\(([^,]*),\s*([^)]*)\)|\bU\(([^)]*)\)")


def render(role: Role, policy: str) -> str:
    """The README with its blocks as they should be: in place, instead of a section of the same name, or at its end."""
    file = role.path / "README.md"
    text = file.read_text() if file.exists() else f"# {role.name}\n"
    text = _with_block(text, "Inputs", "meta/argument_specs.yml", inputs(role))
    if policy:
        text = _with_block(text, "IAM actions", "iam_policy.json", permissions(json.loads(policy)))
    return text


def _with_block(text: str, heading: str, source: str, content: str) -> str:
    name = heading.lower()
    block = BLOCK.format(name=name, source=source, text=content)
    found = re.compile(rf"<!-- {name}: .*?<!-- end of {name} -->", re.DOTALL)
    if found.search(text):
        return found.sub(lambda _: block, text)
    section = f"## {heading}\n{block}\n"
    by_hand = re.compile(rf"^## {heading}\n.*?(?=\n## |\Z)", re.DOTALL | re.MULTILINE)
    if by_hand.search(text):
        return by_hand.sub(lambda _: section, text)
    return f"{text.rstrip()}\n\n{section}"


def inputs(role: Role) -> str:
    rows = ["| variable | type | default | |", "|---|---|---|---|"]
    for name, option in role.options.items():
        rows += _rows(name, {"default": role.defaults[name], **option} if name in role.defaults else option)
    return "\n".join(rows)


def _rows(name: str, option: dict[str, Any]) -> list[str]:
    description = option.get("description", "")
    lines = [markdown(line) for line in ([description] if isinstance(description, str) else description)]
    if choices := option.get("choices"):
        lines.append("One of " + ", ".join(_code(_value(choice)) for choice in choices) + ".")
    default = "required" if option.get("required") else _code(_value(option["default"])) if "default" in option else ""
    rows = ["| " + " | ".join(_cell(cell) for cell in (_code(name), kind(option), default, "<br>".join(lines))) + " |"]
    inside = f"{name}[]" if option.get("type") == "list" else name
    for sub, suboption in (option.get("options") or {}).items():
        rows += _rows(f"{inside}.{sub}", suboption)
    return rows


def kind(option: dict[str, Any]) -> str:
    return f"list of {option['elements']}" if option.get("elements") else option.get("type", "str")


def markdown(text: str) -> str:
    """Ansible's markup as Markdown's."""
    text = MARKUP.sub(lambda found: _code(re.sub(r"\\(.)", r"\1", found[1])), " ".join(text.split()))
    return LINK.sub(lambda found: f"[{found[1]}]({found[2]})" if found[2] else f"<{found[3]}>", text)


def permissions(policy: dict[str, Any]) -> str:
    """The actions by service, and under which conditions."""
    plain = policies.allowed({"Statement": [statement for statement in policy["Statement"] if "Condition" not in statement]})
    lines = [f"- `{service}`: {', '.join(action.partition(':')[2] for action in its)}" for service, its in actions.by_service(plain).items()]
    for statement in policy["Statement"]:
        for test in statement.get("Condition", {}).values():
            for key, values in test.items():
                lines.append(f"- {', '.join(_code(action) for action in statement['Action'])} where `{key}` is {' or '.join(map(_code, values))}")
    return "The policy [iam_policy.json](iam_policy.json) allows what runs of the role were measured to call, and what AWS asks for besides:\n\n" + "\n".join(
        lines
    )


def _value(value: Any) -> str:
    """As it is written in YAML: a text that would be read as something else is in quotes."""
    plain = isinstance(value, str) and ("{{" in value or yaml.safe_load(value) == value)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _code(text: str) -> str:
    return f"``{text}``" if "`" in text else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
