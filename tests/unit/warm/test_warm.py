"""The connection plugin warm gives every task what local gives it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import CHECKOUT, clean_environment, run

# A name for each task: its result is compared. The first two give the process time to start.
TASKS: list[dict[str, Any]] = [
    {"name": "starting", "ansible.builtin.ping": {}},
    {"name": "started", "ansible.builtin.wait_for": {"timeout": 3}},
    {"name": "answers", "ansible.builtin.ping": {}},
    {"name": "fails", "ansible.builtin.file": {"path": "/nowhere/at/all", "state": "file"}, "ignore_errors": True},
    {"name": "crashes", "ansible.builtin.ping": {"data": "crash"}, "ignore_errors": True},
    {"name": "a command fails", "ansible.builtin.command": "sh -c 'echo out; echo error >&2; exit 3'", "ignore_errors": True},
    {"name": "environment", "ansible.builtin.shell": "echo $WORD", "environment": {"WORD": 'it\'s $HOME `date` "quoted"'}},
    {"name": "nothing is left of it", "ansible.builtin.shell": "echo [$WORD]"},
    {"name": "mask", "ansible.builtin.shell": "umask"},
    {"name": "directory", "ansible.builtin.command": "pwd"},
    {"name": "standard input is at its end", "ansible.builtin.command": "cat"},
    {"name": "secret", "ansible.builtin.command": "echo secret", "no_log": True},
    {"name": "in the background", "ansible.builtin.command": "echo later", "async": 20, "poll": 1},
    {"name": "our own module", "pulsegrid.aws.source_release": {"path": str(CHECKOUT / "files/backend")}},
    {"name": "unreadable", "ansible.builtin.stat": {"path": "/", "nonsense": 1}, "ignore_errors": True},
]
VOLATILE = re.compile(r"(start|end|delta|ansible_job_id|results_file|atime|finished|elapsed|path)$")


def results(tmp_path: Path, connection: str, *arguments: str, tasks: Iterable[dict[str, Any]] = (), **environment: str) -> tuple[dict[str, Any], str]:
    playbook = tmp_path / f"{connection}.yml"
    play = {"hosts": "all", "gather_facts": False, "connection": connection, "tasks": list(tasks) or TASKS}
    playbook.write_text(json.dumps([play | {"vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}]))
    options = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = run("ansible-playbook", "-i", "one,", playbook, "-vvv", *arguments, **options, **environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    found = {}
    for name, body in re.findall(r"^TASK \[(.+?)\] \*+\n(.*?)(?=^TASK|^PLAY RECAP)", done.stdout, re.S | re.M):
        text = re.search(r"^(ok|changed|fatal|failed): \[one\][^{]*(\{.*?^\})", body, re.S | re.M)
        found[name] = (text[1], without(json.loads(text[2]))) if text else body
    return found, done.stdout


def without(value: Any) -> Any:
    """The result without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items() if not VOLATILE.search(key) and key not in {"exception", "invocation"}}
    return value


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], str]]:
    directory = tmp_path_factory.mktemp("warm")
    return {name: results(directory, name) for name in ("local", "pulsegrid.aws.warm")}


@pytest.mark.parametrize("name", [task["name"] for task in TASKS])
def test_a_task_has_the_result_that_local_gives_it(both: dict[str, tuple[dict[str, Any], str]], name: str) -> None:
    assert both["pulsegrid.aws.warm"][0][name] == both["local"][0][name]


def test_tasks_run_in_the_process_and_say_so(both: dict[str, tuple[dict[str, Any], str]]) -> None:
    output = both["pulsegrid.aws.warm"][1]

    assert output.count("WARM EXEC") >= len(TASKS) - 4
    assert "not in the warmed process: it is not ready yet" in output
    assert "not in the warmed process: it brings no module on its standard input" in output or "more than an interpreter" in output


def test_a_module_that_a_signal_ends_has_the_code_that_local_gives_it(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library/killed.py").write_text(
        "import os\n\nfrom ansible.module_utils.basic import AnsibleModule\n\nAnsibleModule({})\nos.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "library/zone.py").write_text(
        "import time\n\nfrom ansible.module_utils.basic import AnsibleModule\n\nAnsibleModule({}).exit_json(zone=time.strftime('%z', time.localtime(0)))\n"
    )
    tasks = [
        *TASKS[:2],
        {"name": "killed", "killed": {}, "ignore_errors": True},
        {"name": "zone", "zone": {}, "environment": {"TZ": "XYZ-5"}},
    ]
    found = {name: results(tmp_path, name, tasks=tasks, ANSIBLE_LIBRARY=str(tmp_path / "library")) for name in ("local", "pulsegrid.aws.warm")}
    local, warm = (found[name][0] for name in found)

    assert warm["killed"] == local["killed"]
    assert local["killed"][1]["rc"] == 137
    assert warm["zone"] == local["zone"]
    assert local["zone"][1]["zone"] == "+0500"
    assert found["pulsegrid.aws.warm"][1].count("WARM EXEC") == 3


def test_become_runs_as_usual(tmp_path: Path) -> None:
    become = tmp_path / "become"
    become.write_text('#!/bin/sh\nshift $(($# - 3))\nexec "$@"\n')
    become.chmod(0o755)
    tasks = [*TASKS[:2], {"name": "as somebody", "ansible.builtin.ping": {}, "become": True, "become_exe": str(become), "become_method": "sudo"}]
    output = results(tmp_path, "pulsegrid.aws.warm", tasks=tasks)[1]

    assert output.count("WARM EXEC") <= 1


def test_kept_files_run_as_usual(tmp_path: Path) -> None:
    output = results(tmp_path, "pulsegrid.aws.warm", tasks=TASKS[:3], ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_REMOTE_TMP=str(tmp_path / "kept"))[1]

    assert "WARM EXEC" not in output
    assert list((tmp_path / "kept").rglob("AnsiballZ_ping.py"))


def test_a_module_utility_of_ones_own_is_used(tmp_path: Path) -> None:
    """The process has ansible.module_utils.basic loaded; a task that brings another one gets that."""
    own = tmp_path / "module_utils"
    own.mkdir()
    from ansible.module_utils import basic

    text = Path(basic.__file__).read_text()
    (own / "basic.py").write_text(
        text.replace("def exit_json(self", "def exit_json(self, *, _own='yes'").replace("class AnsibleModule(", "OWN = 1\n\n\nclass AnsibleModule(")
    )
    (tmp_path / "library").mkdir()
    (tmp_path / "library/own.py").write_text(
        "from ansible.module_utils import basic\n\n\ndef main():\n    basic.AnsibleModule({}).exit_json(own=hasattr(basic, 'OWN'))\n\n\nmain()\n"
    )
    tasks = [*TASKS[:2], {"name": "own", "own": {}}]
    found, output = results(tmp_path, "pulsegrid.aws.warm", tasks=tasks, ANSIBLE_MODULE_UTILS=str(own), ANSIBLE_LIBRARY=str(tmp_path / "library"))

    assert found["own"][1]["own"] is True
    assert "it brings other versions of modules" in output


@pytest.mark.parametrize("inventory", ["local", "dev", "production"])
def test_our_inventories_run_modules_in_it(inventory: str) -> None:
    """Through the checkout's ansible.cfg: without its pipelining every module would run as usual."""
    done = run("ansible", "all", "-i", f"inventories/{inventory}", "-m", "ansible.builtin.ping", "-vvv")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "not in the warmed process: it is not ready yet" in done.stdout


def processes(temporary: Path) -> set[int]:
    found = subprocess.run(["pgrep", "-f", f"warm_server.py {temporary}"], capture_output=True, text=True, check=False)
    return {int(pid) for pid in found.stdout.split()}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path, number: int) -> None:
    playbook = tmp_path / "long.yml"
    marker = str(tmp_path / "marker")
    tasks = [*TASKS[:2], {"name": "long", "ansible.builtin.command": f"sh -c 'touch {marker}; exec sleep 600'"}]
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "connection": "pulsegrid.aws.warm", "vars": variables, "tasks": tasks}]))
    temporary = tmp_path / "tmp"
    with subprocess.Popen(
        ["ansible-playbook", "-i", "one,", str(playbook)],
        cwd=CHECKOUT, env=clean_environment(ANSIBLE_PIPELINING="1", ANSIBLE_LOCAL_TEMP=str(temporary)), start_new_session=True, stdout=subprocess.DEVNULL,
    ) as play:  # fmt: skip
        try:
            until(lambda: os.path.exists(marker))
            sockets = [path for path in temporary.rglob("warm-*") if path.is_socket()]
            assert [path.stat().st_mode & 0o077 for path in sockets] == [0]
            assert sockets[0].parent.stat().st_mode & 0o077 == 0
            assert processes(temporary)
        except BaseException:
            play.kill()
            raise
        play.send_signal(number)
    until(lambda: not processes(temporary))
    until(lambda: subprocess.run(["pgrep", "-f", marker], stdout=subprocess.DEVNULL, check=False).returncode == 1)


def until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
