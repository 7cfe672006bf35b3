"""A fresh local cloud of the test's own, beside whatever runs on this machine, and the playbooks run against it as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

CHECKOUT = Path(__file__).parents[2]
STATE = CHECKOUT / ".local" / "e2e"
READY_SECONDS = 20
RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)", re.M)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Run:
    """One ansible-playbook run: what it printed, what the recap counted, how long it took."""

    code: int
    lines: list[tuple[float, str]]  # each with the second in which it came
    seconds: float

    @property
    def output(self) -> str:
        return "".join(line for _second, line in self.lines)

    def when(self, pattern: str) -> list[float]:
        """The seconds in which lines of this kind came."""
        return [second for second, line in self.lines if re.search(pattern, line)]

    @property
    def reason(self) -> str:
        """The first sentence of what the failed task says."""
        said = re.search(r"^\[ERROR\]: (?:Task failed: )?(?:Module failed: |Action failed: )?(?P<reason>.*)", self.output, re.M)
        assert said, self.output[-4000:]
        return said["reason"]

    def count(self, what: str) -> int:
        recap = RECAP.search(self.output)
        assert recap, self.output[-4000:]
        return int(recap[what])

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something."""
        tasks = re.split(r"^TASK ", self.output, flags=re.M)[1:]
        return [task.partition("] *")[0].lstrip("[") for task in tasks if re.search(r"^changed: ", task, re.M)]


@dataclass
class Cloud:
    """The local cloud of this test session and the environment pulsegrid-local in it."""

    port: int
    variables: dict[str, Any] = field(default_factory=dict)
    first_provision: str = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def playbook(
        self,
        name: str,
        *arguments: str,
        ok: bool = True,
        where: Path = CHECKOUT,
        started: Callable[[subprocess.Popen[str]], None] | None = None,
        **variables: Any,
    ) -> Run:
        """Run a playbook, its output shown as it comes (nobody likes a silent minute). It is told to who wants to end it."""
        command = ["ansible-playbook", "-i", "inventories/local", name, "-e", json.dumps({**self.variables, **variables}), *arguments]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_") and key not in {"ANSIBLE_FORCE_COLOR"}}
        began = time.monotonic()
        lines: list[tuple[float, str]] = []
        print(f"\n$ ansible-playbook {name} {' '.join(arguments)} {variables or ''}", file=sys.stderr, flush=True)
        with subprocess.Popen(
            command, cwd=where, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=started is not None
        ) as process:
            assert process.stdout
            if started:
                started(process)
            for line in process.stdout:
                lines.append((time.monotonic() - began, line))
                if line.startswith(("TASK", "fatal", "pulsegrid-local  ")):
                    print(f"{time.monotonic() - began:6.1f}  {line.strip()[:150]}", file=sys.stderr, flush=True)
        run = Run(process.wait(), lines, time.monotonic() - began)
        if ok:
            assert run.code == 0, run.output[-6000:]
        return run

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local")

    @property
    def outputs(self) -> dict[str, Any]:
        return json.loads((STATE / "outputs" / "pulsegrid-local.json").read_text())

    @property
    def site_host(self) -> str:
        """The host under which a browser finds the CloudFront distribution."""
        return self.outputs["url"].removeprefix("http://").rstrip("/")

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.request("GET", path, **more)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> requests.Response:
        """A request as a browser at the CloudFront address makes it."""
        return requests.request(method, self.endpoint + path, headers={"Host": self.site_host, **(headers or {})}, timeout=10, allow_redirects=False, **more)


@pytest.fixture(scope="session")
def cloud():
    shutil.rmtree(STATE, ignore_errors=True)
    cloud = Cloud(free_port())
    cloud.variables = {"local_cloud_dir": str(STATE), "local_cloud_port": cloud.port, "local_cloud_rds_base_port": free_port()}
    try:
        cloud.playbook("playbooks/local_up.yml")
        yield cloud
    finally:
        cloud.playbook("playbooks/local_down.yml")
    assert not STATE.exists()


@pytest.fixture(scope="session")
def provisioned(cloud: Cloud) -> Cloud:
    cloud.first_provision = cloud.playbook("site.yml", "-vvv", "--diff").output
    return cloud


@pytest.fixture(scope="session")
def backend(provisioned: Cloud) -> Cloud:
    provisioned.playbook("deploy_backend.yml")
    return provisioned


@pytest.fixture(scope="session")
def application(backend: Cloud) -> Cloud:
    backend.playbook("deploy_frontend.yml")
    return backend


def aws_environment(endpoint: str) -> dict[str, str]:
    """What a playbook is told so that its AWS calls go there."""
    return {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_PROFILE": "local",
        **{name: str(CHECKOUT / "inventories/local/aws.cfg") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")},
    }


def descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for line in subprocess.run(["ps", "-eo", "ppid=,pid="], capture_output=True, text=True, check=True).stdout.splitlines():
        parent, child = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, new = set(), {pid}
    while new:
        found |= new
        new = {child for parent in new for child in children.get(parent, [])} - found
    return found


def kill(process: subprocess.Popen[str]) -> None:
    """End a run and all that it started as a machine does that is turned off."""
    for pid in descendants(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(condition: Any, what: str, seconds: float = READY_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"not {what} after {seconds} s"
        time.sleep(0.5)
    return answer


@contextmanager
def steady_requests(cloud: Cloud, pause_seconds: float = 0.02) -> Iterator[list[Any]]:
    """Requests one after another, as long as it is entered; each answer's status, or the error, is in the list."""
    answers: list[Any] = []
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                answers.append(cloud.get("/api/v1/health").status_code)
            except requests.RequestException as error:
                answers.append(repr(error))
            time.sleep(pause_seconds)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def running_version(cloud: Cloud) -> str:
    return cloud.get("/api/v1/health").json()["version"]
