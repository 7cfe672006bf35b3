"""Rollouts of one service by deploy_backend.yml and by ecs-deploy, in turn: which API calls they make, and when UpdateService is called."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.actions import is_read
from e2e.conftest import free_port
from e2e.recorder import Recorder

CHECKOUT = Path(__file__).parents[2]
PLACE = CHECKOUT / ".local" / "bench"
CLOUD = PLACE / "cloud"
RUNS = 3
OURS, UNLOCKED, PEER = "deploy_backend.yml", "deploy_backend.yml without its lock", "ecs-deploy"
COMMANDS = {
    OURS: "ansible-playbook -i inventories/local deploy_backend.yml -e ARGUMENTS, which add BENCH=NUMBER to ecs_service_environment",
    UNLOCKED: "the same with ecs_service_lock: {}",
    PEER: "ecs deploy CLUSTER SERVICE -e app BENCH NUMBER",
}
UPDATE = "ecs:UpdateService"
TASK = re.compile(r"^TASK \[pulsegrid\.aws\.ecs_service : The service runs ")


class Noted(list[Any]):
    """Says of each one when it came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, one: Any) -> None:
        self.times.append(time.monotonic())
        super().append(one)


@dataclass
class Rollout:
    seconds_to_update: float
    seconds: float
    calls: list[str]  # of the module, or of the whole tool where it is no more than that
    playbook_calls: list[str]


def besides_polling(calls: list[str], reads: list[bool]) -> list[str]:
    """Those up to UpdateService, and those after it that change something."""
    update = calls.index(UPDATE)
    return [call for number, call in enumerate(calls) if number <= update or not reads[number]]


class Rollouts:
    def __init__(self) -> None:
        self.port = free_port()
        self.variables: dict[str, Any] = {"local_cloud_dir": str(CLOUD), "local_cloud_port": self.port, "local_cloud_rds_base_port": free_port()}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        # The local cloud accepts any; Ansible takes the secret out of what modules return, so it is no word that occurs there.
        credentials = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobodys-secret"}
        self.credentials = {**credentials, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}

    def playbook(self, name: str, **variables: Any) -> list[str]:
        return ["ansible-playbook", "-i", "inventories/local", name, "-e", json.dumps({**self.variables, **variables})]

    def must(self, command: list[str]) -> None:
        print(f"$ {' '.join(command[:4])}", flush=True)
        done = subprocess.run(command, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:4])} failed: {done.stdout[-3000:]}{done.stderr[-1000:]}")

    @contextmanager
    def provisioned(self) -> Iterator[dict[str, str]]:
        """A local cloud of its own, with the environment pulsegrid-local in it and the sample's backend in ECR and running."""
        self.must(self.playbook("playbooks/local_down.yml"))
        try:
            self.must(self.playbook("playbooks/local_up.yml"))
            self.must(self.playbook("site.yml"))
            self.must(self.playbook("deploy_backend.yml"))
            yield json.loads((CLOUD / "outputs" / "pulsegrid-local.json").read_text(encoding="utf-8"))["service"]
        finally:
            self.must(self.playbook("playbooks/local_down.yml"))

    def measure(self) -> dict[str, list[Rollout]]:
        found: dict[str, list[Rollout]] = {tool: [] for tool in COMMANDS}
        with self.provisioned() as service, Recorder(self.port) as recorder:
            environment = {**self.credentials, "AWS_ENDPOINT_URL": recorder.url}
            for number in range(RUNS):
                for tool in COMMANDS:
                    value = f"{os.getpid()}-{number}-{tool.replace(' ', '-')}"
                    if tool == PEER:
                        own = environment
                        command = [str(PLACE / "ecs-deploy/bin/ecs"), "deploy", service["cluster_name"], service["service_name"], "-e", "app", "BENCH", value]
                    else:
                        # Ansible says when a task begins, and not when it has a result.
                        own = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
                        changed = f"{{{{ pulsegrid_backend_env | combine({{'BENCH': '{value}'}}) }}}}"
                        variables = {"pulsegrid_aws_environment": environment, "ecs_service_environment": changed}
                        command = self.playbook("deploy_backend.yml", **variables, **({"ecs_service_lock": {}} if tool == UNLOCKED else {}))
                    run = self.run(tool, command, recorder, own)
                    found[tool].append(run)
                    print(f"rollout, {tool}: {run.seconds_to_update:.2f} s to UpdateService, {len(run.calls)} calls", flush=True)
        return found

    def run(self, tool: str, command: list[str], recorder: Recorder, environment: dict[str, str]) -> Rollout:
        recorder.requests = requests = Noted()
        began = time.monotonic()
        lines: list[tuple[float, str]] = []
        with subprocess.Popen(
            command, cwd=CHECKOUT, env={**self.environment, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout
            for line in process.stdout:
                lines.append((time.monotonic(), line))
        ended = time.monotonic()
        if process.returncode:
            raise SystemExit(f"{tool} failed: {''.join(line for _when, line in lines)[-3000:]}")
        calls = [str(request.operation) for request in requests]
        reads = [is_read(request.operation) for request in requests]
        first, last = (0.0, ended) if tool == PEER else task_of(lines, ended)
        own = [number for number, when in enumerate(requests.times) if first <= when <= last]
        return Rollout(
            requests.times[calls.index(UPDATE)] - began,
            ended - began,
            besides_polling([calls[number] for number in own], [reads[number] for number in own]),
            besides_polling(calls, reads),
        )


def task_of(lines: list[tuple[float, str]], ended: float) -> tuple[float, float]:
    """When the task that runs the module ecs_service began and ended."""
    starts = [(when, line) for when, line in lines if line.startswith(("TASK [", "PLAY RECAP"))]
    number = next(number for number, (_when, line) in enumerate(starts) if TASK.match(line))
    return starts[number][0], starts[number + 1][0] if number + 1 < len(starts) else ended


if __name__ == "__main__":
    print(json.dumps({tool: [vars(run) for run in runs] for tool, runs in Rollouts().measure().items()}, indent=1), file=sys.stdout)
