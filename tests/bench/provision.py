"""site.yml on the control plane of a local cloud: beside a playbook of official modules when nothing changes, and beside the longest chain when all is new."""

from __future__ import annotations

import os
import re
import runpy
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.actions import is_read
from e2e.conftest import CHECKOUT, Cloud, Run, aws_environment, free_port
from e2e.recorder import Recorder

from .section import Bound, Section

LAUNCHER = CHECKOUT / "roles/local_cloud/files/launcher"
MINISTACK = CHECKOUT / ".local/bench/ministack/bin/python"
READY_SECONDS = 120
OURS = "site.yml"
PEER = "tests/bench/peer/site.yml"
LATENCIES = (0, 60)
RUNS = 5
KINDS = {"second run": (), "plan": ("--check",)}
MOST_OF_PEER = 0.30
PROVISION = {"pace": 0.05, "latency_ms": 60}
PROVISIONS = 3
MOST_OF_CHAIN = 1.10
SLOWEST = 15
CREATE_DATABASE, ASK_DATABASE = "rds:CreateDBInstance", "rds:DescribeDBInstances"


@contextmanager
def control_plane(pace: float = 0, latency_ms: float = 0) -> Iterator[Recorder]:
    """An empty MiniStack without an engine, and the recorder in front of it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        log = Path(place) / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{place}/no-engine",
            "PULSEGRID_PACE": str(pace),
            "PULSEGRID_LATENCY_MS": str(latency_ms),
            "PYTHONPYCACHEPREFIX": f"{place}/pycache",
            **{name: f"{place}/{name.lower()}" for name in ("TMPDIR", "STATE_DIR", "S3_DATA_DIR")},
        }
        with log.open("w") as output:
            process = subprocess.Popen([MINISTACK, LAUNCHER], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            answers(port, process, log)
            with Recorder(port) as recorder:
                yield recorder
        finally:
            process.terminate()
            process.wait()


def answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"MiniStack does not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)


@dataclass
class Played:
    run: Run
    calls: list[str]
    reads: list[bool]
    times: list[float]

    @property
    def seconds(self) -> float:
        return self.run.seconds


def tasks_of(run: Run) -> list[tuple[str, float]]:
    """Each task with its seconds, what comes before the first one included."""
    marks = [("start of ansible-playbook", 0.0)]
    for second, line in run.lines:
        if found := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\] \*", line):
            marks.append((found[1].replace("pulsegrid.aws.", ""), second))
        elif line.startswith("PLAY RECAP"):
            marks.append(("end", second))
    marks.append(("", run.seconds))
    return [(name, after - second) for (name, second), (_next, after) in zip(marks, marks[1:], strict=False)]


class Stack:
    """A playbook, what it is told, and the control plane that it provisions."""

    def __init__(self, playbook: str, recorder: Recorder, place: str) -> None:
        self.playbook, self.recorder = playbook, recorder
        aws = aws_environment(recorder.url)
        told: dict[str, Any] = {"pulsegrid_aws_environment": aws, "local_cloud_dir": place}
        if playbook == PEER:
            package = Path(place) / "healthcheck.zip"
            with zipfile.ZipFile(package, "w") as archive:
                archive.write(CHECKOUT / "files/healthcheck/handler.py", "handler.py")
            told = {"aws": aws, "package": str(package), "database_password": secrets.token_hex(16), "origin_header": secrets.token_hex(24)}
        self.cloud = Cloud(recorder.upstream_port, told)

    def play(self, *arguments: str) -> Played:
        before = len(self.recorder.requests)
        run = self.cloud.playbook(self.playbook, *arguments)
        operations = [request.operation for request in self.recorder.requests[before:]]
        times = [began for began, _answered in self.recorder.spans[before:]]
        return Played(run, [str(each) for each in operations], [is_read(each) for each in operations], times)


Again = dict[tuple[int, str, str], list[Played]]


def again() -> Again:
    """Runs that have nothing to change, and plans, of both in turn."""
    found: Again = {}
    for latency in LATENCIES:
        with ExitStack() as stack:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            stacks = [Stack(playbook, stack.enter_context(control_plane(latency_ms=latency)), place) for playbook in (OURS, PEER)]
            for each in stacks:
                each.play()
            for _number in range(RUNS):
                for kind, arguments in KINDS.items():
                    for each in stacks:
                        played = each.play(*arguments)
                        found.setdefault((latency, kind, each.playbook), []).append(played)
                        print(f"{latency} ms, {kind}, {each.playbook}: {played.seconds:.2f} s, {len(played.calls)} requests", flush=True)
    return found


@dataclass
class Chain:
    """What has to come one after another, however fast the tool is."""

    network_requests: int  # changes until the database is asked for
    database_seconds: float
    service_requests: int  # changes from then on that need its address
    latency_ms: float

    @property
    def seconds(self) -> float:
        return self.database_seconds + (self.network_requests + self.service_requests) * self.latency_ms / 1000


def database_seconds(pace: float) -> float:
    """What the launcher lets a new database take."""
    ways = runpy.run_path(str(LAUNCHER / "pace.py"))["WAYS"]
    return pace * sum(seconds for _state, seconds in ways["database created"].states)


def chain(played: Played, pace: float, latency_ms: float) -> Chain:
    asked = played.calls.index(CREATE_DATABASE)
    ready = played.times[asked] + database_seconds(pace)
    changes = [at for at, read in zip(played.times, played.reads, strict=True) if not read]
    return Chain(
        network_requests=sum(at <= played.times[asked] for at in changes),
        database_seconds=database_seconds(pace),
        service_requests=sum(at > ready for at in changes),
        latency_ms=latency_ms,
    )


def first() -> list[tuple[Played, Chain]]:
    """First provisions, each on an empty cloud."""
    found = []
    for _number in range(PROVISIONS):
        with tempfile.TemporaryDirectory(prefix="bench-") as place, control_plane(**PROVISION) as recorder:
            played = Stack(OURS, recorder, place).play()
        found.append((played, chain(played, **PROVISION)))
        print(f"first provision: {played.seconds:.2f} s, its longest chain {found[-1][1].seconds:.2f} s", flush=True)
    return found


def median(values: list[Played], of: Callable[[Played], float] = lambda played: played.seconds) -> float:
    return statistics.median(of(each) for each in values)


def requests(played: Played) -> int:
    return len(played.calls)


def bounds_again(found: Again) -> list[Bound]:
    rows = []
    for latency in LATENCIES:
        for kind in KINDS:
            ours, theirs = (found[latency, kind, playbook] for playbook in (OURS, PEER))
            ratio = median(ours) / median(theirs)
            rows.append(
                (
                    f"{kind.capitalize()}, {latency} ms a request: at most {MOST_OF_PEER:.2f} of the official modules' time",
                    f"{ratio:.2f}: {median(ours):.1f} s of {median(theirs):.1f} s",
                    ratio <= MOST_OF_PEER,
                )
            )
    for kind in KINDS:
        ours, theirs = (max(map(requests, found[LATENCIES[0], kind, playbook])) for playbook in (OURS, PEER))
        rows.append((f"{kind.capitalize()}: at most as many requests as the official modules", f"{ours}; theirs {theirs}", ours <= theirs))
    return rows


def bounds_first(found: list[tuple[Played, Chain]]) -> list[Bound]:
    ratio = statistics.median(played.seconds / its.seconds for played, its in found)
    played, its = min(found, key=lambda each: abs(each[0].seconds / each[1].seconds - ratio))
    return [
        (
            f"First provision: at most {MOST_OF_CHAIN:.2f} of its longest chain",
            f"{ratio:.2f}: {played.seconds:.1f} s of {its.seconds:.1f} s",
            ratio <= MOST_OF_CHAIN,
        )
    ]


def profile(runs: list[Played]) -> list[str]:
    """The tasks that take longest, medians of the runs; the rest in one line."""
    tables = [dict(numbered(tasks_of(played.run))) for played in runs]
    medians = {name: statistics.median(table.get(name, 0.0) for table in tables) for name in tables[-1]}
    slowest = sorted(medians, key=lambda name: -medians[name])[:SLOWEST]
    rest = [seconds for name, seconds in medians.items() if name not in slowest]
    return [
        "| task | median |",
        "|---|---|",
        *(f"| {name[0]} | {medians[name]:.2f} s |" for name in slowest),
        f"| {len(rest)} others | {sum(rest):.2f} s |",
    ]


def numbered(tasks: list[tuple[str, float]]) -> Iterator[tuple[tuple[str, int], float]]:
    """A task that runs several times is several tasks."""
    seen: dict[str, int] = {}
    for name, seconds in tasks:
        seen[name] = seen.get(name, 0) + 1
        yield (name, seen[name]), seconds


def spread(runs: list[Played]) -> str:
    return f"{min(each.seconds for each in runs):.1f} - {max(each.seconds for each in runs):.1f} s"


def document_again(found: Again) -> list[str]:
    lines = [
        f"`{OURS}` on inventories/local beside `{PEER}`, which makes the same stack with the modules of amazon.aws and community.aws alone",
        "and leaves out what they cannot make. Control plane of the local cloud, without an engine, one for each; both in turn.",
        "",
        "| latency | run | playbook | requests | median | from - to | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for (latency, kind, playbook), runs in found.items():
        ratio = median(found[latency, kind, OURS]) / median(runs)
        lines.append(
            f"| {latency} ms | {kind} | `{playbook}` | {median(runs, requests):.0f} | {median(runs):.1f} s | {spread(runs)}"
            f" | {'' if playbook == OURS else f'{ratio:.2f}'} |"
        )
    return [*lines, "", f"Where a second run's seconds go, {LATENCIES[0]} ms a request:", "", *profile(found[LATENCIES[0], "second run", OURS])]


def document_first(found: list[tuple[Played, Chain]]) -> list[str]:
    its = found[-1][1]
    return [
        f"`{OURS}` on inventories/local, on an empty control plane that takes {PROVISION['pace']:g} of AWS's time for what it makes, and",
        f"{its.latency_ms:g} ms for each request. The longest chain is what must come one after another: {its.network_requests} changes until the database is",
        f"asked for, {its.database_seconds:.1f} s until it is available, and {its.service_requests} changes for the service that needs its address:",
        f"{its.seconds:.1f} s.",
        "",
        "| run | requests | wall | chain | ratio |",
        "|---|---|---|---|---|",
        *(
            f"| {number} | {len(played.calls)} | {played.seconds:.1f} s | {its.seconds:.1f} s | {played.seconds / its.seconds:.2f} |"
            for number, (played, its) in enumerate(found, 1)
        ),
        "",
        *profile([played for played, _its in found]),
    ]


def measure_again() -> Section:
    found = again()
    return Section("Second run and plan", bounds_again(found), document_again(found))


def measure_first() -> Section:
    found = first()
    return Section("First provision", bounds_first(found), document_first(found))
