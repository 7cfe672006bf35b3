"""Runs that build the front end in the same place do not disturb each other; npm is one that says what it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ..conftest import CHECKOUT, clean_environment

NPM = """#!/bin/bash
set -euo pipefail
echo "$*" >> "$CALLS"
case $1 in
  ci) mkdir -p node_modules ;;
  run) mkdir -p "$(dirname "$5")"; mkdir "$5"; mkdir busy; sleep 1; cp index.html "$5"; rmdir busy ;;
esac
"""


class Builds:
    def __init__(self, place: Path) -> None:
        [play] = yaml.safe_load((CHECKOUT / "playbooks/deploy_frontend.yml").read_text())
        [task] = [task for task in play["tasks"] if "ansible.builtin.shell" in task]
        self.code, self.place = task["ansible.builtin.shell"]["cmd"], place
        for name in ("bin", "source"):
            (place / name).mkdir()
        for name in ("index.html", "package-lock.json"):
            (place / "source" / name).write_text("one")
        (place / "bin/npm").write_text(NPM)
        (place / "bin/npm").chmod(0o755)

    def start(self, release: str) -> subprocess.Popen[str]:
        environment = clean_environment(
            PATH=f"{self.place}/bin:{os.environ['PATH']}",
            CALLS=str(self.place / "calls"),
            SOURCE=str(self.place / "source"),
            WORK=str(self.place / "work"),
            BUILD=str(self.build(release)),
            PYTHON=sys.executable,
        )
        return subprocess.Popen(["bash", "-c", self.code], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def build(self, release: str) -> Path:
        return self.place / "work/builds" / release

    @property
    def number(self) -> int:
        return (self.place / "calls").read_text().count("run build")


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path)


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        said, _none = process.communicate(timeout=120)
        assert process.returncode == 0, said


def test_of_two_runs_at_once_one_builds_and_the_other_waits_for_it(builds: Builds) -> None:
    end(*(builds.start("r1") for _number in range(2)))

    assert builds.number == 1
    assert (builds.build("r1") / "index.html").read_text() == "one"


def test_a_build_stays_while_another_release_is_built_and_goes_after_a_day(builds: Builds) -> None:
    end(builds.start("r1"), builds.start("r2"))
    assert (builds.build("r1") / "index.html").is_file()

    yesterday = time.time() - 2 * 86400
    os.utime(builds.build("r1"), (yesterday, yesterday))
    end(builds.start("r3"))
    assert sorted(path.name for path in builds.build("r1").parent.iterdir()) == ["r2", "r3"]
    assert builds.number == 3
