# Copyright: the pulsegrid.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import multiprocessing
import os
import shlex
import stat
import sys
import time

import pytest

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.pulsegrid.aws.plugins.connection import warm

PAYLOADS = {
    "succeeds": "print('{}')",
    "fails": "import sys; print('{\"failed\": true}'); sys.exit(1)",
    "crashes": "def f():\n    raise ValueError('crash')\nf()",
    "exits_with_text": "import sys; sys.exit('text')",
    "exits_with_3": "import sys; sys.stderr.write('e'); sys.exit(3)",
    "is_killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "is_no_program": "if:",
    "says_no_json": "print('\\u00e9' * 200000)",
    "runs_its_end": "import atexit; atexit.register(print, 'end')",
    "looks_around": "import os, sys; print(os.getcwd(), sys.argv, sys.stdin.read(), os.environ['GIVEN'], 'LEAK' in os.environ); m = os.umask(0); print(m)",
    "leaks": "import os; os.environ['LEAK'] = '1'; os.chdir('/'); os.umask(0o777)",
}


def program(name):
    return f"_ANSIBALLZ_WRAPPER = True\n{PAYLOADS[name]}\n".encode()


def command(environ="GIVEN='a b'"):
    return f"/bin/sh -c {shlex.quote(f'{environ} {sys.executable} && sleep 0')}"


def connection(name):
    found = connection_loader.get(name, PlayContext(), os.devnull)
    found.set_options()
    found._connect()
    return found


@pytest.mark.parametrize("name", PAYLOADS)
def test_same_as_local(name):
    expected = connection("ansible.builtin.local").exec_command(command(), program(name))
    client, fds = connection("pulsegrid.aws.warm")._send(command(), program(name), True)
    given = connection("pulsegrid.aws.warm")._receive(client, fds)
    assert given[:2] == expected[:2]
    assert given[2].splitlines()[-1:] == expected[2].splitlines()[-1:] or name == "is_killed"


def test_nothing_leaks():
    connection("pulsegrid.aws.warm").exec_command(command(), program("leaks"))
    test_same_as_local("looks_around")


@pytest.mark.parametrize(
    "cmd",
    [
        f"{sys.executable} /tmp/module.py",
        "python3",
        f"LANG=C {sys.executable}",
        f"PYTHONPATH=/x {sys.executable}",
        f"A=$HOME {sys.executable}",
        f"A=1 {sys.executable}; id",
        f"sudo {sys.executable}",
    ],
)
def test_in_doubt_local(cmd):
    with pytest.raises((warm.Cold, ValueError)):
        warm.parse(cmd)


def test_owner_alone():
    with warm.reach(sys.executable) as client:
        path = client.getpeername()
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_killed_run_leaves_no_orphan(tmp_path):
    """The run is killed while a task runs in the warmed process"""
    pid_file = tmp_path / "pid"
    source = f"_ANSIBALLZ_WRAPPER = True\nimport os, time\nopen({str(pid_file)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\ntime.sleep(60)\n".encode()
    run = multiprocessing.get_context("fork").Process(target=act_as_run, args=(source,))
    run.start()
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and len(pid_file.read_text().split()) == 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(pid) for pid in pid_file.read_text().split()]
    run.kill()
    run.join()
    while any(runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if runs(pid)]


def act_as_run(source):
    warm.owner = os.getpid
    connection("pulsegrid.aws.warm").exec_command(command(), source)


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as status:
            return status.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False
