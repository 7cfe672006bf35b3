# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The warmed process of the connection plugin warm: warm_server.py SOCKET PID [COLLECTIONS]. It runs Python code in forks of itself until PID ends.

Its standard input is the listening socket, so that a task can be waiting before it is ready. READY is its first word on a connection; only then is a task sent:
the lengths of a JSON object (environment, directory, mask) and of the code and two descriptors (standard output, error), then both of them.
The answer is the fork's return code, as subprocess has it, or COLD where nothing was run, because the task brings modules other than those loaded here.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.util
import io
import json
import marshal
import os
import selectors
import signal
import socket
import sys
import threading
import time
import types
import zipfile
import zipimport
import zlib
from collections.abc import Iterable, Iterator
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
# What few of them import, and no task should wait for
LOADED_LATER = ("ansible.module_utils.urls",)
OURS = ("ansible", "ansible_collections")
# Packages for which Ansible makes an __init__.py of its own in a task's archive
MADE = (*OURS, "ansible.module_utils")
# In the order in which an environment needs them; their models are read while nothing is asked of the process.
SERVICES = (
    *("sts", "ec2", "kms", "rds", "secretsmanager", "ecr", "elbv2", "acm", "s3", "cloudfront", "route53", "iam", "ecs", "logs"),
    *("application-autoscaling", "lambda", "scheduler", "sns", "cloudwatch", "resourcegroupstaggingapi"),
)
READY, COLD = b"R", b"COLD"
models: dict[Any, Any] = {}
sums: dict[str, tuple[int, int]] = {}


def load(names: Iterable[str], collections: Iterable[str] = ()) -> None:
    installed = list(sys.path)
    sys.path += collections
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    # Tasks bring what they need of collections: nothing else of them is to be found.
    sys.path[:] = installed
    for name, module in [it for it in sys.modules.items() if it[0] not in sums]:
        file = getattr(module, "__file__", None) or ""
        # A module may put another in its place (distro does): then that one's file is not the one that a task brings.
        own = name.replace(".", "/")
        if name.partition(".")[0] in OURS and name not in MADE and file.endswith((f"/{own}.py", f"/{own}/__init__.py")):
            text = Path(file).read_bytes()
            sums[name] = zlib.crc32(text), len(text)


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


def remember_services() -> None:
    """Each session looks through 1400 directories to know the services that boto3 and botocore come with. Here it is told what the first one found."""
    loader = getattr(sys.modules.get("botocore.loaders"), "Loader", None)
    upstream = getattr(loader, "list_available_services", None)
    come_with = [str(Path(sys.modules[name].__file__ or "").parent / "data") for name in ("botocore", "boto3") if name in sys.modules]
    if not callable(upstream):
        return
    found: dict[Any, list[str]] = {}

    @functools.wraps(upstream)
    def list_available_services(self: Any, type_name: str) -> list[str]:
        paths = tuple(path for path in self.search_paths if os.path.isdir(path))
        if not set(paths) <= set(come_with):
            return upstream(self, type_name)
        if (paths, type_name) not in found:
            found[paths, type_name] = upstream(self, type_name)
        return list(found[paths, type_name])

    loader.list_available_services = list_available_services


def remember_handlers() -> None:
    """Each session registers the same 130 handlers, and for each looks at its signature and at the names that its event has had. Once is enough."""
    hooks = sys.modules.get("botocore.hooks")
    accepts, aliaser = (getattr(hooks, name, None) for name in ("accepts_kwargs", "EventAliaser"))
    if callable(accepts):
        known = functools.cache(accepts)

        @functools.wraps(accepts)
        def accepts_kwargs(function: Any) -> Any:
            return known(function) if getattr(type(function), "__hash__", None) else accepts(function)

        hooks.accepts_kwargs = accepts_kwargs
    if callable(aliaser):
        upstream = aliaser.__init__
        names: dict[str, str] = {}

        @functools.wraps(upstream)
        def begin(self: Any, *arguments: Any, **options: Any) -> None:
            upstream(self, *arguments, **options)
            if getattr(self, "_alias_name_cache", None) == {} and getattr(self, "_event_aliases", None) is getattr(hooks, "EVENT_ALIASES", ()):
                self._alias_name_cache = names

        aliaser.__init__ = begin


def prepared() -> Iterator[None]:
    """A step at a time, do what each task that asks AWS would do: import what a client needs, read the models, make Python's names of their operations."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    botocore, loaders, sessions, boto3 = (importlib.import_module(name) for name in ("botocore", "botocore.loaders", "botocore.session", "boto3.session"))
    boto3.Session(botocore_session=(session := sessions.Session()))
    session.create_client(SERVICES[0], region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    yield
    for model in ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"):
        session.get_component("data_loader").list_available_services(model)
        yield
    models.clear()  # A client changes some of what it has read: tasks get it as it is in the files.
    loader = loaders.Loader()
    for model in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        with contextlib.suppress(Exception):
            loader.load_data(model)
    for service in SERVICES:
        for model in ("service-2", "service-2.sdk-extras", "endpoint-rule-set-1", "paginators-1", "paginators-1.sdk-extras", "waiters-2"):
            with contextlib.suppress(loaders.DataNotFoundError):
                version = loader.determine_latest_version(service, "service-2")
                for operation in loader.load_data(f"{service}/{version}/{model}").get("operations", ()):
                    botocore.xform_name(operation)
        yield
    load(LOADED_LATER)
    yield


class Differs(BaseException):
    """The task brings another version of a module that is loaded here."""


class Brought(zipimport.zipimporter):
    """Python's own compiles a module to know its file's name, and once more to run it. Here that is done once, or was when the module was packed."""

    def get_filename(self, fullname: str) -> str:
        name = fullname.rpartition(".")[2] + ("/__init__.py" if self.is_package(fullname) else ".py")
        return os.path.join(self.archive, self.prefix, name)

    def get_code(self, fullname: str) -> Any:
        file = self.get_filename(fullname)
        with contextlib.suppress(OSError):
            magic, compiled = importlib.util.MAGIC_NUMBER, self.get_data(f"{file}.pyc")
            if compiled.startswith(magic):
                return placed(marshal.loads(compiled[len(magic) :]), file)
        return super().get_code(fullname)


def placed(code: types.CodeType, file: str) -> types.CodeType:
    constants = tuple(placed(constant, file) if isinstance(constant, types.CodeType) else constant for constant in code.co_consts)
    return code.replace(co_filename=file, co_consts=constants)


class BroughtAlong:
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
        return Brought(str(Path(archive, *fullname.split(".")[:-1]))).find_spec(fullname)

    @staticmethod
    def differing(archive: str) -> str:
        with zipfile.ZipFile(archive) as brought:
            for file in brought.infolist():
                name = file.filename.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                if file.file_size and sums.get(name, loaded := (file.CRC, file.file_size)) != loaded:
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
        self.listener = socket.socket(fileno=os.dup(0))
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.misses, self.report = os.pipe()
        self.selector.register(self.misses, selectors.EVENT_READ, self.learn)

    def serve(self, steps: Iterator[None]) -> socket.socket:
        """Accept tasks for ever, and take a step while there are none; in a fork, answers the connection of the task that it is for."""
        preparing = True
        while True:
            events = self.selector.select(0 if preparing and not self.tasks else 5)
            for key, _unused in events:
                if connection := key.data(key.fd):
                    return connection
            if not os.path.exists(self.path) and not (self.tasks and os.path.exists(os.path.dirname(self.path))):
                self.end(0)  # the run's directory is gone, or a task has given it up
            if preparing and not events and not self.tasks:
                try:
                    next(steps)
                except Exception:
                    preparing = False  # At the end, or boto3 is not there: what is missing, tasks read themselves.
                gc.collect()
                gc.freeze()

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
    connection.sendall(READY)
    task, code = receive(connection)
    os.chdir(task["directory"])
    os.umask(task["mask"])
    os.environ.clear()
    os.environ.update(task["environment"])
    time.tzset()
    sys.argv[:] = [""]
    sys.path[0] = ""
    sys.meta_path.insert(0, BroughtAlong())
    if loader := getattr(sys.modules.get("botocore.loaders"), "Loader", None):
        loader.CUSTOMER_DATA_PATH = os.path.join(os.path.expanduser("~"), ".aws", "models")
    gc.enable()
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    os.close(write_end)
    return code


def end_as_usual(status: object) -> None:
    """What an interpreter does at its end, but for taking apart what was loaded before the task; returns where only the interpreter can do it."""
    run_exit_functions = getattr(atexit, "_run_exitfuncs", None)
    if not (status is None or isinstance(status, int)) or threading.active_count() > 1 or run_exit_functions is None:
        return
    run_exit_functions()
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    gc.collect()
    files = (io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
    with contextlib.suppress(Exception):  # What cannot be written, the interpreter says in its own words.
        for file in [item for item in gc.get_objects() if type(item) in files and not item.closed] + [sys.stdout, sys.stderr]:
            file.flush()
        os._exit((status or 0) & 0xFF)


if __name__ == "__main__":
    gc.disable()  # Nothing is thrown away while it loads, and each search would go through all of it.
    server_pid = os.getpid()
    server = Server(sys.argv[1], int(sys.argv[2]))
    load(LOADED, sys.argv[3:])
    remember_models(server.report)
    remember_services()
    remember_handlers()
    gc.freeze()
    connection = server.serve(prepared())
    code = become_the_task(connection)
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    loaded = set(sys.modules) - {"__main__"}
    try:
        exec(compile(code, "<stdin>", "exec"), main.__dict__)
        status: object = None
    except Differs:
        connection.sendall(COLD)
        os._exit(0)
    except SystemExit as end:
        status = end.code
    del main
    end_as_usual(status)
    sys.exit(status)
