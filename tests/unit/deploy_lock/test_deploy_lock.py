"""Of all who take the lock at once, one holds it; who it is, is said to the others; and it is gone when the holder is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import deploy_lock
from ansible_collections.pulsegrid.aws.plugins.module_utils.deploy_lock import LOCK_OPTIONS, DeployLock
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import PROGRESS_OPTIONS
from ansible_collections.pulsegrid.aws.plugins.modules import deploy_lock as freeze

from ..conftest import CHECKOUT
from .fake_s3 import LOSE, FakeS3

BUCKET = "shop-dev-site-123456789012"
KEY = f"/{BUCKET}/deploy.lock"


class Failed(Exception):
    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class Exited(Exception):
    pass


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in deploy_lock.SIGNALS}

    def fail(_module: Any, msg: str, **result: Any) -> None:
        raise Failed({"msg": msg, **result})

    def leave(_module: Any, **result: Any) -> None:
        raise Exited(result)

    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail)
    monkeypatch.setattr(basic.AnsibleModule, "exit_json", leave)
    monkeypatch.setattr(deploy_lock, "TRY_AGAIN_SECONDS", 0.05)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def lock_of(holder: str, check: bool = False, progress_to: str | None = None, **options: Any) -> DeployLock:
    arguments = {"lock": {"bucket": BUCKET, "holder": holder, **options}, "progress_to": progress_to, "_ansible_check_mode": check}
    with patch_module_args(arguments):
        module = AnsibleAWSModule(argument_spec={**LOCK_OPTIONS, **PROGRESS_OPTIONS}, supports_check_mode=True)
    module.warnings = []
    module.warn = module.warnings.append
    return DeployLock(module)


def run_freeze(check: bool = False, **options: Any) -> dict[str, Any]:
    with patch_module_args({"bucket": BUCKET, "_ansible_check_mode": check, **options}), pytest.raises(Exited) as ended:
        freeze.main()
    return ended.value.args[0]


def held_by(s3: FakeS3) -> str:
    return json.loads(s3.objects[KEY][0])["holder"] if KEY in s3.objects else ""


# Taking and removing


def test_it_is_there_while_the_block_runs(s3: FakeS3) -> None:
    with lock_of("alice", why="release 1") as lock:
        assert lock.held
        assert held_by(s3) == "alice"
    assert s3.objects == {}
    assert s3.requests == ["PUT", "DELETE"]


@pytest.mark.parametrize("how", [RuntimeError, SystemExit, KeyboardInterrupt, "fail_json", "exit_json"])
def test_it_is_removed_however_the_block_ends(s3: FakeS3, how: Any) -> None:
    lock = lock_of("alice")

    def block() -> None:
        with lock:
            if isinstance(how, str):
                getattr(lock.module, how)(msg="so")
            raise how

    with pytest.raises((RuntimeError, SystemExit, KeyboardInterrupt, Failed, Exited)):
        block()
    assert s3.objects == {}


def test_without_the_option_nothing_is_asked(s3: FakeS3) -> None:
    with patch_module_args({}):
        module = AnsibleAWSModule(argument_spec=LOCK_OPTIONS)
    with DeployLock(module) as lock:
        assert not lock.held
    assert s3.requests == []


def test_who_is_locked_out_is_told_by_whom_and_what_to_do(s3: FakeS3) -> None:
    with lock_of("alice", why="release 1", expires_seconds=600), pytest.raises(Failed) as refused, lock_of("bob"):
        pytest.fail("both have it")
    said = r"The deploy lock is held by alice since 20..-..-.. ..:..:.. UTC \(release 1\)\. It expires at .* UTC, in 10 min; the playbook unlock.yml .*"
    assert re.fullmatch(said, str(refused.value))
    assert refused.value.result["lock"]["holder"] == "alice"


def test_the_other_lock_is_still_there_after_a_refusal(s3: FakeS3) -> None:
    lock = lock_of("alice")
    with lock:
        with pytest.raises(Failed), lock_of("bob"):
            pass
        assert held_by(s3) == "alice"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"expires_seconds": 0}, "lock.expires_seconds is 0: allowed are whole numbers from 1."),
        ({"wait_seconds": -1}, "lock.wait_seconds is -1: allowed are whole numbers from 0."),
        ({"bucket": ""}, "lock.bucket is '': it must not be empty."),
        ({"holder": " "}, "lock.holder is ' ': it must not be empty."),
    ],
)
def test_wrong_options_are_refused_before_the_first_request(s3: FakeS3, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Failed, match=re.escape(said)):
        lock_of(**{"holder": "alice", **options})
    assert s3.requests == []


def test_check_mode_takes_nothing_and_warns(s3: FakeS3) -> None:
    with lock_of("alice"):
        with lock_of("bob", check=True) as lock:
            assert not lock.held
        assert lock.module.warnings[0].startswith("The deploy lock is held by alice")
    with lock_of("bob", check=True) as lock:
        pass
    assert lock.module.warnings == []
    with lock_of("bob", check=True, bucket="nowhere") as lock:
        pass
    assert lock.module.warnings == []
    assert s3.requests == ["PUT", "GET", "DELETE", "GET", "GET"]


# Expiry, by S3's clock


def test_an_expired_lock_is_taken_over_and_its_holder_leaves_it_alone(s3: FakeS3) -> None:
    first = lock_of("alice", expires_seconds=60)
    with first:
        s3.ahead += 61
        with lock_of("bob") as second:
            assert "alice" in second.module.warnings[0]
            first.__exit__(None, None, None)
            assert held_by(s3) == "bob"
            assert "another has taken it" in first.module.warnings[0]
    assert s3.objects == {}


@pytest.mark.parametrize("ahead", [-86400, 86400])
def test_this_machines_clock_does_not_matter(s3: FakeS3, ahead: int) -> None:
    s3.ahead = ahead
    with lock_of("alice", expires_seconds=60), pytest.raises(Failed, match="in 1 min"), lock_of("bob"):
        pass


def race(takers: list[DeployLock]) -> list[str]:
    """Who holds the lock when all have tried at the same moment."""
    start, got = threading.Barrier(len(takers)), []

    def take(lock: DeployLock) -> None:
        start.wait()
        try:
            lock.__enter__()
            got.append(lock.options["holder"])
        except Failed:
            pass

    threads = [threading.Thread(target=take, args=(lock,)) for lock in takers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_who_take_it_at_once_one_has_it(s3: FakeS3, expired: bool) -> None:
    if expired:
        lock_of("somebody", expires_seconds=60).__enter__()
        s3.ahead += 60
    takers = [lock_of(f"taker {number}") for number in range(12)]

    got = race(takers)

    assert got == [held_by(s3)]


# Requests that go wrong


def test_a_lost_answer_does_not_lock_out_the_holder(s3: FakeS3) -> None:
    s3.faults["PUT"] = deque([LOSE])
    with lock_of("alice") as lock:
        assert lock.held
    assert s3.objects == {}


def test_a_conflict_of_two_writes_is_tried_again(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    s3.faults["PUT"] = deque([(409, "ConditionalRequestConflict")] * 2)
    with lock_of("alice") as lock:
        assert lock.held


def test_a_lock_that_may_have_been_written_is_removed(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = lock_of("alice")
    written = lock.object.write

    def interrupted(*arguments: Any) -> None:
        written(*arguments)
        lock.interrupt(signal.SIGTERM, None)

    monkeypatch.setattr(lock.object, "write", interrupted)
    with pytest.raises(Failed, match="SIGTERM"):
        lock.__enter__()
    assert s3.objects == {}


def test_a_lock_that_cannot_be_removed_is_no_failure(s3: FakeS3) -> None:
    with lock_of("alice") as lock:
        s3.faults["DELETE"] = deque([(403, "AccessDenied")])
    assert "could not be removed" in lock.module.warnings[0]


def test_a_missing_permission_is_a_failure(s3: FakeS3) -> None:
    s3.faults["PUT"] = deque([(403, "AccessDenied")])
    with pytest.raises(Failed, match=f"could not take the deploy lock s3://{BUCKET}/deploy.lock"), lock_of("alice"):
        pass


# Waiting


def test_it_is_waited_for_and_said_for_whom(s3: FakeS3, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.touch()
    other = lock_of("alice", why="release 1")
    other.__enter__()

    def release_when_it_is_said() -> None:
        while not lines.read_text():
            time.sleep(0.02)
        other.release()

    threading.Thread(target=release_when_it_is_said, daemon=True).start()
    with lock_of("bob", wait_seconds=30, progress_to=str(lines)) as lock:
        assert lock.held
    assert re.match(r"waiting for the deploy lock, which alice since .* \(release 1\) holds; \d+ s at most\n$", lines.read_text())


def test_when_the_time_is_over_it_is_a_failure(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock_of("alice"), pytest.raises(Failed, match="held by alice"), lock_of("bob", wait_seconds=1):
        pass
    assert len(s3.requests) > 5


# Killed


def holder(seconds: float = 0, **options: Any) -> subprocess.Popen[str]:
    """A process of its own that takes the lock as a module does."""
    script = Path(__file__).with_name("holder.py")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")}
    arguments = [sys.executable, str(script), json.dumps({"bucket": BUCKET, "holder": "alice", **options}), str(seconds)]
    return subprocess.Popen(arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_holder_that_is_ended_by_a_signal_removes_it(s3: FakeS3, number: int) -> None:
    process = holder(60)
    assert process.stdout.readline() == "held\n", process.communicate()[1]
    assert held_by(s3) == "alice"

    process.send_signal(number)

    out, _error = process.communicate(timeout=20)
    assert json.loads(out)["msg"] == f"ended by the signal {signal.Signals(number).name}"
    assert s3.objects == {}


def test_of_many_processes_one_has_it_at_a_time(s3: FakeS3) -> None:
    processes = [holder(0.2, wait_seconds=60) for _each in range(4)]
    outcomes = [json.loads(process.communicate(timeout=60)[0].partition("\n")[2]) for process in processes]
    order = sorted((outcome["taken"], outcome["left"]) for outcome in outcomes)
    assert all(left < taken for (_taken, left), (taken, _left) in pairwise(order))
    assert s3.objects == {}


# The freeze


def test_a_freeze_locks_deploys_out_until_it_is_ended(s3: FakeS3) -> None:
    done = run_freeze(holder="carol", why="holidays")
    assert done["changed"]
    assert done["frozen"]
    assert done["lock"]["expires"] == ""
    s3.ahead += 10**7
    with pytest.raises(Failed, match=r"Deploys are frozen by carol since .* \(holidays\)\. The playbook unlock.yml ends the freeze."):
        lock_of("alice", wait_seconds=60).__enter__()
    assert run_freeze(holder="carol", why="holidays")["changed"] is False
    assert run_freeze()["frozen"]

    ended = run_freeze(state="absent")

    assert ended["changed"]
    assert ended["lock"]["holder"] == "carol"
    assert run_freeze(state="absent")["changed"] is False
    with lock_of("alice") as lock:
        assert lock.held


def test_a_freeze_does_not_displace_a_deploy_but_a_lock_that_has_expired(s3: FakeS3) -> None:
    lock_of("alice", expires_seconds=60).__enter__()
    with patch_module_args({"bucket": BUCKET, "holder": "carol", "why": "holidays"}), pytest.raises(Failed, match="held by alice"):
        freeze.main()
    s3.ahead += 60
    assert run_freeze()["lock"] == {}
    assert run_freeze(holder="carol", why="holidays")["changed"]
    assert held_by(s3) == "carol"


def test_a_deploys_lock_is_removed_whoever_holds_it(s3: FakeS3) -> None:
    lock_of("alice", why="release 1").__enter__()
    removed = run_freeze(state="absent")
    assert (removed["changed"], removed["frozen"], removed["lock"]["holder"]) == (True, False, "alice")
    assert s3.objects == {}


def test_check_mode_predicts(s3: FakeS3) -> None:
    assert run_freeze(check=True, holder="carol", why="holidays")["changed"]
    assert run_freeze(check=True, bucket="nowhere", holder="carol", why="holidays")["changed"]
    assert not run_freeze(check=True, bucket="nowhere", state="absent")["changed"]
    assert not run_freeze(bucket="nowhere")["lock"]
    run_freeze(holder="carol", why="holidays")
    assert run_freeze(check=True, state="absent")["changed"]
    assert held_by(s3) == "carol"
    assert s3.requests.count("PUT") == 1
    assert "DELETE" not in s3.requests


def test_what_is_no_lock_of_ours_is_a_freeze(s3: FakeS3) -> None:
    s3.objects[KEY] = (b"mine\n", '"etag"', s3.now)
    with pytest.raises(Failed, match="frozen by somebody"):
        lock_of("alice").__enter__()
    assert run_freeze(state="absent")["changed"]


@pytest.mark.parametrize("name", ["holder", "why"])
def test_a_freeze_says_who_and_why(s3: FakeS3, name: str) -> None:
    with patch_module_args({"bucket": BUCKET, "holder": "carol", "why": "holidays", name: " "}), pytest.raises(Failed, match=f"{name} is ' '"):
        freeze.main()
    assert s3.requests == []
