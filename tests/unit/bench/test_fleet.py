"""What the benchmark of many environments measures of a run, without a cloud."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import fleet

BUSY = """
import os, time
held = bytes(range(256)) * (60 << 12)
if not (child := os.fork()):
    end = time.process_time() + 1
    while time.process_time() < end:
        pass
    os._exit(0)
os.waitpid(child, 0)
time.sleep(2)
"""


def test_memory_and_processor_time_are_those_of_all_its_processes(tmp_path: Path) -> None:
    seconds, cpu, mib = fleet.watched([sys.executable, "-c", BUSY], tmp_path / "log")

    assert seconds >= 3
    assert 1 <= cpu < 2.5
    assert 60 < mib < 110  # the fork shares its parent's


def test_a_run_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="failed: why"):
        fleet.watched([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "log")


@pytest.fixture
def warmed(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """As the connection plugin starts it: in a session of its own, told whose it is."""
    (tmp_path / "warm_server.py").write_text("import time; time.sleep(60)")
    with subprocess.Popen([sys.executable, tmp_path / "warm_server.py", "socket", "1234567"], start_new_session=True) as process:
        yield process
        process.kill()


def test_the_warmed_process_of_a_run_is_one_of_its_own(warmed: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while warmed.pid not in fleet.roots(1234567):
        assert time.monotonic() < end
    assert warmed.pid not in fleet.roots(123456)


def test_hosts_have_accounts_roles_and_regions_of_their_own(tmp_path: Path) -> None:
    fleet.Fleet(12, 4566, tmp_path)
    hosts = json.loads((tmp_path / "hosts.yml").read_text())["local"]["children"]["fleet"]["hosts"]

    assert len({host["pulsegrid_account_id"] for host in hosts.values()}) == 12
    assert all(host["pulsegrid_assume_role_arn"].split(":")[4] == host["pulsegrid_account_id"] for host in hosts.values())
    assert {host["pulsegrid_region"] for host in hosts.values()} == set(fleet.REGIONS)


def took(kind: str, environments: int, seconds: float, mib: float, forks: int = fleet.USUAL) -> fleet.Took:
    return fleet.Took(kind, environments, forks, seconds, seconds / 2, mib)


def test_the_bounds_are_what_one_alone_takes_and_what_each_one_more_adds() -> None:
    found = [took(kind, number, number * 8, 200 + number) for kind in (fleet.FIRST, fleet.AGAIN) for number in fleet.ENVIRONMENTS]
    found += [took(fleet.AGAIN, 50, 999, 900, forks) for forks in fleet.FORKS if forks != fleet.USUAL]

    assert [holds for _bound, _measured, holds in fleet.bounds(found)] == [True] * 4
    text = "\n".join(fleet.document(found))
    assert "| second run | 50 | 25 | 999 s | 20.0 s | 10.0 s | 900 MiB | 18 MiB |" in text
    assert "2.0 forks keep a core busy" in text

    found[3] = took(fleet.FIRST, 50, 50 * 8.1, 200 + 12 + 38 * 4.1)
    assert [holds for _bound, _measured, holds in fleet.bounds(found)] == [False, False, True, True]
