"""A play with the module talk, which has the action plugin of the modules that say how far they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ..conftest import CHECKOUT, clean_environment

Tasks = list[dict[str, Any]]
CONNECTIONS = ["ansible.builtin.local", "pulsegrid.aws.warm"]
ELSEWHERE = """
from ansible.plugins.connection.local import Connection as Local, DOCUMENTATION
DOCUMENTATION = DOCUMENTATION.replace("name: local", "name: elsewhere")
class Connection(Local):
    transport = "elsewhere"
"""


class Talking:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.temporary = directory / "ansible"
        for name in ("actions", "connections", "ansible"):
            (directory / name).mkdir()
        (directory / "actions/talk.py").symlink_to(CHECKOUT / "plugins/action/s3_publish.py")
        (directory / "connections/elsewhere.py").write_text(ELSEWHERE)

    def environment(self, **more: str) -> dict[str, str]:
        return clean_environment(
            ANSIBLE_LIBRARY=str(Path(__file__).with_name("library")),
            ANSIBLE_ACTION_PLUGINS=str(self.directory / "actions"),
            ANSIBLE_CONNECTION_PLUGINS=str(self.directory / "connections"),
            ANSIBLE_LOCAL_TEMP=str(self.temporary),
            ANSIBLE_DISPLAY_SKIPPED_HOSTS="true",  # else a task's name comes with its first result
            **more,
        )

    def playbook(self, tasks: Tasks, connection: str = "ansible.builtin.local") -> Path:
        path = self.directory / "play.yml"
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "connection": connection, "vars": variables, "tasks": tasks}]))
        return path

    def start(
        self, tasks: list[dict[str, Any]], connection: str = "ansible.builtin.local", hosts: str = "one,", *options: str, **more: str
    ) -> subprocess.Popen:
        command = ["ansible-playbook", "-i", hosts, str(self.playbook(tasks, connection)), *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=CHECKOUT, env=self.environment(**more), text=True, **pipes)

    def run(self, *arguments: Any, **more: str) -> str:
        process = self.start(*arguments, **more)
        out, self.errors = process.communicate(timeout=120)
        self.code = process.returncode
        return out

    @property
    def left_behind(self) -> list[Path]:
        return list(self.temporary.rglob("progress-*"))
