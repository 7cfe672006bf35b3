# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes a protocol of each run of a role: which tasks changed something, which check mode could not predict, and what the recorder saw of AWS's API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ansible import context
from ansible.executor.task_result import TaskResult
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: protocol
type: aggregate
short_description: Protocol of a Molecule run
description:
  - Writes C(PHASE.json), or C(PHASE.check.json) in check mode, beside the file C(phase) that says which run it is.
  - Only for the playbook C(molecule/shared/converge.yml), or a scenario's own C(converge.yml).
"""

PORTS = {"ministack": 4589, "moto": 4599}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "protocol"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        backend = os.environ.get("BACKEND") or "ministack"
        project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
        self.directory = project / ".local/molecule" / backend / os.environ["MOLECULE_SCENARIO_NAME"]
        self.recorder = f"http://127.0.0.1:{PORTS[backend]}/_recorder"
        self.active = False
        self.changed: set[tuple[str, str]] = set()
        self.unpredictable: set[str] = set()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.active = Path(playbook._file_name).name == "converge.yml"
        if self.active:
            urlopen(Request(self.recorder, method="DELETE"), timeout=10).close()

    def v2_runner_on_ok(self, result: TaskResult) -> None:
        self.note(result)

    def v2_runner_on_skipped(self, result: TaskResult) -> None:
        self.note(result)

    def note(self, result: TaskResult) -> None:
        task, outcome = result._task, result._result
        name = task.get_name().rpartition(" : ")[2]
        if outcome.get("changed"):
            self.changed.add((name, Path(task.get_path()).name))
        for one in outcome["results"] if task.loop is not None and isinstance(outcome.get("results"), list) else [outcome]:
            # A condition says of itself why it skips; a module that cannot predict its change does not.
            if one.get("skipped") and "false_condition" not in one and one.get("skipped_reason") != "No items in the list":
                self.unpredictable.add(name)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if not self.active:
            return
        with urlopen(self.recorder, timeout=10) as answer:
            recorded = json.load(answer)
        phase = (self.directory / "phase").read_text(encoding="utf-8")
        check = ".check" if context.CLIARGS.get("check") else ""
        protocol = {
            "changed": [{"task": task, "path": path} for task, path in sorted(self.changed)],
            "unpredictable": sorted(self.unpredictable),
            **recorded,
        }
        (self.directory / f"{phase}{check}.json").write_text(json.dumps(protocol, indent=1), encoding="utf-8")
