"""See the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from . import awx_assets, guides, pictures, policies, readme
from .specs import Role

CHECKOUT = Path(__file__).parents[2]
PICTURES = CHECKOUT / "docs/images"


def roles() -> list[Role]:
    others = [
        file
        for pattern in ("group_vars/*.yml", "inventories/**/*.yml", "playbooks/**/*.yml", "molecule/*/molecule.yml")
        for file in sorted(CHECKOUT.glob(pattern))
    ]
    return [Role(specs.parents[1], others) for specs in sorted(CHECKOUT.glob("roles/*/meta/argument_specs.yml"))]


def generated() -> dict[Path, str]:
    """The text of each file that is generated, in whole or in part."""
    files = {role.path / "README.md": readme.render(role, policy(role)) for role in roles()}
    return files | {CHECKOUT / "docs" / name: text for name, text in {**policies.deployment(), **awx_assets.files()}.items()}


def policy(role: Role) -> str:
    file = policies.path(role.name)
    return file.read_text() if file.exists() else ""


def obsolete() -> list[Path]:
    return sorted(set(CHECKOUT.glob("docs/" + policies.DEPLOYMENT.format("*"))) - generated().keys())


def check() -> list[str]:
    problems = [f"roles/{role.name}: {problem}" for role in roles() for problem in role.problems()]
    stale = [file for file, text in generated().items() if not file.exists() or file.read_text() != text]
    problems += [f"{file.relative_to(CHECKOUT)} is not what its source says: make docs" for file in [*stale, *obsolete()]]
    for file in [*map(policies.path, policies.roles()), *CHECKOUT.glob("docs/" + policies.DEPLOYMENT.format("*"))]:
        problems += [f"{file.relative_to(CHECKOUT)}: {finding}" for finding in policies.findings(file.read_text())]
        if (size := policies.size(json.loads(file.read_text()))) > policies.LIMIT:
            problems.append(f"{file.relative_to(CHECKOUT)} has {size} characters without white space: IAM allows {policies.LIMIT}")
    return problems + guides.problems(CHECKOUT) + pictures.problems(PICTURES)


def docs() -> list[str]:
    for file, text in generated().items():
        file.write_text(text)
    for file in obsolete():
        file.unlink()
    return []


def mark() -> list[str]:
    for picture in PICTURES.glob("*.png"):
        pictures.mark(picture)
    return []


try:
    problems = {"check": check, "docs": docs, "mark": mark}[sys.argv[1]]()
except yaml.YAMLError as error:
    problems = [str(error)]
print(*problems, sep="\n", end="\n" if problems else "")
sys.exit(bool(problems))
