"""Holds what the guides say against what there is: links and headings, playbooks, make targets, variables, files, and the AWS CLI's operations."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
from botocore import xform_name

from .specs import Role, keys_of, load, names_made, names_used

GUIDES = ("*.md", "docs/**/*.md", "roles/*/README.md")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
SPAN = re.compile(r"(`+)(.+?)\1", re.S)
COMMENT = re.compile(r"(?:^|\s)#\s.*$")
PATH = re.compile(r"^[\w.-]+(?:/[\w.@*-]+)+/?$")
# Of aws, what the CLI adds to the operations of the API, and its options for all of them
OF_THE_CLI = {"configure", "s3", "sso", "sts get-session-token"}
# PostgreSQL's role for IAM authentication looks like an input of ours
OTHERS = {"rds_iam"}
GLOBAL_OPTIONS = {"cli-input-json", "debug", "filters", "max-items", "no-cli-pager", "output", "profile", "query", "region"}


@dataclass
class Checkout:
    """What there is."""

    path: Path

    @cached_property
    def playbooks(self) -> list[Path]:
        return [*self.path.glob("*.yml"), *self.path.glob("playbooks/*.yml")]

    @cached_property
    def roles(self) -> list[Role]:
        return [Role(specs.parents[1]) for specs in sorted(self.path.glob("roles/*/meta/argument_specs.yml"))]

    @cached_property
    def variables(self) -> set[str]:
        """Inputs, outputs, what inventories and playbooks set or ask for, and names of roles and plugins, which look like them."""
        found = {name for role in self.roles for name in (*role.options, *role.vars, f"{role.name}_outputs", role.name)}
        found |= {plugin.stem for plugin in self.path.glob("plugins/*/*.py")}
        for pattern in ("group_vars/*.yml", "inventories/**/*.yml", "playbooks/**/*.yml", "roles/*/tasks/*.yml"):
            for document in map(load, self.path.glob(pattern)):
                found |= names_used(document) | keys_of(document) | names_made(document)
                found |= {prompt["name"] for play in document or () if isinstance(play, dict) for prompt in play.get("vars_prompt", ())}
        return found | OTHERS

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        return ("awx_", "pulsegrid_", *(f"{role.name}_" for role in self.roles))

    @cached_property
    def targets(self) -> set[str]:
        return {target for line in re.findall(r"^([a-z][a-z -]*):", (self.path / "Makefile").read_text(), re.M) for target in line.split()}

    @cached_property
    def tags(self) -> set[str]:
        return {
            tag for file in self.path.glob("playbooks/**/*.yml") for tag in re.findall(r"[\w-]+", " ".join(re.findall(r"tags: \[(.*?)\]", file.read_text())))
        }

    @cached_property
    def directories(self) -> set[str]:
        """Those of which a path in a guide is one of ours."""
        return {path.name for path in self.path.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"inventories"}

    def guides(self) -> list[Path]:
        return sorted({guide for pattern in GUIDES for guide in self.path.glob(pattern)})


def problems(path: Path) -> list[str]:
    checkout = Checkout(path)
    return [f"{guide.relative_to(path)}: {problem}" for guide in checkout.guides() for problem in dict.fromkeys(of_guide(checkout, guide))]


def of_guide(checkout: Checkout, guide: Path) -> Iterator[str]:
    text = guide.read_text()
    prose, code = separated(text)
    yield from _links(checkout, guide, prose)
    for line in code:
        yield from _variables(checkout, line)
        yield from _files(checkout, guide, line)
        for words in _commands(line):
            yield from _command(checkout, words)


def separated(text: str) -> tuple[str, list[str]]:
    """The prose without its code, and the code: each line of a block, each span."""
    code: list[str] = []

    def block(found: re.Match[str]) -> str:
        code.extend(found[0].splitlines()[1:-1])
        return ""

    text = FENCE.sub(block, text)
    prose: list[str] = []
    indented = False
    before = ""
    for line in text.splitlines():
        indented = line.startswith("    ") and (indented or not before.strip() or before.startswith("#"))
        (code if indented else prose).append(line[4:] if indented else line)
        before = line
    rest = "\n".join(prose)
    code.extend(" ".join(found[2].split()) for found in SPAN.finditer(rest))
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(code))
    return SPAN.sub("", rest), joined.splitlines()


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        anchor = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0].partition("]")[0].lstrip("!["), heading).lower()).replace(" ", "-")
        found.add(next(name for number in range(100) if (name := f"{anchor}-{number}" if number else anchor) not in found))
    return found


def _links(checkout: Checkout, guide: Path, prose: str) -> Iterator[str]:
    for target in LINK.findall(prose):
        if ":" in target.partition("/")[0]:
            url = urlsplit(target)
            if url.scheme not in {"https", "mailto"} or not (url.netloc or url.path):
                yield f"the link {target} is no https address"
            continue
        name, _hash, anchor = target.partition("#")
        file = (guide.parent / name).resolve() if name else guide
        if not file.is_relative_to(checkout.path.resolve()) or not file.exists():
            yield f"the link {target} leads nowhere"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"the link {target} names no heading of {file.name}"


def _variables(checkout: Checkout, line: str) -> Iterator[str]:
    for name in re.findall(r"(?<![\w./-])[a-z][a-z0-9_]+(?![\w*<(-]|\.(?:yml|md|py|json))", line):
        if name.startswith(checkout.prefixes) and name not in checkout.variables:
            yield f"{name} is no variable of a role, a playbook or group_vars"


def _files(checkout: Checkout, guide: Path, line: str) -> Iterator[str]:
    for word in re.findall(r"[^\s'\"=,(){}]+", COMMENT.sub("", line)):
        path = word.lstrip("@").rstrip(".,:;").partition("#")[0]
        ours = PATH.match(path) and path.partition("/")[0] in checkout.directories
        if ours and not any(True for base in (checkout.path, guide.parent) for _file in base.glob(path)):
            yield f"there is no {path}"


def _commands(line: str) -> Iterator[list[str]]:
    """Each command of a line, by words, without what a shell does with it."""
    for part in re.split(r"&&|\|\||[;|]|\$\(", COMMENT.sub("", line)):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        while words and re.match(r"^(?:[A-Z_]+=.*|do|then|sudo|nice)$", words[0]):
            words = words[1:]
        if words:
            yield words


def _command(checkout: Checkout, words: list[str]) -> Iterator[str]:
    if words[0] == "make":
        yield from (f"make has no target {word}" for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word) and word not in checkout.targets)
    elif words[0] == "ansible-playbook":
        yield from _playbook(checkout, words[1:])
    elif words[0] == "aws" and len(words) > 1:
        yield from _aws(words[1:])


def _playbook(checkout: Checkout, words: list[str]) -> Iterator[str]:
    options = iter(words)
    for word in options:
        if word in {"-i", "--limit", "-l", "--forks", "-f"}:
            next(options, None)
        elif word == "--tags" or word == "--skip-tags":
            yield from (f"no playbook has the tag {tag}" for tag in next(options, "").split(",") if tag not in checkout.tags)
        elif word == "-e":
            name, given, _value = next(options, "").partition("=")
            if given and name not in checkout.variables:
                yield f"{name} is no variable of a role, a playbook or group_vars"
        elif word.startswith("pulsegrid.aws."):
            if not (checkout.path / "playbooks" / f"{word.removeprefix('pulsegrid.aws.')}.yml").exists():
                yield f"there is no playbook {word}"
        elif word.endswith(".yml") and checkout.path / word not in checkout.playbooks:
            yield f"there is no playbook {word}"


def _aws(words: list[str]) -> Iterator[str]:
    service, operation = words[0], words[1] if len(words) > 1 else ""
    if service in OF_THE_CLI or f"{service} {operation}" in OF_THE_CLI or operation == "wait":
        return
    session = botocore.session.get_session()
    name = {"s3api": "s3"}.get(service, service)
    if name not in session.get_available_services():
        yield f"aws has no service {service}"
        return
    model = session.get_service_model(name)
    by_name = {xform_name(each, "-"): each for each in model.operation_names}
    if operation not in by_name:
        yield f"aws {service} has no operation {operation}"
        return
    shape = model.operation_model(by_name[operation]).input_shape
    known = {xform_name(member, "-") for member in (shape.members if shape else ())} | GLOBAL_OPTIONS
    for option in (word[2:].partition("=")[0] for word in words if word.startswith("--")):
        if option not in known and option.removeprefix("no-") not in known:
            yield f"aws {service} {operation} has no option --{option}"
