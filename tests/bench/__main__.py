"""Measure deploys beside their peers and write docs/benchmarks.md: python -m bench [SECTION...]. Without a section all of them; the others stay as they are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fleet, provision, rollout, warmed
from .section import Section, document
from .site import FILES, SIZE, build

CHECKOUT = Path(__file__).parents[2]
PLACE = CHECKOUT / ".local" / "bench"
CHANGED = 20
RUNS = {1.0: 9, 4.0: 5}  # of what takes less than so many seconds; what takes longer is run once
MOST = max(RUNS.values())
MANY = 100_000
SITUATIONS = {"first": "First upload", "unchanged": "Unchanged", "times": "Rebuilt: new times, the same bytes", "changed": f"Rebuilt: {CHANGED} files changed"}
DELAYS = {0: list(SITUATIONS), 40: ["first", "unchanged", "changed"]}
OURS = "s3_publish"
COLD = "s3_publish, cold"
ONE_BY_ONE = "s3_sync"  # sends one request after the other: with a delay it is not waited for
TIMED = [sys.executable, "-I", "-S", Path(__file__).with_name("timed.py")]
STARTS = {
    "Python": "pass",
    "and `ansible.module_utils.basic`, which each module imports": "import ansible.module_utils.basic",
    "and all that s3_publish imports": "import ansible_collections.pulsegrid.aws.plugins.modules.s3_publish",
    "for comparison: `AnsibleAWSModule`, with boto3": "import ansible_collections.amazon.aws.plugins.module_utils.modules",
}
MODULES = {COLD: "ansible_collections.pulsegrid.aws.plugins.modules.s3_publish", "s3_sync": "ansible_collections.community.aws.plugins.modules.s3_sync"}
COMMANDS = {
    OURS: "a fork of the process of the connection plugin `warm`, as in a playbook with our inventories",
    COLD: f"`python -m {MODULES[COLD]} ARGUMENTS`",
    "s5cmd": "`s5cmd --log error sync DIRECTORY/ s3://BUCKET/site/`",
    "rclone": "`rclone sync --checksum DIRECTORY :s3,provider=Other,env_auth=true,region=us-east-1,endpoint=ENDPOINT:BUCKET/site`",
    "aws s3": "`aws s3 sync --only-show-errors DIRECTORY s3://BUCKET/site`",
    "s3_sync": f"`python -m {MODULES['s3_sync']} ARGUMENTS` (file_change_strategy: checksum)",
}
PEERS = [tool for tool in COMMANDS if tool not in (OURS, COLD)]


class Endpoint:
    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, method: str, path: str) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method)) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@dataclass
class Run:
    seconds: float
    cpu: float
    mib: float
    requests: int


def where(endpoint: str, bucket: str) -> dict[str, str]:
    return {"bucket": bucket, "endpoint_url": endpoint, "region": "us-east-1"}


def publication(endpoint: str, directory: Path, bucket: str) -> dict[str, str]:
    return where(endpoint, bucket) | {"src": str(directory), "prefix": "site", "manifest_key": "manifest.json"}


def command(tool: str, endpoint: str, directory: Path, bucket: str, arguments: Path) -> list[str]:
    if tool == "s5cmd":
        return [str(PLACE / "peers/bin/s5cmd"), "--log", "error", "sync", f"{directory}/", f"s3://{bucket}/site/"]
    if tool == "rclone":
        target = f":s3,provider=Other,env_auth=true,region=us-east-1,endpoint='{endpoint}':{bucket}/site"
        return [str(PLACE / "peers/bin/rclone"), "sync", "--config", "/dev/null", "--checksum", str(directory), target]
    if tool == "aws s3":
        return [str(PLACE / "aws/bin/aws"), "s3", "sync", "--only-show-errors", str(directory), f"s3://{bucket}/site"]
    if tool == COLD:
        given = publication(endpoint, directory, bucket)
    else:
        given = where(endpoint, bucket) | {"file_root": str(directory), "key_prefix": "site", "file_change_strategy": "checksum"}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": given}), encoding="utf-8")
    return [sys.executable, "-m", MODULES[tool], str(arguments)]


class Bench:
    def __init__(self, place: Path, program: Path = PLACE / "endpoint") -> None:
        self.place = place
        self.endpoint = Endpoint(program)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON")) or name == "PYTHONPATH"}
        credentials = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobody", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        self.environment = {
            **kept,
            **credentials,
            "PYTHONPYCACHEPREFIX": str(PLACE / "pycache"),  # compiled once, as what pip installs is
            "AWS_ENDPOINT_URL": self.endpoint.url,
            "S3_ENDPOINT_URL": self.endpoint.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, tool: str, directory: Path, bucket: str) -> Run:
        self.endpoint.ask("DELETE", "/_bench")
        if tool == OURS:
            _result, seconds, took = warmed.run("pulsegrid.aws.s3_publish", publication(self.endpoint.url, directory, bucket), self.environment)
            took["seconds"] = seconds
        else:
            line = command(tool, self.endpoint.url, directory, bucket, self.place / "arguments.json")
            done = subprocess.run([*TIMED, self.place / "took.json", *line], capture_output=True, text=True, env=self.environment, check=False)
            if done.returncode:
                raise SystemExit(f"{tool} failed: {(done.stdout + done.stderr)[-2000:]}")
            took = json.loads((self.place / "took.json").read_text())
        requests = sum(self.endpoint.ask("GET", "/_bench").values())
        self.prove(tool, directory, bucket)
        return Run(**took, requests=requests)

    def prove(self, tool: str, directory: Path, bucket: str) -> None:
        """What is in the bucket is what is in the directory; else there is nothing to compare."""
        there = self.endpoint.ask("GET", f"/_bench?bucket={bucket}")
        for path in directory.rglob("*"):
            if path.is_file():
                digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
                if there.get(f"site/{path.relative_to(directory)}") != digest:
                    raise SystemExit(f"{tool} did not upload {path.relative_to(directory)}")

    def measure(self) -> dict[tuple[int, str, str], list[Run]]:
        site = {name: self.place / name for name in ("first", "times", "changed")}
        site["unchanged"] = site["first"]
        build(site["first"])
        for tool in COMMANDS:
            bucket = bucket_of(tool)
            self.endpoint.ask("PUT", f"/{bucket}")
            self.run(tool, site["first"], bucket)
        time.sleep(1.1)  # times in S3 are of whole seconds
        build(site["times"])
        build(site["changed"], changed=CHANGED)
        self.endpoint.ask("PUT", "/empty")
        found: dict[tuple[int, str, str], list[Run]] = {}
        for delay, situations in DELAYS.items():
            self.endpoint.ask("PUT", f"/_bench?delay={delay}")
            for situation in situations:
                for number in range(MOST):
                    # In turn: what else the machine does meets all of them alike.
                    for tool in COMMANDS:
                        runs = found.setdefault((delay, situation, tool), [])
                        if number >= (times(runs[0].seconds) if runs else 1) or (delay and tool == ONE_BY_ONE):
                            continue
                        self.endpoint.ask("PUT", f"/_bench?from={'empty' if situation == 'first' else bucket_of(tool)}&to=measured")
                        runs.append(self.run(tool, site[situation], "measured"))
                        print(f"{delay} ms, {situation}, {tool}: {runs[-1].seconds:.2f} s, {runs[-1].requests} requests", flush=True)
        self.endpoint.ask("PUT", "/_bench?delay=0")
        return found

    def starts(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {what: [] for what in STARTS}
        for _number in range(MOST):
            for what, code in STARTS.items():
                began = time.monotonic()
                subprocess.run([sys.executable, "-c", code], env=self.environment, check=True)
                found[what].append(time.monotonic() - began)
        return found

    def many(self) -> dict[str, Run]:
        directory = self.place / "many"
        build(directory, MANY, MANY * 200)
        self.endpoint.ask("PUT", "/many")
        found = {situation: self.run(COLD, directory, "many") for situation in ("first", "unchanged")}
        for situation, run in found.items():
            print(f"{MANY:,} files, {situation}: {run.seconds:.0f} s, {run.mib:.0f} MiB", flush=True)
        return found


def times(seconds: float) -> int:
    """How often what takes so long is run."""
    return next((runs for most, runs in RUNS.items() if seconds < most), 1)


def bucket_of(tool: str) -> str:
    return re.sub("[^a-z0-9]+", "-", tool)


def median(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


Found = dict[tuple[int, str, str], list[Run]]


def bounds(found: Found, many: dict[str, Run]) -> list[tuple[str, str, bool]]:
    rows = []
    for situation, most in (("first", FILES + 5), ("unchanged", 3), ("times", 3), ("changed", CHANGED + 5)):
        requests = max(run.requests for run in found[0, situation, OURS])
        rows.append((f"{SITUATIONS[situation]}: at most {most:,} requests", f"{requests:,}", requests <= most))
    for delay in DELAYS:
        for situation in ("first", "changed"):
            fastest = min((tool for tool in PEERS if found[delay, situation, tool]), key=lambda tool: median(found[delay, situation, tool]))
            ours, cold, theirs = (median(found[delay, situation, tool]) for tool in (OURS, COLD, fastest))
            measured = f"{ours:.2f} s ({cold:.2f} s with the start of Python); {fastest} {theirs:.2f} s"
            rows.append((f"{SITUATIONS[situation]}, {delay} ms: no slower than the fastest peer", measured, ours <= theirs))
    for situation, run in many.items():
        rows.append((f"{MANY:,} files, {SITUATIONS[situation].lower()}: at most 150 MiB", f"{run.mib:.0f} MiB", run.mib <= 150))
    return rows


def versions() -> list[str]:
    def said(*line: str | Path) -> str:
        return subprocess.run([str(word) for word in line], capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()

    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "ansible", "boto3", "botocore")]
    tools = [
        f"s5cmd {said(PLACE / 'peers/bin/s5cmd', 'version')}",
        said(PLACE / "peers/bin/rclone", "version"),
        said(PLACE / "aws/bin/aws", "--version").split()[0],
        said(PLACE / "peers/bin/ecs", "--version"),
    ]
    models = {line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")}
    return [
        f"{os.cpu_count()} cores ({', '.join(models) or platform.processor()})",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        *packages,
        *tools,
    ]


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} - {max(values):.2f} s"


def publication_document(found: Found, many: dict[str, Run], starts: dict[str, list[float]]) -> list[str]:
    lines = [
        f"- Site: {FILES:,} files, {SIZE / 1e6:.0f} MB, as a React build makes it (`tests/bench/site.py`). A rebuild writes every file anew, with new times;",
        f"  after a change {CHANGED} files differ: {CHANGED - 1} with new hashed names, and `index.html`.",
        "- Endpoint: `tests/bench/endpoint`, S3 in memory, written in Go for this, as emulators serve some 300 PUT/s and hide every difference.",
        "  It counts the requests, and delays each by the given time. It does not check signatures.",
        f"- Each tool with its default parallelism, in turn, {' or '.join(f'{runs} times (under {most:.0f} s)' for most, runs in RUNS.items())} or once.",
        "  After each run the bucket is held against the directory.",
        f"- {OURS} runs as a playbook with our inventories runs it, from when Ansible has packed it. Each other run, that of {COLD} too, is a process",
        "  of its own, with what starting it costs. Credentials are in the environment, as in AWX; where they are in a profile, s3_publish asks boto3",
        "  for them and imports it. The memory is that of the largest process; a fork's counts what it shares with the process that it is a fork of.",
        "",
        "| tool | command |",
        "|---|---|",
        *(f"| {tool} | {text} |" for tool, text in COMMANDS.items()),
    ]
    for delay, situations in DELAYS.items():
        lines += ["", f"### {delay} ms added to each request"]
        for situation in situations:
            title = SITUATIONS[situation]
            lines += ["", f"#### {title}", "", "| tool | requests | median | from - to | ratio | CPU | memory | runs |", "|---|---|---|---|---|---|---|---|"]
            ours = median(found[delay, situation, OURS])
            for tool in COMMANDS:
                runs = found[delay, situation, tool]
                if not runs:
                    requests = found[0, situation, tool][0].requests
                    lines.append(f"| {tool} | {requests:,} | not run: one request after the other takes {requests * delay / 1000:.0f} s or more | | | | | 0 |")
                    continue
                cpu, mib = statistics.median(run.cpu for run in runs), max(run.mib for run in runs)
                lines.append(
                    f"| {tool} | {runs[-1].requests:,} | {median(runs):.2f} s | {spread([run.seconds for run in runs])} | {median(runs) / ours:.2f}"
                    f" | {cpu:.2f} s | {mib:.0f} MiB | {len(runs)} |"
                )
    lines += ["", "### What starting s3_publish costs", "", "| process | median | from - to |", "|---|---|---|"]
    lines += [f"| {what} | {statistics.median(seconds):.2f} s | {spread(seconds)} |" for what, seconds in starts.items()]
    lines += ["", f"### {MANY:,} small files", ""]
    for situation, run in many.items():
        lines.append(f"- {SITUATIONS[situation]}: {run.requests:,} requests, {run.seconds:.0f} s, {run.cpu:.0f} s of CPU, {run.mib:.0f} MiB at most.")
    return lines


def measure_publication() -> Section:
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        bench = Bench(Path(place))
        found, starts, many = bench.measure(), bench.starts(), bench.many()
        bench.endpoint.end()
    return Section("Publication of a site", bounds(found, many), publication_document(found, many, starts))


def measure_rollout() -> Section:
    found, unchanged = rollout.measure()
    return Section("Rollout", rollout.bounds(found, unchanged), rollout.document(found, unchanged))


SECTIONS = {
    "provision": provision.measure_first,
    "again": provision.measure_again,
    "fleet": fleet.measure,
    "rollout": measure_rollout,
    "publication": measure_publication,
}


def main(names: list[str]) -> int:
    if unknown := sorted(set(names) - SECTIONS.keys()):
        raise SystemExit(f"{', '.join(unknown)}: no such section; there are {', '.join(SECTIONS)}")
    os.environ["ANSIBLE_HOME"] = str(PLACE / "home")  # what Ansible keeps there, other checkouts' runs would write anew
    written, machine = CHECKOUT / "docs" / "benchmarks.md", versions()
    broken = []
    for name in names or SECTIONS:
        load = os.getloadavg()[0]
        section = SECTIONS[name]()
        section.lines.append(f"\nLoad before these runs: {load:.1f} (1 minute).")
        written.write_text(document(written.read_text(encoding="utf-8"), section, machine), encoding="utf-8")
        broken += [bound for bound, _measured, holds in section.bounds if not holds]
    print("docs/benchmarks.md is written", *(f"NOT HELD: {bound}" for bound in broken), sep="\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
