# Copyright: the pulsegrid.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The warmed process of the connection plugin pulsegrid.aws.warm: a program, which a task's fork never returns to. Needs the standard library alone."""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import types
import zipfile
import zlib

WARM = (
    "ansible.module_utils.basic",
    "ansible.module_utils.common.dict_transformations",
    "ansible.module_utils.common.parameters",
    "boto3.session",
    "botocore.config",
    "botocore.session",
    "botocore.waiter",
    "boto3.s3.inject",
    "ansible_collections.amazon.aws.plugins.module_utils.modules",
    "ansible_collections.amazon.aws.plugins.module_utils.ec2",
    "ansible_collections.amazon.aws.plugins.module_utils.waiters",
    "ansible_collections.amazon.aws.plugins.module_utils.tagging",
    "ansible_collections.amazon.aws.plugins.module_utils.transformation",
)
OURS = ("ansible", "ansible_collections")
# A payload brings these as stubs of its own
STUBS = ("ansible/__init__.py", "ansible/module_utils/__init__.py")


class Models:
    """botocore's JSON files that tasks loaded: the server loads them once more, for the forks that come."""

    def __init__(self, tell):
        self.tell = tell
        self.loaded = {}
        self.in_server = True
        try:
            from botocore.loaders import JSONFileLoader

            original = JSONFileLoader.load_file
        except (ImportError, AttributeError):
            self.load = None
            return
        models = self

        def load_file(self, file_path):
            if file_path in models.loaded:
                return models.loaded[file_path]
            content = original(self, file_path)
            if content is not None and "botocore" in file_path:
                models.loaded[file_path] = content
                models.report(file_path)
            return content

        JSONFileLoader.load_file = load_file
        self.load = JSONFileLoader().load_file

    def report(self, path):
        message = os.fsencode(path) + b"\n"
        if not self.in_server and len(message) < select.PIPE_BUF:
            try:
                os.write(self.tell, message)
            except OSError:
                pass  # it only makes the tasks that come slower


class Restored(importlib.abc.Loader):
    def __init__(self, module):
        self.module = module

    def create_module(self, spec):
        return self.module

    def exec_module(self, module):
        pass


class Payload(importlib.abc.MetaPathFinder):
    """Finds ansible's and collections' modules in the payload's archive, once it is on the path. What is loaded already is used if the archive has the same."""

    def __init__(self, sums):
        self.sums = sums
        self.archive = None
        self.modules = {}
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            self.modules[name] = sys.modules.pop(name)

    def same(self):
        with zipfile.ZipFile(self.archive) as archive:
            for info in archive.infolist():
                if info.filename in STUBS or not info.filename.endswith(".py"):
                    continue
                name = info.filename[:-3].replace("/", ".").removesuffix(".__init__")
                if name in self.modules and self.sums.get(name, (info.file_size, info.CRC)) != (info.file_size, info.CRC):
                    return False
        return True

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in OURS:
            return None
        if self.archive is None:
            self.archive = next((p for p in sys.path if isinstance(p, str) and p.endswith("_payload.zip")), None)
            if self.archive is None:
                return None
            if not self.same():
                self.modules = {}
            for name, module in self.modules.items():
                if name != fullname:
                    sys.modules.setdefault(name, module)
        if fullname in self.modules:
            module = self.modules[fullname]
            spec = importlib.machinery.ModuleSpec(fullname, Restored(module), origin=getattr(module, "__file__", None), is_package=hasattr(module, "__path__"))
            if hasattr(module, "__path__"):
                spec.submodule_search_locations = module.__path__
            return spec
        return importlib.machinery.PathFinder.find_spec(fullname, [os.path.join(self.archive, *fullname.split(".")[:-1])])


def warm(collections):
    sys.path[1:1] = collections
    sums = {}
    for name in WARM:
        try:
            importlib.import_module(name)
        except Exception:  # a task that needs it says what is wrong with it  # pylint: disable=broad-except
            pass
    for name in list(sys.modules):
        path = getattr(sys.modules[name], "__file__", None)
        if name.split(".")[0] in OURS and path:
            with open(path, "rb") as source:
                content = source.read()
            sums[name] = (len(content), zlib.crc32(content))
    del sys.path[1 : 1 + len(collections)]
    return sums


def started(pid):
    """When a process started, in ticks since boot; None if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        return None if fields[0] == b"Z" else int(fields[19])
    except (OSError, IndexError):
        return None


def end(children):
    for pid in children:
        try:
            os.killpg(pid, signal.SIGTERM)
        except OSError:
            pass


def serve(listener, owner, sums, models, told):
    """Returns in the fork of a task, with its request and the descriptors that came with it; None when there is nobody to serve."""
    children, clients = {}, {}
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *unused: None)
    poll = select.poll()
    for fd in (listener.fileno(), owner, wake, told):
        poll.register(fd, select.POLLIN)
    while True:
        for fd, unused in poll.poll():
            if fd == owner:
                end(children)
                return None
            if fd == wake:
                os.read(wake, 4096)
                while True:
                    try:
                        pid, status = os.waitpid(-1, os.WNOHANG)
                    except ChildProcessError:
                        break
                    if not pid:
                        break
                    client = children.pop(pid, None)
                    if client and clients.pop(client.fileno(), None):
                        poll.unregister(client.fileno())
                        try:
                            client.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
                        except OSError:
                            pass
                        client.close()
            elif fd == told:
                for path in os.read(told, 65536).decode().splitlines():
                    if models.load and path not in models.loaded:
                        models.load(path)
                        gc.freeze()
            elif fd == listener.fileno():
                client = listener.accept()[0]
                client.settimeout(5)
                try:
                    uid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[1]
                    fds = socket.recv_fds(client, 1, 3)[1]
                except OSError:
                    client.close()
                    continue
                pid = None
                if uid == os.getuid() and len(fds) == 3:
                    pid = os.fork()
                    if not pid:
                        signal.set_wakeup_fd(-1)
                        return fds
                for taken in fds:
                    os.close(taken)
                if not pid:
                    client.close()
                    continue
                children[pid] = client
                clients[client.fileno()] = pid
                poll.register(client.fileno(), select.POLLIN)
            elif fd in clients:  # the one who asked is gone
                pid = clients.pop(fd)
                poll.unregister(fd)
                children[pid].close()
                children[pid] = None
                end([pid])


def become_task(fds, tell, sums):
    """The fork becomes what the interpreter is that reads a program from its standard input. Returns that program."""
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(fds[1], 1)
    os.dup2(fds[2], 2)
    with os.fdopen(fds[0], "rb") as whole:
        whole.seek(0)
        header = json.loads(whole.readline())
        program = whole.read()
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != tell:
            try:
                os.close(int(name))
            except OSError:
                pass
    os.environ.clear()
    os.environ.update(header["environ"])
    time.tzset()
    os.umask(header["umask"])
    os.chdir(header["cwd"])
    tempfile.tempdir = None
    sys.argv = [""]
    sys.meta_path.insert(0, Payload(sums))
    return program


def excepthook(kind, error, trace):
    """Without the frame of this file"""
    sys.__excepthook__(kind, error.with_traceback(trace.tb_next if trace else None), trace.tb_next if trace else None)


def main():
    path, pid, since, collections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    sys.path[0] = ""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    owner = os.pidfd_open(pid)
    if started(pid) != since:
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    os.chmod(path + ".new", 0o600)
    listener.listen(128)
    os.rename(path + ".new", path)
    try:
        sums = warm(collections)
        told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        models = Models(tell)
        gc.collect()
        gc.freeze()
        fds = serve(listener, owner, sums, models, told)
    except BaseException:
        remove(path)
        raise
    if fds is None:
        remove(path)
        return None
    models.in_server = False
    return become_task(fds, tell, sums)


def remove(path):
    try:
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
    except OSError:
        pass  # another removed it


if __name__ == "__main__":
    program = main()
    if program is not None:
        sys.excepthook = excepthook
        scope = types.ModuleType("__main__")
        sys.modules["__main__"] = scope
        exec(compile(program, "<stdin>", "exec"), scope.__dict__)  # the module's payload, as the interpreter would run it  # pylint: disable=exec-used
