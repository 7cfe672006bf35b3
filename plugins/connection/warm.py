# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: warm
version_added: 0.2.0
short_description: Run modules on the controller in forks of one warmed process
description:
  - Does what P(ansible.builtin.local#connection) does, with the same result. A module that goes to Python's standard input (pipelining), as modules of
    C(amazon.aws) do, runs in a fork of a process that has boto3, C(ansible.module_utils) and the service models in use already loaded. What starting Python
    and importing them costs, is paid once in a run.
  - The process belongs to one run of C(ansible-playbook), user and Python interpreter. It starts beside the first task, even one that never connects,
    where C(ansible_python_interpreter) is known by then. A task that comes before it is ready waits for it, half a second as a rule and ten at most. It listens
    on a socket in the run's own temporary directory, which its owner alone can reach, and ends with the run, however that ends.
  - While nothing is asked of it, it reads the models of the AWS services that this collection uses.
  - Each task has a fork of its own, with the working directory, the file mode mask and the environment that it would have had, so that nothing of one task
    reaches another.
  - Modules that the process has loaded are used only where the task brings the same ones; size and checksum say so.
  - Ansible packs a module with all that it imports, which takes a third of a second, in each run anew. What it has packed is kept in
    C(pulsegrid.aws.payloads) below C(ANSIBLE_HOME), with what Python has made of its sources, about 0.3 MiB a module, and used by later runs where Ansible
    would pack the same. Every byte of every source, Ansible, Python and the places where it looks are compared. Arguments are not in it. The directory is
    this user's alone; where others could write to it or above, nothing is kept. Neither are modules without a fully qualified name, nor any where there are
    C(module_utils) directories of one's own. It can be deleted at any time.
  - Whatever it cannot do runs as P(ansible.builtin.local#connection) would run it, which C(-vvv) says; another interpreter than Python, C(become), tasks in
    the background (C(async)), tasks without pipelining (C(ANSIBLE_KEEP_REMOTE_FILES)), C(PYTHON*), C(LD_*) and locale variables in a task's environment, and
    systems other than Linux are among that.
  - A task whose worker ends before it (its C(timeout)) runs on, as with P(ansible.builtin.local#connection), at most until the run ends.
notes:
  - The process takes effect with pipelining alone (C(pipelining = true) in C(ansible.cfg), or C(ANSIBLE_PIPELINING=true)).
  - The process takes about 100 MiB, of which its forks share what they do not change.
options:
  become_success_timeout:
    description: As in P(ansible.builtin.local#connection).
    type: int
    default: 10
    vars:
      - name: ansible_local_become_success_timeout
  become_strip_preamble:
    description: As in P(ansible.builtin.local#connection).
    type: bool
    default: true
    vars:
      - name: ansible_local_become_strip_preamble
extends_documentation_fragment:
  - connection_pipelining
author:
  - PulseGrid maintainers (@pulsegrid)
"""

import contextlib
import hashlib
import json
import multiprocessing
import os
import selectors
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible.constants as C
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.pulsegrid.aws.plugins.plugin_utils import payloads

display = Display()

SERVER = Path(__file__).parents[1] / "plugin_utils" / "warm_server.py"
# What these change, an interpreter reads before its first line.
AT_THE_START = ("PYTHON", "LD_", "GLIBC_", "MALLOC_", "LC_", "LANG")
# It starts in half a second, and a task that waits for it is done before one that loads all of that itself. Later means that something is wrong with it.
READY_SECONDS = 10


class Cold(Exception):
    """Why a command runs as usual."""


class Connection(LocalConnection):
    # Ansible looks for it: tasks run in the playbook's directory, and the controller is not rebooted.
    transport = "local"

    action = ""

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """The task is known from here on; Ansible makes its module after that."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self.action = str((task_keys or {}).get("action") or self.action)
        if payloads.bring(self.action):
            display.vvv(f"WARM: {self.action} as an earlier run packed it", host=self._play_context.remote_addr)

    def close(self) -> None:
        payloads.keep(self.action)
        super().close()

    def update_vars(self, variables: dict[str, Any]) -> None:
        """Every task begins with it, those too that never connect: the process starts beside the first."""
        super().update_vars(variables)
        given = variables.get("ansible_python_interpreter")
        if given and self.get_option("pipelining") and not (self.become or C.DEFAULT_KEEP_REMOTE_FILES or variables.get("ansible_delegated_vars")):
            # Whatever is wrong with the interpreter, a task that needs it says so.
            with contextlib.suppress(Exception):
                python = usable(str(Templar(loader=None, variables=variables).template(given)))
                if not socket_of(python).exists():
                    start(python, socket_of(python))

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        try:
            return self.in_process(cmd, in_data, sudoable)
        except Cold as reason:
            display.vvv(f"WARM: not in the warmed process: {reason}", host=self._play_context.remote_addr)
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)

    def in_process(self, cmd: str, in_data: bytes | None, sudoable: bool) -> tuple[int, bytes, bytes]:
        python, assigned = interpreter_alone(cmd)
        if not in_data:
            raise Cold("it brings no module on its standard input")
        if self.become and sudoable:
            raise Cold("become")
        with connect(python) as server:
            display.vvv(f"WARM EXEC {cmd}", host=self._play_context.remote_addr)
            return run(server, {**os.environ, **assigned}, os.fsdecode(self.cwd or os.getcwd()), in_data)


def interpreter_alone(cmd: str) -> tuple[str, dict[str, str]]:
    """The interpreter and the variables of a command that is nothing but `/bin/sh -c 'NAME=value … /path/to/python'`."""
    try:
        shell, dash_c, command = shlex.split(cmd)
        # Ansible adds it for the sake of SSH; it changes neither output nor return code.
        command = command.strip().removesuffix(" && sleep 0")
        words = shlex.split(command)
    except ValueError:
        raise Cold("the command is more than an interpreter") from None
    *assignments, python = words or [""]
    pairs = [assignment.partition("=") for assignment in assignments]
    # Written again it must be the same text: then a shell would have understood it as we did.
    again = " ".join([*(f"{name}={shlex.quote(value)}" for name, _unused, value in pairs), python])
    if dash_c != "-c" or Path(shell).name not in {"sh", "bash", "dash"} or again != command or not all(name.isidentifier() for name, _unused, _unused in pairs):
        raise Cold("the command is more than an interpreter")
    if early := [name for name, _unused, _unused in pairs if name.startswith(AT_THE_START)]:
        raise Cold(f"{early[0]} is read when an interpreter starts")
    return usable(python), {name: value for name, _unused, value in pairs}


def usable(python: str) -> str:
    if not (os.path.isabs(python) and Path(python).name.startswith("python") and os.access(python, os.X_OK)):
        raise Cold(f"{python} is no path of a Python interpreter")
    if not hasattr(os, "pidfd_open"):
        raise Cold("this system has no pidfd_open")
    return python


def socket_of(python: str) -> Path:
    """The socket of this run's process, in a directory of this run alone, mode 0700, which ansible-playbook removes at its end."""
    name = hashlib.sha256(f"{python}:{os.getuid()}".encode()).hexdigest()[:12]
    return Path(C.DEFAULT_LOCAL_TMP) / f"warm-{name}"


@contextlib.contextmanager
def at(path: Path) -> Iterator[str]:
    """The path by way of a descriptor: a socket's may have 107 bytes only."""
    directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def connect(python: str) -> socket.socket:
    """A connection to this run's process, which is started where there is none."""
    path = socket_of(python)
    if not path.exists():
        start(python, path)
    server = socket.socket(socket.AF_UNIX)
    try:
        with at(path) as address:
            server.connect(address)
        server.settimeout(READY_SECONDS)
        ready = server.recv(1)
        server.settimeout(None)
    except TimeoutError:
        server.close()
        path.unlink(missing_ok=True)  # It ends when it sees that, and no other task waits for it.
        raise Cold(f"it was not ready within {READY_SECONDS} seconds") from None
    except OSError as error:
        server.close()
        raise Cold(f"it is not reached: {error}") from None
    if not ready:
        server.close()
        raise Cold("it has ended")
    return server


def start(python: str, path: Path) -> None:
    try:
        os.close(os.open(f"{path}.started", os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # another task has started it
    run_of = multiprocessing.parent_process()
    unfinished = path.with_suffix(".unfinished")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        with at(unfinished) as address:
            listener.bind(address)
        os.chmod(unfinished, 0o600)
        listener.listen(128)
        os.rename(unfinished, path)
        subprocess.Popen(
            [python, "-B", str(SERVER), str(path), str(run_of.pid if run_of else os.getpid()), *amazon_aws()],
            stdin=listener,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )


def amazon_aws() -> list[str]:
    """The directory that has the ansible_collections with the amazon.aws which this run uses."""
    try:
        from ansible.utils.collection_loader import AnsibleCollectionConfig

        paths = [Path(path) for path in AnsibleCollectionConfig.collection_paths]
    except (ImportError, AttributeError, TypeError):
        return []  # tasks load its utilities themselves
    roots = [path.parent if path.name == "ansible_collections" else path for path in paths]
    return [str(root) for root in roots if (root / "ansible_collections/amazon/aws").is_dir()][:1]


def run(server: socket.socket, environment: dict[str, str], directory: str, code: bytes) -> tuple[int, bytes, bytes]:
    """Have the process's fork run the code; return code, standard output and standard error."""
    mask = os.umask(0)
    os.umask(mask)
    task = json.dumps({"environment": environment, "directory": directory, "mask": mask}).encode("utf-8", "surrogateescape")
    out, out_end = os.pipe()
    error, error_end = os.pipe()
    try:
        socket.send_fds(server, [len(task).to_bytes(4, "big") + len(code).to_bytes(4, "big")], [out_end, error_end])
        server.sendall(task + code)
    except OSError as failure:  # It runs nothing that it has not read to the end.
        os.close(out)
        os.close(error)
        raise Cold(f"it does not take the task: {failure}") from None
    finally:
        os.close(out_end)
        os.close(error_end)
    written: dict[int, bytearray] = {out: bytearray(), error: bytearray()}
    with selectors.DefaultSelector() as selector:
        for end in written:
            selector.register(end, selectors.EVENT_READ)
        while selector.get_map():
            for key, _unused in selector.select():
                if chunk := os.read(key.fd, 65536):
                    written[key.fd] += chunk
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    try:
        answer = server.recv(4, socket.MSG_WAITALL)
    except ConnectionError:
        answer = b""
    if answer == b"COLD":
        raise Cold("it brings other versions of modules that are loaded there")
    if len(answer) < 4:
        return 250, bytes(written[out]), bytes(written[error]) + b"\nThe warmed process ended before the module did."
    code = int.from_bytes(answer, "big", signed=True)
    if code < 0:  # A signal ended it. With local it is a shell that tells so.
        return 128 - code, bytes(written[out]), bytes(written[error]) + f"{signal.strsignal(-code)}\n".encode()
    return code, bytes(written[out]), bytes(written[error])
