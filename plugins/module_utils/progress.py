# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module says while it runs. Its action plugin (plugin_utils/live.py) shows each line as it comes."""

from __future__ import annotations

import contextlib
import os
import re
import select
from typing import Any

from ansible.module_utils.common.parameters import remove_values

PROGRESS_OPTIONS = {"progress_to": {"type": "path"}}

ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])")


def plain(text: str) -> str:
    """The text without control characters, which a log or AWX would show or obey."""
    return "".join(char if char.isprintable() else " " for char in ESCAPE_SEQUENCE.sub("", text)).rstrip()


class Progress:
    def __init__(self, module: Any) -> None:
        self.module = module
        self.path = module.params.get("progress_to")

    def say(self, text: str) -> None:
        """Have it shown now, where somebody reads; it never waits and never fails."""
        if not self.path:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                for line in map(plain, str(remove_values(text, self.module.no_log_values)).splitlines()):
                    # Up to PIPE_BUF a write to a pipe is whole or not at all: lines of threads do not mix.
                    os.write(descriptor, line.encode()[: select.PIPE_BUF - 1] + b"\n")
            finally:
                os.close(descriptor)
