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
    waited: float  # of them, those in which a request was with the cloud
    calls: list[str]  # of ECS, besides polling
    others: list[str]  # for the secrets and the lock
    all_calls: int  # of the whole run up to UpdateService

    @property
    def own(self) -> float:
        return self.seconds - self.waited


def union(spans: list[list[float]], end: float) -> float:
    """The seconds that are in one of the spans or more, before the end."""
    total, covered = 0.0, 0.0
    for began, ended in sorted(spans):
        first, last = max(began, covered), min(ended, end)
        total += max(last - first, 0)
        covered = max(covered, last)
    return total


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
    # A rollout begins with the first call of ECS; what comes before finds the environment. What is read for the verification is not the rollout's.
    first = next(number for number, call in enumerate(calls) if call.startswith("ecs:"))
    written = [str(request.operation) for request in recorder.requests[at + 1 :] if not is_read(request.operation)]
    rolling = [call for call in calls[first : at + 1] + written if call.partition(":")[0] in ("ecs", "s3", "secretsmanager")]
    of_ecs = [call for call in rolling if call.startswith("ecs:")]
    updated = recorder.spans[at][0]
    waited = union(recorder.spans[:at], updated)
    return Rollout(updated - began, waited, of_ecs, [call for call in rolling if call not in of_ecs], at + 1)


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
                print(f"{name}: UpdateService after {found[name][-1].own:.2f} s of its own, {found[name][-1].calls}", flush=True)
    finally:
        cloud.playbook("playbooks/local_down.yml")
    return found, unchanged


def bounds(found: dict[str, list[Rollout]], unchanged: list[float]) -> list[tuple[str, str, bool]]:
    calls = {name: max(len(run.calls) for run in runs) for name, runs in found.items()}
    own = {name: statistics.median(run.own for run in runs) for name, runs in found.items()}
    return [
        ("Rollout: at most 6 calls of ECS besides polling", f"{calls[OURS]}; {PEER} {calls[PEER]}", calls[OURS] <= 6),
        ("Rollout: under 3 s of its own time until UpdateService", f"{own[OURS]:.2f} s; {PEER} {own[PEER]:.2f} s", own[OURS] < 3),
        ("A deploy that has nothing to change: under 5 s", f"{statistics.median(unchanged):.2f} s", statistics.median(unchanged) < 5),
    ]


def document(found: dict[str, list[Rollout]], unchanged: list[float]) -> list[str]:
    lines = [
        "On a local cloud, the image in ECR; a recorder between it and the tools tells what is called when. A deploy with `deploy_backend.yml` finds the",
        "environment, verifies that the release can run, and takes the lock before it calls UpdateService; ecs-deploy does none of that. Its own time is",
        "what passes from the start of the process until UpdateService is called while no request is with the cloud.",
        "",
        "| tool | command | own time, median | from - to | in all | calls of ECS besides polling | for secrets, lock | all until UpdateService |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        own = [run.own for run in runs]
        last = runs[-1]
        lines.append(
            f"| {name} | `{COMMANDS[name]}` | {statistics.median(own):.2f} s | {min(own):.2f} - {max(own):.2f} s"
            f" | {statistics.median(run.seconds for run in runs):.2f} s | {len(last.calls)} | {len(last.others)} | {last.all_calls} |"
        )
    lines += [
        "",
        *(f"- {name} calls {', '.join(call.partition(':')[2] for call in [*runs[-1].calls, *runs[-1].others])}." for name, runs in found.items()),
        f"- A deploy that has nothing to change takes {statistics.median(unchanged):.2f} s, the median of {len(unchanged)} runs of {min(unchanged):.2f} -"
        f" {max(unchanged):.2f} s.",
    ]
    return lines
