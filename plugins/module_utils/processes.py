# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work on many small files by all cores. Threads would wait for each other, as a file of some kilobytes is hashed before the next thread has begun."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

MOST = 8
LEAST = 250  # so many are as fast here


class Shared:
    """work(number) for each number, in part by forks of this process, which begin at once. Each result has the same size.
    A process that has threads must not begin it."""

    def __init__(self, count: int, size: int, work: Callable[[int], bytes]) -> None:
        self.count, self.size, self.work = count, size, work
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1  # elsewhere a fork is not sure to work
        self.parts = max(1, min(cores, MOST, count // LEAST))
        self.forks = [self._fork(part) for part in range(1, self.parts)]

    def _fork(self, part: int) -> tuple[int, int]:
        here, there = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.close(here)
                with open(there, "wb") as results:
                    for number in range(part, self.count, self.parts):
                        results.write(self.work(number))
            finally:
                os._exit(0)
        os.close(there)
        return process, here

    def results(self) -> list[bytes]:
        """In order. What a fork does not deliver, whatever it met, is done here."""
        found: list[bytes] = [b""] * self.count
        for number in range(0, self.count, self.parts):
            found[number] = self.work(number)
        for part, (process, here) in enumerate(self.forks, 1):
            with open(here, "rb") as results:
                for number in range(part, self.count, self.parts):
                    delivered = results.read(self.size)
                    found[number] = delivered if len(delivered) == self.size else self.work(number)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)
        return found
