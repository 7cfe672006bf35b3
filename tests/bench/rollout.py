"""A deploy of the backend beside ecs-deploy, on a local cloud of its own: what is called besides polling, and how soon UpdateService is."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from contracts.actions import is_read
from e2e.conftest import CHECKOUT, Cloud, free_port
from e2e.recorder import Recorder

PLACE = CHECKOUT / ".local" / "bench"
NAME = "pulsegrid-local"
RUNS = 5
OURS = "deploy_backend.yml"
PEER = "ecs-deploy"
UPDATE = "ecs:UpdateService"
COMMANDS = {OURS: f"ansible-playbook -i inventories/local {OURS} -e ecs_service_memory_mib=OTHER", PEER: "ecs deploy CLUSTER SERVICE -e app BENCH NUMBER"}


@dataclass
class Rollout:
    seconds: float  # from the start of the process to the call of UpdateService
    calls: list[str]  # of ECS and for its sake, besides polling and the lock
    lock: list[str]
    all_calls: int  # of the whole run up to UpdateService


def environment(url: str) -> dict[str, str]:
    files = {name: str(CHECKOUT / "inventories/local/aws.cfg") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    return {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": url, "AWS_PROFILE": "local", **files}


def ours(cloud: Cloud, recorder: Recorder, number: int) -> None:
    cloud.playbook(OURS, ecs_service_memory_mib=1024 + 1024 * (number % 2), pulsegrid_aws_environment=environment(recorder.url))


def peer(_cloud: Cloud, recorder: Recorder, number: int) -> None:
    line = [PLACE / "peers/bin/ecs", "deploy", NAME, NAME, "-e", "app", "BENCH", str(number)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    subprocess.run(line, env=kept | environment(recorder.url), check=True, stdout=subprocess.DEVNULL)


def rollout(run: Any, cloud: Cloud, number: int) -> Rollout:
    with Recorder(cloud.port) as recorder:
        began = time.monotonic()
        run(cloud, recorder, number)
    calls = recorder.calls
    at = calls.index(UPDATE)
    # The module's calls begin with the first of ECS; what comes before finds the environment and verifies.
    first = next(number for number, call in enumerate(calls) if call.startswith("ecs:"))
    written = [str(request.operation) for request in recorder.requests[at + 1 :] if not is_read(request.operation)]
    besides_polling = calls[first : at + 1] + written
    lock = [call for call in besides_polling if call.startswith("s3:")]
    return Rollout(recorder.times[at] - began, [call for call in besides_polling if call not in lock], lock, at + 1)


def measure() -> tuple[dict[str, list[Rollout]], list[float]]:
    """The rollouts of both in turn, and the seconds of deploys that have nothing to change."""
    state = PLACE / "cloud"
    cloud = Cloud(free_port())
    cloud.variables = {"local_cloud_dir": str(state), "local_cloud_port": cloud.port, "local_cloud_rds_base_port": free_port()}
    found: dict[str, list[Rollout]] = {OURS: [], PEER: []}
    try:
        for playbook in ("playbooks/local_up.yml", "site.yml", OURS):
            cloud.playbook(playbook)
        unchanged = [cloud.playbook(OURS).seconds for _number in range(RUNS)]
        for number in range(RUNS):
            for name, run in ((OURS, ours), (PEER, peer)):
                found[name].append(rollout(run, cloud, number))
                print(f"{name}: UpdateService after {found[name][-1].seconds:.2f} s, {found[name][-1].calls}", flush=True)
    finally:
        cloud.playbook("playbooks/local_down.yml")
    return found, unchanged


def bounds(found: dict[str, list[Rollout]], unchanged: list[float]) -> list[tuple[str, str, bool]]:
    calls = {name: max(len(run.calls) for run in runs) for name, runs in found.items()}
    seconds = {name: statistics.median(run.seconds for run in runs) for name, runs in found.items()}
    return [
        ("Rollout: at most 6 API calls besides polling", f"{calls[OURS]}; {PEER} {calls[PEER]}", calls[OURS] <= 6),
        ("Rollout: UpdateService within 3 s of the playbook's start", f"{seconds[OURS]:.2f} s; {PEER} {seconds[PEER]:.2f} s", seconds[OURS] < 3),
        ("A deploy that has nothing to change: under 5 s", f"{statistics.median(unchanged):.2f} s", statistics.median(unchanged) < 5),
    ]


def document(found: dict[str, list[Rollout]], unchanged: list[float]) -> list[str]:
    lines = [
        "## Rollout",
        "",
        "On a local cloud, the image in ECR; a recorder between it and the tools tells what is called when. A deploy with `deploy_backend.yml` finds the",
        "environment, verifies that the release can run, and takes the lock before it calls UpdateService; ecs-deploy does none of that.",
        "",
        "| tool | command | UpdateService after, median | from - to | calls besides polling | and for the lock | all calls until then |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        seconds = [run.seconds for run in runs]
        last = runs[-1]
        lines.append(
            f"| {name} | `{COMMANDS[name]}` | {statistics.median(seconds):.2f} s | {min(seconds):.2f} - {max(seconds):.2f} s | {len(last.calls)}"
            f" | {len(last.lock)} | {last.all_calls} |"
        )
    lines += [
        "",
        *(f"- {name} calls {', '.join(call.partition(':')[2] for call in runs[-1].calls)}." for name, runs in found.items()),
        f"- A deploy that has nothing to change takes {statistics.median(unchanged):.2f} s, the median of {len(unchanged)} runs of {min(unchanged):.2f} -"
        f" {max(unchanged):.2f} s.",
    ]
    return lines
