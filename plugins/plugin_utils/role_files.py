# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of this collection's roles, for what is known of a role that does not run.
Ansible's own reader notes where each value stands, and takes ten times as long."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[2] / "roles"


@cache
def role_file(role: str, name: str) -> Any:
    """What is in the file, with templates as in a play; an empty dict where there is no such file."""
    path = ROLES / role / name
    return templates(yaml_load(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def as_in_role(templar: Templar, role: str, variables: dict[str, Any], value: Any, more: dict[str, Any]) -> Any:
    """The value, with the role's own variables as if the role ran: its defaults lose, its vars win, and more wins over them."""
    available = {**role_file(role, "defaults/main.yml"), **variables, **role_file(role, "vars/main.yml"), **more}
    return templar.copy_with_new_env(available_variables=available).template(value)


def templates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: templates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [templates(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) and "{" in value else value
