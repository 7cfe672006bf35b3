# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of this collection's roles, for what is known of a role that does not run.
Ansible's own reader notes where each value stands, and takes ten times as long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 what is in a file is a template

    def trust_as_template(value: str) -> str:
        return value


ROLES = Path(__file__).parents[2] / "roles"


def role_file(role: str, name: str) -> Any:
    """What is in the file, with templates as in a play; an empty dict where there is no such file."""
    path = ROLES / role / name
    return templates(yaml_load(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def templates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: templates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [templates(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) and "{" in value else value
