"""A run that is ended, in each of the ways in which ansible-playbook is, leaves no lock; one that is killed leaves it until it expires."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..progress.talking import CONNECTIONS, Talking
from .conftest import ENVIRONMENT
from .fake_s3 import FakeS3


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_leaves_no_lock(s3: FakeS3, tmp_path: Path, connection: str, number: int) -> None:
    tasks = [
        {"name": "the warmed process is ready", "ansible.builtin.wait_for": {"timeout": 3 if "warm" in connection else 0}},
        {"talk": {"say": "holds it", "seconds": 60, "lock": {"bucket": "shop", "holder": "alice"}}},
    ]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    process = Talking(tmp_path).start(tasks, connection, **ENVIRONMENT, AWS_ENDPOINT_URL=s3.url)
    while (line := process.stdout.readline()) and line != "one: holds it 0\n":
        pass
    assert line, process.communicate()[1]
    assert s3.objects

    process.send_signal(number)
    process.communicate(timeout=30)

    assert within(30, lambda: s3.objects == {})
