"""Measure the demo: from nothing, again, a deploy without a change, and the most memory that all of it used at once.

`make bench-demo` runs it. The demo that is running is taken down first; .venv is made anew, so that "from nothing" is true but for the package registries.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
BOUNDS = {"make demo, from nothing": 600, "make demo, again": 60, "deploy_backend.yml, no change": 15}


def available_mib() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) / 1024


class Memory:
    """The most memory that the machine lent out while it is entered, sampled five times a second."""

    def __enter__(self) -> Memory:
        self.before = self.least = available_mib()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()
        return self

    def sample(self) -> None:
        while not self.stop.wait(0.2):
            self.least = min(self.least, available_mib())

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self.thread.join()

    @property
    def peak_mib(self) -> float:
        return self.before - self.least


def timed(what: str, *command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, cwd=CHECKOUT, check=True)
    print(f"\n--- {what}: {time.monotonic() - began:.1f} s\n", flush=True)
    return time.monotonic() - began


def main() -> None:
    subprocess.run(["make", "down"], cwd=CHECKOUT, check=True)
    shutil.rmtree(CHECKOUT / ".venv")
    with Memory() as memory:
        seconds = {
            "make demo, from nothing": timed("make demo, from nothing", "make", "demo"),
            "make demo, again": timed("make demo, again", "make", "demo"),
            "deploy_backend.yml, no change": timed(
                "deploy_backend.yml, no change", ".venv/bin/ansible-playbook", "-i", "inventories/local", "deploy_backend.yml"
            ),
        }
    for what, took in seconds.items():
        print(f"{what:<32} {took:7.1f} s   (bound {BOUNDS[what]} s)")
    print(f"{'peak memory of everything':<32} {memory.peak_mib:7.0f} MiB (bound 2048 MiB)")


if __name__ == "__main__":
    main()
