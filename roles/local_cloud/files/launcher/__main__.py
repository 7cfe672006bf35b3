# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts MiniStack with what it gets wrong mended."""

from __future__ import annotations

import mending

from ministack import app

# Each module registers its mends.
import containers  # noqa: F401, I001
import edge
import health
import service
import snapshots
import storage  # noqa: F401

mending.apply()
health.start()
service.start()
app.app = snapshots.watch(edge.viewers_first(app.app))
app.main()
