"""Measure deploys beside their peers and write docs/benchmarks.md: python -m bench."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import rollout
from .site import FILES, SIZE, build

CHECKOUT = Path(__file__).parents[2]
PLACE = CHECKOUT / ".local" / "bench"
CHANGED = 20
RUNS = 5
SLOW_SECONDS = 4  # what takes longer is run once
DELAYS = (0, 40)
MANY = 100_000
SITUATIONS = {"first": "First upload", "unchanged": "Unchanged", "times": "Rebuilt: new times, the same bytes", "changed": f"Rebuilt: {CHANGED} files changed"}
OURS = "s3_publish"
MODULES = {tool: f"ansible_collections.{collection}.plugins.modules.{tool}" for tool, collection in ((OURS, "pulsegrid.aws"), ("s3_sync", "community.aws"))}
COMMANDS = {
    OURS: f"python -m {MODULES[OURS]} ARGUMENTS",
    "s5cmd": "s5cmd --log error sync DIRECTORY/ s3://BUCKET/site/",
    "rclone": "rclone sync --checksum DIRECTORY :s3,provider=Other,env_auth=true,region=us-east-1,endpoint=ENDPOINT:BUCKET/site",
    "aws s3": "aws s3 sync --only-show-errors DIRECTORY s3://BUCKET/site",
    "s3_sync": f"python -m {MODULES['s3_sync']} ARGUMENTS (file_change_strategy: checksum)",
}


class Endpoint:
    def __init__(self) -> None:
        self.process = subprocess.Popen([PLACE / "endpoint"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

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


def command(tool: str, endpoint: str, directory: Path, bucket: str, arguments: Path) -> list[str]:
    if tool == "s5cmd":
        return [str(PLACE / "peers/bin/s5cmd"), "--log", "error", "sync", f"{directory}/", f"s3://{bucket}/site/"]
    if tool == "rclone":
        target = f":s3,provider=Other,env_auth=true,region=us-east-1,endpoint='{endpoint}':{bucket}/site"
        return [str(PLACE / "peers/bin/rclone"), "sync", "--config", "/dev/null", "--checksum", str(directory), target]
    if tool == "aws s3":
        return [str(PLACE / "aws/bin/aws"), "s3", "sync", "--only-show-errors", str(directory), f"s3://{bucket}/site"]
    given = {"bucket": bucket, "endpoint_url": endpoint, "region": "us-east-1"}
    if tool == OURS:
        given |= {"src": str(directory), "prefix": "site", "manifest_key": "manifest.json"}
    else:
        given |= {"file_root": str(directory), "key_prefix": "site", "file_change_strategy": "checksum"}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": given}), encoding="utf-8")
    return [sys.executable, "-m", MODULES[tool], str(arguments)]


class Bench:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.endpoint = Endpoint()
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
        line = command(tool, self.endpoint.url, directory, bucket, self.place / "arguments.json")
        self.endpoint.ask("DELETE", "/_bench")
        with (self.place / "output").open("w+") as output:
            began = time.monotonic()
            process = subprocess.Popen(line, stdout=output, stderr=output, env=self.environment)
            _pid, status, used = os.wait4(process.pid, 0)
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            if process.returncode:
                raise SystemExit(f"{tool} failed: {output.read()[-2000:]}")
        requests = sum(self.endpoint.ask("GET", "/_bench").values())
        self.prove(tool, directory, bucket)
        return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, requests)

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
        for delay in DELAYS:
            self.endpoint.ask("PUT", f"/_bench?delay={delay}")
            for situation in SITUATIONS:
                for number in range(RUNS):
                    # In turn: what else the machine does meets all of them alike.
                    for tool in COMMANDS:
                        runs = found.setdefault((delay, situation, tool), [])
                        if number and runs[0].seconds > SLOW_SECONDS:
                            continue
                        self.endpoint.ask("PUT", f"/_bench?from={'empty' if situation == 'first' else bucket_of(tool)}&to=measured")
                        runs.append(self.run(tool, site[situation], "measured"))
                        print(f"{delay} ms, {situation}, {tool}: {runs[-1].seconds:.2f} s, {runs[-1].requests} requests", flush=True)
        self.endpoint.ask("PUT", "/_bench?delay=0")
        return found

    def many(self) -> dict[str, Run]:
        directory = self.place / "many"
        build(directory, MANY, MANY * 200)
        self.endpoint.ask("PUT", "/many")
        return {situation: self.run(OURS, directory, "many") for situation in ("first", "unchanged")}


def bucket_of(tool: str) -> str:
    return tool.replace(" ", "-").replace("_", "-")


def median(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def bounds(found: dict[tuple[int, str, str], list[Run]], many: dict[str, Run]) -> list[tuple[str, str, bool]]:
    rows = []
    for situation, most in (("first", FILES + 5), ("unchanged", 3), ("times", 3), ("changed", CHANGED + 5)):
        requests = max(run.requests for run in found[0, situation, OURS])
        rows.append((f"{SITUATIONS[situation]}: at most {most} requests", str(requests), requests <= most))
    for delay in DELAYS:
        for situation in ("first", "changed"):
            fastest = min((tool for tool in COMMANDS if tool != OURS), key=lambda tool: median(found[delay, situation, tool]))
            ours, theirs = median(found[delay, situation, OURS]), median(found[delay, situation, fastest])
            rows.append((f"{SITUATIONS[situation]}, {delay} ms: no slower than the fastest peer", f"{ours:.2f} s; {fastest} {theirs:.2f} s", ours <= theirs))
    most_mib = max(run.mib for run in many.values())
    rows.append((f"{MANY:,} files: at most 150 MiB", f"{most_mib:.0f} MiB", most_mib <= 150))
    return rows


def versions() -> list[str]:
    def said(*line: str | Path) -> str:
        return subprocess.run([str(word) for word in line], capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()

    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "ansible", "boto3", "botocore")]
    tools = [
        f"s5cmd {said(PLACE / 'peers/bin/s5cmd', 'version')}",
        said(PLACE / "peers/bin/rclone", "version"),
        said(PLACE / "aws/bin/aws", "--version").split()[0],
    ]
    return [f"{os.cpu_count()} cores", f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}", *packages, *tools]


def document(found: dict[tuple[int, str, str], list[Run]], many: dict[str, Run], rollouts: list[str], held: list[tuple[str, str, bool]]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; nothing here is typed by hand.",
        "",
        f"- Machine: {', '.join(versions())}. Load before the run: {LOAD[0]:.1f} (1 minute).",
        "",
        "## Bounds",
        "",
        "| bound | measured | holds |",
        "|---|---|---|",
        *(f"| {bound} | {measured} | {'yes' if holds else '**no**'} |" for bound, measured, holds in held),
        "",
        *rollouts,
        "",
        "## Publication of a site",
        "",
        f"- Site: {FILES:,} files, {SIZE / 1e6:.0f} MB, as a React build makes it (`tests/bench/site.py`). A rebuild writes every file anew, with new times;",
        f"  after a change {CHANGED} files differ: {CHANGED - 1} with new hashed names, and `index.html`.",
        "- Endpoint: `tests/bench/endpoint`, S3 in memory, written in Go for this, as emulators serve some 300 PUT/s and hide every difference.",
        "  It counts the requests, and delays each by the given time. It does not check signatures.",
        f"- Each tool with its default parallelism, in turn, {RUNS} times; once where it takes more than {SLOW_SECONDS} s.",
        "  After each run the bucket is held against the directory.",
        "- Modules are run alone, as processes, with what starting Python and importing costs. Credentials are in the environment, as in AWX; where they",
        "  are in a profile, s3_publish asks boto3 for them and imports it.",
        "",
        "| tool | command |",
        "|---|---|",
        *(f"| {tool} | `{text}` |" for tool, text in COMMANDS.items()),
    ]
    for delay in DELAYS:
        lines += ["", f"### {delay} ms added to each request"]
        for situation, title in SITUATIONS.items():
            lines += ["", f"#### {title}", "", "| tool | requests | median | from - to | ratio | CPU | memory | runs |", "|---|---|---|---|---|---|---|---|"]
            ours = median(found[delay, situation, OURS])
            for tool in COMMANDS:
                runs = found[delay, situation, tool]
                spread = f"{min(run.seconds for run in runs):.2f} - {max(run.seconds for run in runs):.2f} s"
                cpu, mib = statistics.median(run.cpu for run in runs), max(run.mib for run in runs)
                ratio = f"{median(runs) / ours:.2f}"
                lines.append(f"| {tool} | {runs[-1].requests} | {median(runs):.2f} s | {spread} | {ratio} | {cpu:.2f} s | {mib:.0f} MiB | {len(runs)} |")
    lines += [
        "",
        f"### {MANY:,} small files",
        "",
        *(
            f"- {SITUATIONS[situation]}: {run.requests:,} requests, {run.seconds:.0f} s, {run.cpu:.0f} s of CPU, {run.mib:.0f} MiB at most."
            for situation, run in many.items()
        ),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    LOAD = os.getloadavg()
    rollouts = rollout.measure()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        bench = Bench(Path(place))
        found, many = bench.measure(), bench.many()
    held = [*rollout.bounds(*rollouts), *bounds(found, many)]
    (CHECKOUT / "docs" / "benchmarks.md").write_text(document(found, many, rollout.document(*rollouts), held), encoding="utf-8")
    broken = [bound for bound, _measured, holds in held if not holds]
    print("docs/benchmarks.md is written", *(f"NOT HELD: {bound}" for bound in broken), sep="\n")
    sys.exit(bool(broken))
