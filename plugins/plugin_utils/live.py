# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action plugin of a module that says how far it is (module_utils/progress.py): it runs the module and shows each line when it comes."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import ansible.constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import plain

display = Display()

# A module's lines have no control character.
END = b"\0\n"


class LiveAction(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        in_background = self._task.async_val and not self._connection.has_native_async
        with contextlib.ExitStack() as stack:
            told = {}
            # Another machine does not reach the pipe; nobody waits for a task in the background; of a task with no_log nothing is shown.
            if self._connection.transport == "local" and not in_background and not self._task.no_log:
                told = stack.enter_context(shown_as((task_vars or {}).get("inventory_hostname", "")))
            result = merge_hash(result, self._execute_module(module_args={**told, **self._task.args}, task_vars=task_vars, wrap_async=in_background))
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result


@contextlib.contextmanager
def shown_as(host: str) -> Iterator[dict[str, str]]:
    """The module's arguments with which its lines are shown after the host's name. They all are when it ends; where there can be no pipe, there are none."""
    # A directory of this run alone, mode 0700, which ansible-playbook removes at its end
    path = Path(C.DEFAULT_LOCAL_TMP) / f"progress-{uuid.uuid4().hex}"
    try:
        os.mkfifo(path, 0o600)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)  # with both ends open neither side waits for the other
    except OSError as error:
        display.vvv(f"No progress is shown: {error}", host=host)
        yield {}
        return
    reader = Thread(target=show, args=(descriptor, host), daemon=True)
    reader.start()
    try:
        yield {"progress_to": str(path)}
    finally:
        path.unlink(missing_ok=True)
        os.write(descriptor, END)
        reader.join()
        os.close(descriptor)


def show(descriptor: int, host: str) -> None:
    with os.fdopen(descriptor, "rb", closefd=False) as lines:
        while (line := lines.readline()) != END:
            with contextlib.suppress(Exception):  # that nobody sees a line is no reason to fail a deploy
                display.display(f"{host}: {plain(line.decode(errors='replace'))}", stderr="json" in C.DEFAULT_STDOUT_CALLBACK)
