"""Holds a role's argument specs against its defaults and against the variables that it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError

UNITS = ("seconds", "minutes", "hours", "days", "bytes", "kib", "mib", "gib", "percent", "count", "iops", "units")
MEASURED = {
    *("age", "backoff", "delay", "duration", "grace", "interval", "period", "retention", "timeout", "ttl", "window"),
    *("disk", "heap", "memory", "size", "storage", "throughput", "volume"),
}
# What a value of a type is in YAML; a path is a string, and anything may be raw
PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "path": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "list": list,
    "dict": dict,
    "raw": object,
}
# From which likeness on check_arguments takes a variable for a misspelt input
MISSPELT = 0.9
# Of which antsibull-docs evaluates the default, where a template is none
UNTEMPLATED = {"int", "float", "bool", "dict"}
# Whose values are expressions without braces
CONDITIONS = {"when", "until", "that", "changed_when", "failed_when", "var"}
JINJA = Environment()


@dataclass
class Role:
    path: Path
    others: Iterable[Path] = ()  # files that use the role's variables too: playbooks, group_vars, inventories

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def defaults(self) -> dict[str, Any]:
        return load(self.path / "defaults" / "main.yml") or {}

    @property
    def vars(self) -> dict[str, Any]:
        return load(self.path / "vars" / "main.yml") or {}

    @cached_property
    def specs(self) -> dict[str, Any]:
        return load(self.path / "meta" / "argument_specs.yml")["argument_specs"]

    @property
    def options(self) -> dict[str, Any]:
        return {name: option for entry in self.specs.values() for name, option in (entry.get("options") or {}).items()}

    def problems(self) -> list[str]:
        return [
            *self._entries(),
            *self._defaults(),
            *(problem for name, option in self.options.items() for problem in self._option(name, option)),
            *self._variables(),
        ]

    def _entries(self) -> Iterator[str]:
        for name, entry in self.specs.items():
            for key in ("short_description", "description"):
                if not entry.get(key):
                    yield f"meta/argument_specs.yml: entry point {name} has no {key}"
        for name in re.findall(r"\bO\(([a-z0-9_]+)", str(self.specs)):
            if name.startswith(f"{self.name}_") and name not in self.options:
                yield f"meta/argument_specs.yml: O({name}) names no option"

    def _defaults(self) -> Iterator[str]:
        for name, value in self.defaults.items():
            if name not in self.options:
                yield f"{name} has a default and is not in meta/argument_specs.yml{_like(name, self.options)}"
            elif _templated(value) and self.options[name].get("type") in UNTEMPLATED:
                if "default" in self.options[name]:
                    yield f"{name} has a template as its default, which antsibull-docs refuses: leave it to defaults/main.yml and the description"
            elif "default" not in self.options[name]:
                yield f"{name} is {value!r} in defaults/main.yml and has no default in meta/argument_specs.yml"
            elif _normal(value) != _normal(self.options[name]["default"]):
                yield f"{name} is {value!r} in defaults/main.yml and {self.options[name]['default']!r} in meta/argument_specs.yml"
        for name, option in self.options.items():
            if name not in self.defaults and ("default" in option or not option.get("required")):
                yield f"{name} is in meta/argument_specs.yml and has no default in defaults/main.yml{_like(name, self.defaults)}"

    def _option(self, name: str, option: dict[str, Any]) -> Iterator[str]:
        kind = option.get("type")
        if not option.get("description"):
            yield f"{name} has no description"
        if kind not in PYTHON_TYPES:
            yield f"{name} has the type {kind!r}: one of {', '.join(PYTHON_TYPES)} is needed"
        if kind == "list" and not option.get("elements"):
            yield f"{name} is a list and does not say of what (elements)"
        if kind in {"int", "float"} and (problem := _unit(name)):
            yield problem
        if option.get("required") and "default" in option:
            yield f"{name} is required and has a default"
        if "default" in option and not _templated(option["default"]):
            yield from self._default(name, option)
        for sub, suboption in (option.get("options") or {}).items():
            yield from self._option(f"{name}.{sub}", suboption)

    @staticmethod
    def _default(name: str, option: dict[str, Any]) -> Iterator[str]:
        default, kind = option["default"], option.get("type", "raw")
        right = isinstance(default, PYTHON_TYPES.get(kind, object)) and not (kind in {"int", "float"} and isinstance(default, bool))
        if not right:
            yield f"{name} has the default {default!r}, which is no {kind}"
        choices = option.get("choices") or []
        others = [value for value in (default if isinstance(default, list) else [default]) if value not in choices]
        if choices and others:
            yield f"{name} has the default {others[0]!r}, which is none of its choices ({', '.join(map(str, choices))})"

    def _variables(self) -> Iterator[str]:
        prefix = f"{self.name}_"
        documents = {file: load(file) for folder in ("defaults", "handlers", "meta", "tasks", "vars") for file in sorted(self.path.glob(f"{folder}/**/*.yml"))}
        texts = [file.read_text() for file in self.path.glob("templates/**/*") if file.is_file()]
        made = {name for document in documents.values() for name in names_made(document)}
        used: dict[str, str] = {}
        for file, document in documents.items():
            if file.name != "argument_specs.yml":
                used |= dict.fromkeys(names_used(document), str(file.relative_to(self.path)))
        for text in texts:
            used |= dict.fromkeys(_names_in(text), "templates")
        # What pulsegrid.aws.outputs sets for meta/outputs.yml
        found = {f"{prefix}found", f"{prefix}caller"} if self.path.joinpath("meta/outputs.yml").exists() else set()
        known = self.options.keys() | self.vars.keys() | made | found
        for name in sorted(used):
            if name.startswith(prefix) and name not in known:
                yield f"{used[name]} uses {name}, which is no option, no variable of vars/main.yml, and set by no task{_like(name, known)}"
        for name in sorted(made - self.options.keys() - self.vars.keys()):
            if name.startswith(prefix) and (like := get_close_matches(name, self.options, 1, MISSPELT)):
                yield f"{name} is set by a task: the preflight of a later play takes it for a misspelt {like[0]}"
        elsewhere = {file: document for file in self.others if (document := load(file))}
        used_elsewhere = set().union(*map(names_used, elsewhere.values()))
        for file, document in elsewhere.items():
            for name in sorted(keys_of(document) - known - used_elsewhere):
                if name.startswith(prefix) and (like := _like(name, self.options)):
                    yield f"{name} in {file.parent.name}/{file.name} is no variable of the role{like}"
        for name in sorted((self.options.keys() | self.vars.keys()) - used.keys() - used_elsewhere):
            yield f"{name} is used nowhere in the role"


def load(file: Path) -> Any:
    if not file.exists():
        return None
    with file.open() as stream:  # an error then has the file's name
        return yaml.load(stream, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Reads !vault and !unsafe as what they tag."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def _normal(value: Any) -> Any:
    """With its type, and where it is a template without the spaces that make no difference."""
    if isinstance(value, str):
        return re.sub(r"\s+", " ", re.sub(r"\s*(\{\{-?|-?\}\})\s*", r" \1 ", value)).strip() if "{{" in value else value
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    return type(value), value


def _templated(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _unit(name: str) -> str:
    words = name.rpartition(".")[2].split("_")
    if words[-1] in UNITS or not MEASURED & set(words):
        return ""
    return f"{name} is a number and does not say of what: its name has to end in a unit (_{', _'.join(UNITS)})"


def _like(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f" (is {close[0]} meant?)" if close else ""


def names_used(node: Any, key: str = "") -> set[str]:
    """The variables in the expressions of a YAML document."""
    if isinstance(node, str):
        return _names_in(f"{{{{ {node} }}}}" if key in CONDITIONS and "{{" not in node else node)
    if isinstance(node, dict):
        return set().union(*(names_used(value, str(name)) | _names_in(str(name)) for name, value in node.items()))
    if isinstance(node, list):
        return set().union(*(names_used(item, key) for item in node))
    return set()


def _names_in(text: str) -> set[str]:
    if "{{" not in text and "{%" not in text:
        return set()
    try:
        tokens = [(kind, value) for line, kind, value in JINJA.lex(text) if kind != "whitespace"]
    except TemplateSyntaxError:
        return set()
    before = [("", ""), *tokens]
    return {value for (previous, last), (kind, value) in zip(before, tokens, strict=False) if kind == "name" and last != "."}


def keys_of(node: Any) -> set[str]:
    if isinstance(node, dict):
        return {name for name in node if isinstance(name, str)}.union(*(keys_of(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(keys_of(item) for item in node))
    return set()


def names_made(node: Any) -> set[str]:
    """The variables that tasks set: register, set_fact, vars, loop variables."""
    if isinstance(node, list):
        return set().union(*(names_made(item) for item in node))
    if not isinstance(node, dict):
        return set()
    made = set()
    for name, value in node.items():
        if name in {"register", "loop_var", "index_var"} and isinstance(value, str):
            made.add(value)
        elif name in {"vars", "ansible.builtin.set_fact"} and isinstance(value, dict):
            made |= value.keys()
        made |= names_made(value)
    return made
