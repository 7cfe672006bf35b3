"""The connection plugin warm gives every task what local gives it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import CHECKOUT, clean_environment, run

# A name for each task: its result is compared.
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
    {"name": "our own module", "pulsegrid.aws.local_process": {"pid_file": "/nowhere/process.json", "state": "stopped"}},
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
    assert found["pulsegrid.aws.warm"][1].count("WARM EXEC") == 4


def test_become_runs_as_usual(tmp_path: Path) -> None:
    become = tmp_path / "become"
    become.write_text('#!/bin/sh\nshift $(($# - 3))\nexec "$@"\n')
    become.chmod(0o755)
    tasks = [*TASKS[:2], {"name": "as somebody", "ansible.builtin.ping": {}, "become": True, "become_exe": str(become), "become_method": "sudo"}]
    output = results(tmp_path, "pulsegrid.aws.warm", tasks=tasks)[1]

    assert output.count("WARM EXEC") == 2


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
    assert "WARM EXEC" in done.stdout


LEAVES = """
import atexit, os, sys, tempfile, threading

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"directory": {}, "threads": {"type": "bool"}})
directory = module.params["directory"]
atexit.register(lambda: open(os.path.join(directory, "registered"), "w").write("done"))
named, whole = tempfile.NamedTemporaryFile(dir=directory), tempfile.TemporaryDirectory(dir=directory)


class Cycle:
    def __init__(self):
        self.itself = self
        self.file = open(os.path.join(directory, "cycle"), "wb")
        self.file.write(b"some bytes")


if module.params["threads"]:
    threading.Timer(0.5, lambda: open(os.path.join(directory, "thread"), "w").write("done")).start()
else:
    Cycle()
    unflushed = open(os.path.join(directory, "unflushed"), "w")
    unflushed.write("some text")
    os.unflushed = open(os.path.join(directory, "elsewhere"), "w")
    os.unflushed.write("text")
module.exit_json()
"""


@pytest.mark.parametrize("threads", [False, True])
def test_what_a_module_leaves_to_the_end_is_done(tmp_path: Path, threads: bool) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library/leaves.py").write_text(LEAVES)
    left = {}
    for connection in ("local", "pulsegrid.aws.warm"):
        directory = tmp_path / connection
        directory.mkdir()
        tasks = [{"name": "leaves", "leaves": {"directory": str(directory), "threads": threads}}]
        output = results(tmp_path, connection, tasks=tasks, ANSIBLE_LIBRARY=str(tmp_path / "library"))[1]
        left[connection] = {path.name: path.read_text() for path in directory.iterdir()}

    assert output.count("WARM EXEC") == 1
    assert left["pulsegrid.aws.warm"] == left["local"]
    assert set(left["local"]) == {"registered", *(["thread"] if threads else ["unflushed", "cycle", "elsewhere"])}
    assert left["local"]["registered"] == "done"
    assert left["local"]["thread" if threads else "elsewhere"]


SEEN = "{{ lookup('ansible.builtin.pipe', 'find ' ~ lookup('ansible.builtin.env', 'ANSIBLE_LOCAL_TEMP') ~ ' -type s') }}"


@pytest.mark.parametrize(
    ("play", "environment", "started"),
    [
        pytest.param({}, {}, True, id="as usual"),
        pytest.param({}, {"ANSIBLE_PIPELINING": "0"}, False, id="no pipelining"),
        pytest.param({}, {"ANSIBLE_KEEP_REMOTE_FILES": "1"}, False, id="files are kept"),
        pytest.param({"become": True}, {}, False, id="become"),
        pytest.param({"vars": {}}, {}, False, id="the interpreter is yet to be found"),
        pytest.param({"vars": {"ansible_python_interpreter": "auto_silent"}}, {}, False, id="discovery"),
        pytest.param({"vars": {"ansible_python_interpreter": "{{ none_such }}"}}, {}, False, id="not known yet"),
        pytest.param({"vars": {"ansible_python_interpreter": "/nowhere/python3"}}, {}, False, id="no interpreter"),
    ],
)
def test_it_starts_beside_a_task_that_never_connects(tmp_path: Path, play: dict[str, Any], environment: dict[str, str], started: bool) -> None:
    tasks = [{"ansible.builtin.assert": {"that": True}}, {"ansible.builtin.debug": {"msg": f"seen [{SEEN}]"}}]
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    whole = {"hosts": "all", "gather_facts": False, "connection": "pulsegrid.aws.warm", "vars": variables, "tasks": tasks, **play}
    (tmp_path / "play.yml").write_text(json.dumps([whole]))
    (tmp_path / "tmp").mkdir()
    options = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), **environment}
    done = run("ansible-playbook", "-i", "one,", tmp_path / "play.yml", **options)

    assert done.returncode == 0, done.stdout + done.stderr
    assert ("seen []" not in done.stdout) == started
    assert "/warm-" in done.stdout or not started


@pytest.mark.parametrize(("how", "reason"), [("exit 1", "WARM: not in the warmed process: it"), ("exec sleep 60", "it was not ready within 10 seconds")])
def test_a_process_that_does_not_start_keeps_nobody_waiting(tmp_path: Path, how: str, reason: str) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$*" in *warm_server*) {how};; esac\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    tasks = [{"name": name, "ansible.builtin.ping": {}, "vars": {"ansible_python_interpreter": str(python)}} for name in ("first", "second", "third")]
    found, output = results(tmp_path, "pulsegrid.aws.warm", tasks=tasks)

    assert [found[name][1]["ping"] for name in found] == ["pong"] * 3
    assert output.count("WARM: not in the warmed process") == 3
    assert output.count(reason) == (3 if how == "exit 1" else 1)
    until(lambda: not processes(tmp_path))


def test_models_are_as_they_are_in_the_files() -> None:
    """A client changes some of what it reads; none but the task's own may have done so."""
    script = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("warm_server", {str(CHECKOUT / "plugins/plugin_utils/warm_server.py")!r})
warm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(warm)
warm.server_pid = warm.os.getpid()
import botocore.loaders
warm.remember_models(2)
warm.remember_services()
for step in warm.prepared():
    pass
fresh = botocore.loaders.JSONFileLoader.load_file.__wrapped__
print(len(warm.models), [str(key) for key, model in warm.models.items() if json.dumps(model) != json.dumps(fresh(botocore.loaders.JSONFileLoader(), *key))])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    number, _space, changed = done.stdout.partition(" ")

    assert int(number) > 40
    assert changed.strip() == "[]"


def test_sessions_have_the_handlers_that_they_always_have_in_less_work() -> None:
    script = f"""
import importlib.util, inspect
spec = importlib.util.spec_from_file_location("warm_server", {str(CHECKOUT / "plugins/plugin_utils/warm_server.py")!r})
warm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(warm)
import botocore.session
looked_at = []
upstream = inspect.getfullargspec
inspect.getfullargspec = lambda function: looked_at.append(function) or upstream(function)
def registered():
    looked_at.clear()
    session = botocore.session.Session()
    emitter = session.get_component("event_emitter")
    found = {{name: [str(each).partition(" at ")[0] for each in emitter._emitter._handlers.prefix_search(name)]
             for name in ("before-sign.s3", "creating-client-class.iam", "docs.title.ecs", "before-parameter-build.elasticloadbalancing.CreateLoadBalancer")}}
    session.register("before-call.elb.x", lambda **options: None)
    return found, len(looked_at)
plain, work = registered()
warm.remember_handlers()
registered()
again, less = registered()
print(plain == again, any(plain.values()), less * 3 < work)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)

    assert done.stdout.split() == ["True"] * 3


def test_a_task_runs_to_its_end_though_another_has_given_the_process_up(tmp_path: Path) -> None:
    forget = "{{ lookup('ansible.builtin.pipe', 'sleep 2; find ' ~ lookup('ansible.builtin.env', 'ANSIBLE_LOCAL_TEMP') ~ ' -type s -delete; echo gone') }}"
    tasks = [
        {"name": "long", "ansible.builtin.command": "sleep 12", "when": "inventory_hostname == 'one'"},
        {"name": "forget", "ansible.builtin.debug": {"msg": forget}, "when": "inventory_hostname == 'two'"},
    ]
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play = {"hosts": "all", "gather_facts": False, "connection": "pulsegrid.aws.warm", "strategy": "free", "vars": variables, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "tmp").mkdir()
    done = run("ansible-playbook", "-i", "one,two,", tmp_path / "play.yml", "-vvv", ANSIBLE_PIPELINING="1", ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "gone" in done.stdout
    assert done.stdout.count("WARM EXEC") == 1


@pytest.mark.parametrize("seconds", ["0", "0.1", "0.3", "0.6"])
def test_a_run_that_ends_while_it_starts_takes_it_along(tmp_path: Path, seconds: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener, subprocess.Popen(["sleep", seconds]) as play:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        command = [sys.executable, "-B", str(CHECKOUT / "plugins/plugin_utils/warm_server.py"), str(tmp_path / "socket"), str(play.pid)]
        with subprocess.Popen(command, stdin=listener, stderr=subprocess.DEVNULL) as server:
            play.wait()
            server.wait(timeout=20)


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
