# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts MiniStack with what it gets wrong mended."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

for directory in ("TMPDIR", "STATE_DIR", "S3_DATA_DIR"):
    Path(os.environ[directory]).mkdir(mode=0o700, parents=True, exist_ok=True)

# ruff: noqa: E402, I001
import mending
from ministack import app

import autoscaling
import edge
import health
import latency
import pace
import service
import snapshots

for module in ("access", "containers", "database", "network", "registry", "storage"):
    importlib.import_module(module)  # each registers its mends; so do those above
if pace.FACTOR:
    importlib.import_module("paced")  # the last: a resource that refuses a change does so before the other mends make it

mending.apply()
autoscaling.add()
health.start()
service.start()
app.app = snapshots.watch(edge.viewers_first(app.app))
if pace.FACTOR:
    app.app = importlib.import_module("paced").forgetting(app.app)
if milliseconds := float(os.environ.get("PULSEGRID_LATENCY_MS", "0")):
    app.app = latency.far_away(app.app, milliseconds / 1000)
app.main()
