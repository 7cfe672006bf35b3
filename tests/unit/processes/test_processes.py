# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils import processes
from ansible_collections.pulsegrid.aws.plugins.module_utils.processes import Shared

COUNT = 1001


def numbered(number: int) -> bytes:
    return number.to_bytes(4, "big")


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(3)))


def test_results_are_in_order_and_made_by_several_processes() -> None:
    shared = Shared(COUNT, 8, lambda number: numbered(number) + numbered(os.getpid()))
    results = shared.results()

    assert [int.from_bytes(result[:4], "big") for result in results] == list(range(COUNT))
    assert len({result[4:] for result in results}) == 3
    for process, _pipe in shared.forks:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, 0)


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0])
def test_what_a_fork_does_not_deliver_is_done_here(end: object) -> None:
    here = os.getpid()

    def work(number: int) -> bytes:
        if os.getpid() != here and number > 500:
            end()  # type: ignore[operator]
        return numbered(number)

    assert Shared(COUNT, 4, work).results() == [numbered(number) for number in range(COUNT)]


def test_an_error_is_raised_here() -> None:
    def work(number: int) -> bytes:
        if number == 502:
            raise FileNotFoundError(number)
        return numbered(number)

    with pytest.raises(FileNotFoundError):
        Shared(COUNT, 4, work).results()


def test_a_few_are_done_here() -> None:
    assert Shared(processes.LEAST, 4, numbered).forks == []
