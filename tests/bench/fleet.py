"""site.yml for many environments in one run, each in an account of its own: what one more costs, in seconds and in memory, and what forks change."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.conftest import CHECKOUT, aws_environment

from .provision import control_plane
from .section import Bound, Section

ENVIRONMENTS = (1, 4, 12, 50)
FORKS = (2, 5, 10, 25)
USUAL = 10
LATENCY_MS = 60
FIRST, AGAIN = "first provision", "second run"
REGIONS = ("us-east-1", "eu-central-1")
SAMPLE_SECONDS = 1
# What one more environment may add to the controller's memory: its variables, results and outputs
MOST_MIB_MORE = 4
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Took:
    kind: str
    environments: int
    forks: int
    seconds: float
    cpu: float
    mib: float

    @property
    def each(self) -> float:
        return self.seconds / self.environments


def stat(pid: int) -> list[str]:
    """The fields of its status, from the third one on; none where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def roots(run: int) -> set[int]:
    """Of a run of ansible-playbook: its own process, and the warmed ones, which are not below it but are told its number."""
    found = {run}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_text().split("\0")
            if str(run) in words and any(word.endswith("/warm_server.py") for word in words):
                found.add(int(file.parent.name))
    return found


def descendants(pids: set[int]) -> set[int]:
    """They, and all below them."""
    parents = {int(path.name): int(fields[1]) for path in Path("/proc").glob("[0-9]*") if (fields := stat(int(path.name)))}
    found, new = set(pids), pids
    while new := {pid for pid, parent in parents.items() if parent in new} - found:
        found |= new
    return found


def pss_mib(pid: int) -> float:
    """The memory of a process, of what it shares with others its share."""
    with suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Of a process, and of those that it has started and that have ended."""
    return sum(map(int, stat(pid)[11:15])) / TICKS


def watched(command: list[str], log: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and the most MiB of a run of ansible-playbook; it must not fail."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    cpu: dict[int, float] = {}
    most, began = 0.0, time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while process.poll() is None:
            its = roots(process.pid)
            most = max(most, sum(map(pss_mib, descendants(its))))
            cpu |= {pid: max(cpu.get(pid, 0.0), cpu_seconds(pid)) for pid in its}
            with suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {log.read_text()[-3000:]}")
    return time.monotonic() - began, sum(cpu.values()), most


class Fleet:
    """Environments in accounts of their own, whose roles are assumed, on one control plane."""

    def __init__(self, number: int, port: int, place: Path) -> None:
        self.number, self.place = number, place
        hosts = {
            f"pulsegrid-e{each}": {
                "pulsegrid_account_id": f"3{each:011}",
                "pulsegrid_assume_role_arn": f"arn:aws:iam::3{each:011}:role/deployer",
                "pulsegrid_region": REGIONS[each % len(REGIONS)],
            }
            for each in range(number)
        }
        shared = {"ansible_connection": "pulsegrid.aws.warm", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (place / "hosts.yml").write_text(json.dumps({"local": {"children": {"fleet": {"hosts": hosts, "vars": shared}}}}))
        aws = aws_environment(f"http://127.0.0.1:{port}") | {"AWS_REGION": "{{ pulsegrid_region }}"}
        told = {"pulsegrid_aws_environment": aws, "local_cloud_dir": str(place)}
        inventories = ["-i", "inventories/local", "-i", str(place / "hosts.yml"), "--limit", "fleet"]
        self.command = ["ansible-playbook", "site.yml", *inventories, "-e", json.dumps(told)]

    def play(self, kind: str, forks: int = USUAL) -> Took:
        log = self.place / "log"
        took = Took(kind, self.number, forks, *watched([*self.command, "-f", str(forks)], log))
        changed = [int(count) for count in re.findall(r"^pulsegrid-e\d+ .* changed=(\d+) .* failed=0 ", log.read_text(), re.M)]
        if len(changed) != self.number or (kind == AGAIN) != (not any(changed)):
            raise SystemExit(f"{kind} of {self.number} environments: {log.read_text()[-3000:]}")
        print(f"{kind}, {self.number} environments, {forks} forks: {took.seconds:.0f} s, {took.each:.1f} s each, {took.mib:.0f} MiB", flush=True)
        return took


def many() -> list[Took]:
    """Both kinds of run for each number, and with each number of forks those that change nothing in the most environments."""
    found = []
    for number in ENVIRONMENTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as place, control_plane(latency_ms=LATENCY_MS) as recorder:
            fleet = Fleet(number, recorder.upstream_port, Path(place))
            found += [fleet.play(FIRST), fleet.play(AGAIN)]
            if number == ENVIRONMENTS[-1]:
                found += [fleet.play(AGAIN, forks) for forks in FORKS if forks != USUAL]
    return found


def usual(found: list[Took], kind: str) -> dict[int, Took]:
    return {took.environments: took for took in found if took.kind == kind and took.forks == USUAL}


def bounds(found: list[Took]) -> list[Bound]:
    rows = []
    for kind in (FIRST, AGAIN):
        one, *more = usual(found, kind).values()
        measured = ", ".join(f"{took.environments}: {took.each:.1f} s each" for took in (one, *more))
        rows.append((f"{kind.capitalize()} of many: no environment takes longer than one alone", measured, all(took.each <= one.each for took in more)))
        *_fewer, some, most = usual(found, kind).values()
        each = (most.mib - some.mib) / (most.environments - some.environments)
        rows.append(
            (
                f"{kind.capitalize()} of {most.environments}: at most {MOST_MIB_MORE} MiB an environment more than of {some.environments}",
                f"{each:.1f} MiB: {some.mib:.0f} and {most.mib:.0f} MiB",
                each <= MOST_MIB_MORE,
            )
        )
    return rows


def document(found: list[Took]) -> list[str]:
    one = usual(found, AGAIN)[1]
    lines = [
        f"`site.yml` for so many environments in one run, in {len(REGIONS)} regions and an account each, whose role it assumes. Control plane of the local",
        f"cloud, without an engine, on the same machine, with {LATENCY_MS} ms for each request. CPU and memory are the controller's: ansible-playbook, its",
        "forks, the warmed process and its forks. The memory is the most that they had at a time, what they share counted once (PSS).",
        "",
        "| run | environments | forks | wall | each | CPU each | memory | each |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {took.kind} | {took.environments} | {took.forks} | {took.seconds:.0f} s | {took.each:.1f} s | {took.cpu / took.environments:.1f} s"
        f" | {took.mib:.0f} MiB | {took.mib / took.environments:.0f} MiB |"
        for took in sorted(found, key=lambda took: (took.kind, took.environments, took.forks))
    ]
    return [
        *lines,
        "",
        f"A second run of one environment takes {one.seconds:.1f} s, and {one.cpu:.1f} s of a core: {one.seconds / one.cpu:.1f} forks keep a core busy.",
    ]


def measure() -> Section:
    found = many()
    return Section("Many environments", bounds(found), document(found))
