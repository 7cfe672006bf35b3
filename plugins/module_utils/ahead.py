# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""concurrent.futures for one call, without what that imports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """A call that is made now, in a thread of its own, whose result is wanted later."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.found: list[T] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self.thread.start()

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self.found.append(call())
        except BaseException as error:  # it is raised where the result is wanted
            self.error = error

    def result(self) -> T:
        self.thread.join()
        if self.error:
            raise self.error
        return self.found[0]
