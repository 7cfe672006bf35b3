# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs each module of a role's second run by local as well as by warm, and notes where they differ."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.connection.local import Connection as LocalConnection
from ansible_collections.pulsegrid.aws.plugins.connection import warm

DOCUMENTATION = """
name: both
short_description: Connections local and warm beside each other
description:
  - In the phase C(again) writes a line of C(connections), beside the file C(phase), for each module that changed nothing.
  - In all others is P(pulsegrid.aws.warm#connection).
extends_documentation_fragment:
  - connection_pipelining
"""

RUNS = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], ".local/molecule", os.environ.get("BACKEND") or "ministack", os.environ["MOLECULE_SCENARIO_NAME"])
# What two requests for the same have of their own, and the time at which each was made
OF_A_REQUEST = re.compile(r"request_?id|host_?id|retry_attempts|^date$|^(start|end|delta|elapsed|latest_restorable_time)$", re.IGNORECASE)


class Connection(warm.Connection):
    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        if not (in_data and second_run()):
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        local = LocalConnection.exec_command(self, cmd, in_data=in_data, sudoable=sudoable)
        warmed = self.in_process(cmd, in_data, sudoable)
        outcomes = [shown(outcome) for outcome in (local, warmed)]
        if changed(outcomes[0]):  # The emulator keeps less than AWS (molecule_limits), and warm has found another world than local
            return warmed
        same = outcomes[0] == outcomes[1]
        with (RUNS / "connections").open("a") as notes:
            notes.write(json.dumps({"action": self.action, "same": same, "outcomes": [] if same else outcomes}) + "\n")
        return warmed


def second_run() -> bool:
    phase = RUNS / "phase"
    return sys.argv[-1].endswith("/converge.yml") and phase.exists() and phase.read_text() == "again"


def shown(outcome: tuple[int, bytes, bytes]) -> list[Any]:
    code, out, error = outcome
    try:
        result = without(json.loads(out))
    except ValueError:
        result = out.decode(errors="replace")
    return [code, result, error.decode(errors="replace")]


def changed(outcome: list[Any]) -> bool:
    return isinstance(outcome[1], dict) and outcome[1].get("changed") is True


def without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items() if not OF_A_REQUEST.search(key)}
    return [without(item) for item in value] if isinstance(value, list) else value
