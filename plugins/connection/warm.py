# Copyright: the pulsegrid.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = """
name: warm
short_description: Run modules on the controller in forks of a warmed process
version_added: 1.0.0
author: pulsegrid.aws contributors (@pulsegrid)
description:
  - Runs tasks on the controller as P(ansible.builtin.local#connection) does, whose return code, standard output and standard error it keeps.
  - A module that goes to Python's standard input (pipelining) runs in a fork of one process that has boto3, the service models in use, Ansible's
    and amazon.aws's utilities loaded already, in place of an interpreter that loads them for each task. Each task has a fork of its own.
  - All else (become, async, other interpreters, modules through files, raw commands, Python's and the loader's own variables or a locale in the
    task's environment) runs as with P(ansible.builtin.local#connection); C(-vvv) says why.
  - There is one warmed process for each run and interpreter. It ends with the run, however that ends, and tasks that still run end with it.
options: {}
extends_documentation_fragment:
  - connection_pipelining
requirements:
  - Linux and Python 3.9 or later on the controller. Elsewhere it is P(ansible.builtin.local#connection).
notes:
  - Needs pipelining (E(ANSIBLE_PIPELINING=1)) to be of use. With E(ANSIBLE_KEEP_REMOTE_FILES) modules go through files, hence not through the warmed process.
  - A task whose worker ends before it (a task's C(timeout), Ctrl-C) is ended with SIGTERM.
"""

import fcntl
import hashlib
import json
import multiprocessing
import os
import re
import shlex
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time

from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.utils.display import Display

display = Display()

SERVER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugin_utils", "warm_server.py")
NEEDED = ((os, "memfd_create"), (os, "pidfd_open"), (socket, "send_fds"))
# What an interpreter reads when it starts
AT_START = re.compile(r"^(PYTHON|LD_|LC_|LANG$|LANGUAGE$|MALLOC_|GLIBC_TUNABLES$)")
ASSIGNMENT = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.DOTALL)
START_SECONDS = 10


class Cold(Exception):
    """Why a command runs as it would with local"""


def parse(cmd):
    """The interpreter and the assignments of a command that is nothing else; Cold if there is any doubt."""
    words = shlex.split(cmd)
    if len(words) == 3 and words[0] == "/bin/sh" and words[1] == "-c" and cmd == f"/bin/sh -c {shlex.quote(words[2])}":
        cmd = words[2]
        words = shlex.split(cmd)
    end = cmd[: -len(" && sleep 0")] if cmd.endswith(" && sleep 0") else cmd
    words = shlex.split(end)
    environ = {}
    while words and ASSIGNMENT.match(words[0]):
        name, value = ASSIGNMENT.match(words.pop(0)).groups()
        environ[name] = value
    if len(words) != 1 or not os.path.isabs(words[0]):
        raise Cold("the command is more than an interpreter")
    quoted = [f"{name}={shlex.quote(value)}" for name, value in environ.items()] + [words[0]]
    if " ".join(quoted) != " ".join(end.split(" ")) or shlex.quote(words[0]) != words[0]:
        raise Cold("the command is not quoted as Ansible does")
    for name in environ:
        if AT_START.match(name):
            raise Cold(f"an interpreter reads {name} when it starts")
    return words[0], environ


def started(pid):
    with open(f"/proc/{pid}/stat", "rb") as source:
        return int(source.read().rpartition(b")")[2].split()[19])


def owner():
    """The process of the run: workers are its forks"""
    parent = multiprocessing.parent_process()
    return parent.pid if parent else os.getpid()


def collections():
    try:
        from ansible.utils.collection_loader import AnsibleCollectionConfig

        return [path for path in AnsibleCollectionConfig.collection_paths if os.path.isdir(os.path.join(path, "ansible_collections", "amazon", "aws"))][:1]
    except Exception:  # the server finds what the interpreter itself finds  # pylint: disable=broad-except
        return []


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.connect(path)
    except OSError:
        client.close()
        return None
    return client


def reach(interpreter):
    """A connection to the run's warmed process, which is started if there is none"""
    pid = owner()
    since = started(pid)
    key = hashlib.sha256(f"{interpreter}:{pid}:{since}".encode()).hexdigest()[:16]
    directory = os.path.join(tempfile.gettempdir(), f"pulsegrid-warm-{os.getuid()}-{key}")
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    seen = os.lstat(directory)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or stat.S_IMODE(seen.st_mode) != 0o700:
        raise Cold(f"{directory} is not this user's alone")
    path = os.path.join(directory, "socket")
    client = connect(path)
    if client:
        return client
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = connect(path)
        if client:
            return client
        process = subprocess.Popen(
            [interpreter, SERVER, path, str(pid), str(since)] + collections(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            client = connect(path)
            if client:
                return client
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
            process.wait()
    finally:
        os.close(lock)
    raise Cold("the warmed process did not start")


class Connection(LocalConnection):
    """local, with a warmed process for modules"""

    transport = "pulsegrid.aws.warm"
    has_pipelining = True

    def exec_command(self, cmd, in_data=None, sudoable=True):
        try:
            client, fds = self._send(cmd, in_data, sudoable)
        except Cold as reason:
            display.vvv(f"WARM not used: {reason}", host=self._play_context.remote_addr)
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        except (OSError, ValueError) as error:
            display.vvv(f"WARM not used: {error}", host=self._play_context.remote_addr)
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv(f"WARM EXEC {cmd}", host=self._play_context.remote_addr)
        return self._receive(client, fds)

    def _send(self, cmd, in_data, sudoable):
        for module, name in NEEDED:
            if not hasattr(module, name):
                raise Cold(f"this system has no {name}")
        if not in_data:
            raise Cold("no module on standard input")
        if self.become and sudoable:
            raise Cold("become")
        if b"_ANSIBALLZ_WRAPPER" not in in_data[:10000]:
            raise Cold("standard input is no Python module of Ansible")
        interpreter, assigned = parse(cmd if isinstance(cmd, str) else cmd.decode())
        umask = os.umask(0o077)
        os.umask(umask)
        header = {"environ": {**os.environ, **assigned}, "cwd": self.cwd or os.getcwd(), "umask": umask}
        client = reach(interpreter)
        request = os.memfd_create("task", os.MFD_CLOEXEC)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        try:
            with os.fdopen(os.dup(request), "wb") as whole:
                whole.write(json.dumps(header).encode() + b"\n" + in_data)
            socket.send_fds(client, [b"1"], [request, out_end, err_end])
        except BaseException:
            os.close(out)
            os.close(err)
            client.close()
            raise
        finally:
            for fd in (request, out_end, err_end):
                os.close(fd)
        return client, (out, err)

    def _receive(self, client, fds):
        found = [b"", b""]

        def read(index):
            with os.fdopen(fds[index], "rb") as source:
                found[index] = source.read()

        other = threading.Thread(target=read, args=(1,), daemon=True)
        with client:
            other.start()
            read(0)
            other.join()
            answer = client.recv(4, socket.MSG_WAITALL)
        code = struct.unpack("!i", answer)[0] if len(answer) == 4 else -9
        return (128 - code if code < 0 else code), found[0], found[1]
