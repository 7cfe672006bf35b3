"""What a module says is shown at once, all of it, as plain text, with the name of the host before it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import Progress, plain

from ..conftest import CHECKOUT
from .talking import CONNECTIONS, Talking


@pytest.fixture
def talking(tmp_path: Path) -> Talking:
    return Talking(tmp_path)


class Module:
    def __init__(self, path: Path | None, *secrets: str) -> None:
        self.params = {"progress_to": path and str(path)}
        self.no_log_values = set(secrets)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("20 of 20 files\n", "20 of 20 files"),
        ("\x1b[1;31mred\x1b[0m\x1b]0;title\x07", "red"),
        ("a\tb\rc\x00d\x9be\u202ef", "a b c d e f"),
        ("größer, 東京", "größer, 東京"),
    ],
)
def test_a_line_has_no_control_characters(text: str, shown: str) -> None:
    assert re.sub(" +", " ", plain(text)).strip() == shown


def test_without_the_option_and_without_a_reader_nothing_happens(tmp_path: Path) -> None:
    Progress(Module(None)).say("a")
    Progress(Module(tmp_path / "nothing")).say("a")
    os.mkfifo(tmp_path / "pipe")
    Progress(Module(tmp_path / "pipe")).say("a")
    assert not (tmp_path / "nothing").exists()


def test_a_full_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    for _each in range(100):
        Progress(Module(tmp_path / "pipe")).say("a" * 5000)
    assert set(os.read(end, 1 << 20).split(b"\n")) == {b"a" * 4095, b""}
    os.close(end)


def test_secrets_are_masked_and_each_line_is_one(tmp_path: Path) -> None:
    (tmp_path / "lines").touch()
    Progress(Module(tmp_path / "lines", "hunter2")).say("password hunter2\nnext")
    assert (tmp_path / "lines").read_text() == "password ********\nnext\n"


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_all_lines_of_all_hosts_are_shown_before_their_result(talking: Talking, connection: str) -> None:
    tasks = [
        {"name": "the warmed process is ready", "ansible.builtin.wait_for": {"timeout": 3 if "warm" in connection else 0}},
        {"name": "many", "talk": {"say": "\x1b[31mline", "times": 500, "secret": "hunter2"}, "register": "many"},
        {"name": "heard", "ansible.builtin.assert": {"that": "many.heard"}},
        {"name": "no_log", "talk": {"say": "unheard"}, "no_log": True},
        {"name": "fails", "talk": {"say": "before it fails", "fails": True}, "ignore_errors": True},
        {"name": "in the background", "talk": {"say": "unheard"}, "async": 20, "poll": 1},
    ]
    out = talking.run(tasks, connection, "one,two,", "-vvv")

    assert talking.code == 0, out[-3000:] + talking.errors
    for host in ("one", "two"):
        assert re.findall(rf"^{host}: line (\d+)$", out, re.M) == [str(number) for number in range(500)]
        assert out.index(f"{host}: line 499\n") < out.index(f"ok: [{host}]", out.index("TASK [many]"))
        assert f"\n{host}: before it fails 0\n" in out
    assert "unheard 0" not in out
    assert "\x1b" not in out
    assert "hunter2" not in out
    assert ("WARM EXEC" in out) == ("warm" in connection)
    assert talking.left_behind == []


def test_a_line_is_shown_when_it_is_said_in_check_mode_too(talking: Talking) -> None:
    process = talking.start([{"talk": {"say": "now", "seconds": 3}}], "ansible.builtin.local", "one,", "--check", "-v")
    while (line := process.stdout.readline()) and line != "one: now 0\n":
        pass
    said = time.monotonic()
    rest = process.communicate(timeout=60)[0]
    assert time.monotonic() - said > 2
    assert "checked: true" in rest


def test_another_machine_is_not_given_the_pipe(talking: Talking) -> None:
    out = talking.run([{"talk": {"say": "unheard"}, "register": "it"}, {"ansible.builtin.assert": {"that": "not it.heard"}}], "elsewhere")
    assert talking.code == 0, out + talking.errors
    assert "unheard" not in out


def test_a_task_that_takes_too_long_leaves_nothing(talking: Talking) -> None:
    out = talking.run([{"talk": {"say": "begins", "seconds": 60}, "timeout": 10, "ignore_errors": True}])
    assert talking.code == 0, out + talking.errors
    assert "one: begins 0\n" in out
    assert talking.left_behind == []


def test_a_result_in_json_stays_json(talking: Talking) -> None:
    out = talking.run([{"talk": {"say": "line"}}], ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert json.loads(out)["stats"]["one"]["ok"] == 1
    assert "one: line 0" in talking.errors


def test_ansible_runner_shows_it(talking: Talking) -> None:
    for name in ("project", "inventory"):
        (talking.directory / name).mkdir()
    (talking.directory / "inventory/hosts").write_text("one\n")
    playbook = talking.playbook([{"talk": {"say": "line", "times": 3}}])
    playbook.rename(talking.directory / "project/play.yml")
    command = ["ansible-runner", "run", str(talking.directory), "-p", "play.yml"]
    environment = talking.environment(ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".collections"))
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^one: line (\d)\s*$", done.stdout, re.M) == ["0", "1", "2"]
    events = [json.loads(file.read_text()) for file in talking.directory.glob("artifacts/*/job_events/*.json")]
    assert any("one: line 1" in event["stdout"] for event in events)
