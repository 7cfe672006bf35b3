# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The warmed process of the connection plugin warm: warm_server.py SOCKET PID [COLLECTIONS]. It runs Python code in forks of itself until PID ends.

A request is the lengths of a JSON object (environment, directory, mask) and of the code and two descriptors (standard output, error), then both of them.
The answer is the fork's return code, as subprocess has it, or COLD where nothing was run, because the task brings modules other than those loaded here.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.abc
import json
import os
import selectors
import signal
import socket
import sys
import time
import types
import zipfile
import zipimport
from pathlib import Path
from typing import Any

# What modules of amazon.aws import; what is not there is not loaded.
LOADED = (
    "ansible.module_utils.basic",
    "ansible.module_utils.common.dict_transformations",
    "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
    "ansible.module_utils._internal._json._profiles._module_modern_m2c",
    "ansible.module_utils._internal._json._profiles._module_modern_c2m",
    *(
        f"ansible_collections.amazon.aws.plugins.module_utils.{name}"
        for name in ("modules", "botocore", "retries", "tagging", "transformation", "waiters", "policy", "arn", "ec2", "elbv2", "iam", "rds", "s3")
    ),
    "boto3",
    "boto3.session",
    "botocore.endpoint",
    "botocore.waiter",
    "botocore.paginate",
    "tempfile",
    "zipfile",
    "base64",
    "runpy",
    "http.client",
    "ssl",
    "logging.config",
)
OURS = ("ansible", "ansible_collections")
# Packages for which Ansible makes an __init__.py of its own in a task's archive
MADE = (*OURS, "ansible.module_utils")
COLD = b"COLD"
models: dict[Any, Any] = {}


def load(collections: list[str]) -> None:
    installed = list(sys.path)
    sys.path += collections
    for name in LOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    # Tasks bring what they need of collections: nothing else of them is to be found.
    sys.path[:] = installed


def remember_models(report: int) -> None:
    """Sessions read service models from files. Here they find those in memory that an earlier task read; what is read anew is reported to the process."""
    loaders = sys.modules.get("botocore.loaders")
    loader = getattr(loaders, "JSONFileLoader", None)
    if not callable(getattr(loader, "load_file", None)):
        return
    upstream = loader.load_file

    @functools.wraps(upstream)
    def load_file(self: Any, file_path: Any, *more: Any, **options: Any) -> Any:
        key = (file_path, *more, *sorted(options.items()))
        if key not in models:
            models[key] = upstream(self, file_path, *more, **options)
            if models[key] is not None and not more and not options and os.getpid() != server_pid:
                os.write(report, json.dumps(str(file_path)).encode() + b"\n")
        return models[key]

    loader.load_file = load_file
    remember_models.read = lambda path: loader().load_file(path)


class Differs(BaseException):
    """The task brings another version of a module that is loaded here."""


class BroughtAlong(importlib.abc.MetaPathFinder):
    """Finds what a task brings in its archive, before what is installed; its first look holds the modules that are loaded against those in the archive."""

    def __init__(self) -> None:
        self.archive = ""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        archive = sys.path[0] if sys.path and sys.path[0].endswith(".zip") else ""
        if fullname.partition(".")[0] not in OURS or not archive:
            return None
        if archive != self.archive:
            self.archive = archive
            if name := self.differing(archive):
                raise Differs(name)
        return self.find_in(archive, fullname)

    @staticmethod
    def find_in(archive: str, fullname: str) -> Any:
        return zipimport.zipimporter(str(Path(archive, *fullname.split(".")[:-1]))).find_spec(fullname)

    @staticmethod
    def differing(archive: str) -> str:
        with zipfile.ZipFile(archive) as brought:
            for file in brought.namelist():
                name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                loaded = getattr(sys.modules.get(name), "__file__", None)
                # A module may put another in its place (distro does): then that one's file is looked at.
                if loaded and loaded.endswith(file) and name not in MADE and brought.read(file) not in (b"", Path(loaded).read_bytes()):
                    return name
        return ""


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    header, descriptors, *_unused = socket.recv_fds(connection, 8, 2)
    header += connection.recv(8 - len(header), socket.MSG_WAITALL) if len(header) < 8 else b""
    sizes = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
    task, code = (connection.recv(size, socket.MSG_WAITALL) for size in sizes)
    if len(descriptors) != 2 or (len(task), len(code)) != sizes:
        os._exit(250)
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    for descriptor in descriptors:
        os.close(descriptor)
    return json.loads(task.decode("utf-8", "surrogateescape")), code


class Server:
    def __init__(self, path: str, watched: int) -> None:
        self.path = path
        self.tasks: dict[int, tuple[int, socket.socket]] = {}
        self.selector = selectors.DefaultSelector()
        self.run = os.pidfd_open(watched)
        self.selector.register(self.run, selectors.EVENT_READ, self.end)
        self.misses, self.report = os.pipe()
        self.selector.register(self.misses, selectors.EVENT_READ, self.learn)

    def listen(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        unfinished = f"{self.path}.unfinished"
        # By way of a descriptor: a socket's path may have 107 bytes only.
        directory = os.open(Path(unfinished).parent, os.O_PATH | os.O_CLOEXEC)
        self.listener.bind(f"/proc/self/fd/{directory}/{Path(unfinished).name}")
        os.close(directory)
        os.chmod(unfinished, 0o600)
        self.listener.listen(128)
        os.rename(unfinished, self.path)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def serve(self) -> socket.socket:
        """Accept tasks for ever; in a fork, answers the connection of the task that it is for."""
        while True:
            for key, _unused in self.selector.select(5):
                if connection := key.data(key.fd):
                    return connection
            if not os.path.exists(self.path):
                self.end(0)  # the run's directory is gone

    def accept(self, _descriptor: int) -> socket.socket | None:
        connection, _unused = self.listener.accept()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            self.selector.close()
            for descriptor in (self.run, self.misses, self.listener.fileno(), *self.tasks):
                os.close(descriptor)
            for _unused, other in self.tasks.values():
                other.close()
            return connection
        descriptor = os.pidfd_open(pid)
        self.tasks[descriptor] = (pid, connection)
        self.selector.register(descriptor, selectors.EVENT_READ, self.answer)
        return None

    def answer(self, descriptor: int) -> None:
        pid, connection = self.tasks.pop(descriptor)
        self.selector.unregister(descriptor)
        os.close(descriptor)
        _unused, status = os.waitpid(pid, 0)
        try:
            connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
        except OSError:
            pass  # nobody waits for it any more
        connection.close()

    def learn(self, descriptor: int) -> None:
        for path in os.read(descriptor, 65536).splitlines():
            try:
                remember_models.read(json.loads(path))
            except (OSError, ValueError):
                continue  # cut in two, or gone: it is reported again
        gc.freeze()

    def end(self, _descriptor: int) -> None:
        for pid, _unused in self.tasks.values():
            try:
                os.killpg(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        os._exit(0)


def become_the_task(connection: socket.socket) -> bytes:
    """Give this fork what a new interpreter would have; the code that it is to run."""
    task, code = receive(connection)
    os.chdir(task["directory"])
    os.umask(task["mask"])
    os.environ.clear()
    os.environ.update(task["environment"])
    time.tzset()
    sys.argv[:] = [""]
    sys.path[0] = ""
    sys.meta_path.insert(0, BroughtAlong())
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    os.close(write_end)
    return code


if __name__ == "__main__":
    server_pid = os.getpid()
    server = Server(sys.argv[1], int(sys.argv[2]))
    load(sys.argv[3:])
    remember_models(server.report)
    gc.collect()
    gc.freeze()
    server.listen()
    connection = server.serve()
    code = become_the_task(connection)
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    try:
        exec(compile(code, "<stdin>", "exec"), main.__dict__)
    except Differs:
        connection.sendall(COLD)
        os._exit(0)
