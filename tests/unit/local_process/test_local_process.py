"""local_process: real processes, run as a playbook would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[3] / "plugins" / "modules" / "local_process.py"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def run(check: bool = False, **arguments: Any) -> dict[str, Any]:
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}})
    done = subprocess.run([sys.executable, str(MODULE)], input=given, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def process(tmp_path: Path):
    arguments = {"pid_file": str(tmp_path / "pid.json"), "log_file": str(tmp_path / "log"), "argv": SLEEPER}
    yield arguments
    run(pid_file=arguments["pid_file"], state="stopped")


def test_starts_once_and_outlives_the_module(process):
    first = run(**process)
    assert first["changed"]
    assert alive(first["pid"])
    second = run(**process)
    assert not second["changed"]
    assert second["pid"] == first["pid"]


def test_check_mode_predicts_and_starts_nothing(process, tmp_path):
    assert run(check=True, **process)["changed"]
    assert not (tmp_path / "pid.json").exists()
    running = run(**process)
    assert not run(check=True, **process)["changed"]
    assert run(check=True, pid_file=process["pid_file"], state="stopped")["changed"]
    assert alive(running["pid"])


@pytest.mark.parametrize("change", [{"environment": {"A": "2"}}, {"argv": [*SLEEPER, "more"]}])
def test_a_change_restarts(process, change):
    first = run(**process)
    second = run(**{**process, **change})
    assert second["changed"]
    assert second["pid"] != first["pid"]
    assert not alive(first["pid"])


def test_a_changed_file_restarts(process, tmp_path):
    file = tmp_path / "settings"
    file.write_text("1")
    first = run(**process, files=[str(file)])
    file.write_text("2")
    assert run(**process, files=[str(file)])["pid"] != first["pid"]


def test_a_killed_process_is_started_again(process):
    first = run(**process)
    os.kill(first["pid"], signal.SIGKILL)
    while alive(first["pid"]):
        time.sleep(0.01)
    second = run(**process)
    assert second["changed"]
    assert alive(second["pid"])


def test_stops_and_forgets(process, tmp_path):
    running = run(**process)
    assert run(pid_file=process["pid_file"], state="stopped")["changed"]
    assert not alive(running["pid"])
    assert not (tmp_path / "pid.json").exists()
    assert not run(pid_file=process["pid_file"], state="stopped")["changed"]


def test_a_process_id_of_another_program_is_left_alone(process, tmp_path):
    with subprocess.Popen(SLEEPER) as other:
        try:
            record = {"pid": other.pid, "start_time": 1, "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "fingerprint": ""}
            (tmp_path / "pid.json").write_text(json.dumps(record))
            assert not run(pid_file=process["pid_file"], state="stopped")["changed"]
            assert alive(other.pid)
        finally:
            other.kill()


def test_a_program_that_ends_at_once_fails_with_what_it_said(process):
    failed = run(**{**process, "argv": [sys.executable, "-c", "import sys; sys.exit('no such thing')"]}, listens_on="127.0.0.1:1")
    assert failed["failed"]
    assert "no such thing" in failed["msg"]


def test_waits_until_the_program_listens(process, tmp_path):
    server = f"import socket, time; time.sleep(0.5); s = socket.socket(socket.AF_UNIX); s.bind({str(tmp_path / 's')!r}); s.listen(); time.sleep(60)"
    assert run(**{**process, "argv": [sys.executable, "-c", server]}, listens_on=str(tmp_path / "s"))["changed"]
    assert (tmp_path / "s").exists()
