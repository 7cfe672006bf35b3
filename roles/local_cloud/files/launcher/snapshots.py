# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State is on disk before MiniStack is killed: upstream saves it at an orderly end only."""

from __future__ import annotations

import threading
import time

from ministack import app

QUIET_SECONDS = 2.0  # a snapshot is taken once no request has come for so long,
LATEST_SECONDS = 10.0  # or so long after the first one that it lacks,
AFTERMATH_SECONDS = 30.0  # and again, for what a request set going (a database that becomes available)

_changed = threading.Event()
_last_change = 0.0


def watch(application):
    """An ASGI application that notes every request which may change something."""

    async def watched(scope, receive, send):
        await application(scope, receive, send)
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH", "DELETE"):
            global _last_change
            _last_change = time.monotonic()
            if not _changed.is_set():
                _changed.set()

    threading.Thread(target=keep, daemon=True, name="pulsegrid-snapshots").start()
    return watched


def keep() -> None:
    while True:
        _changed.wait()
        first = time.monotonic()
        while time.monotonic() - _last_change < QUIET_SECONDS and time.monotonic() - first < LATEST_SECONDS:
            time.sleep(0.2)
        _changed.clear()
        save()
        if not _changed.wait(AFTERMATH_SECONDS):
            save()


def save() -> None:
    app.save_all(app._build_persistence_save_dict())
