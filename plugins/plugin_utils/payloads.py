# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that Ansible has packed with what they import (AnsiballZ), kept from one run to the next.

Ansible keeps them for one run, in files named after the module, without a task's arguments. To make one is to parse about 75 files, a third of a second.
A kept one is used where Ansible would make the same: Ansible, Python and the places where it looks are the same, and so is every byte of every source.
With them goes what Python makes of the sources, for the connection warm: x.py.pyc beside x.py, where an interpreter that imports from archives does not look.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import importlib.util
import io
import json
import marshal
import os
import pickle
import re
import stat
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ansible
import ansible.constants as C
import yaml
from ansible.plugins.loader import module_utils_loader
from ansible.release import __version__

CORE = Path(ansible.__file__).parent
KEPT_IN = "pulsegrid.aws.payloads"
# Made by Ansible, of nothing but its version
MADE = {"ansible/__init__.py", "ansible/module_utils/__init__.py"}
COMPILED = ".pyc"
# What the warmed process has loaded by itself
LOADED_BEFORE = ("ansible/module_utils/", "ansible_collections/amazon/aws/plugins/module_utils/")
COLLECTION = re.compile(r"ansible_collections\.(\w+)\.(\w+)")


class Unfit(Exception):
    """Why this module is not kept, or what is kept is not used."""


def bring(action: str) -> bool:
    """Put the kept module of this action into the run's cache, unless something is there already."""
    brought = False
    with contextlib.suppress(Exception):  # Whatever is wrong, Ansible makes the module.
        module = name_of(action)
        if in_cache(module):
            return False
        with kept(create=False) as directory:
            for name in names(module, os.listdir(directory)):
                header, _newline, payload = read(directory, name).partition(b"\n")
                members, digest, of_payload = json.loads(header)
                if (digest, of_payload) == (digest_of(members), hashlib.sha256(payload).hexdigest()):
                    place(name, payload)
                    brought = True
    return brought


def keep(action: str) -> None:
    """Keep what Ansible has made of this action's module in this run, where it is not kept already."""
    with contextlib.suppress(Exception):  # Then the next run makes it again.
        module = name_of(action)
        for name in in_cache(module):
            payload = (cache() / name).read_bytes()
            with kept(create=True) as directory:
                with contextlib.suppress(OSError, Unfit):
                    if read(directory, name).partition(b"\n")[2] == payload:
                        continue
                made = pickle.loads(payload)  # as Ansible does, of a file that it has just written
                members = members_of(made.zip_data)
                digest = digest_of(members, members)
                payload = with_compiled(made, members)
                header = [list(members), digest, hashlib.sha256(payload).hexdigest()]
                write(directory, name, json.dumps(header).encode() + b"\n" + payload)
                place(name, payload)


def name_of(action: str) -> str:
    """The module's name as Ansible's cache has it; modules of roles and playbooks have none that tells whose they are."""
    namespace, _dot, rest = action.partition(".")
    collection, _dot, module = rest.partition(".")
    if not module:
        raise Unfit("no fully qualified name")
    if (namespace, collection) == ("ansible", "builtin"):
        return f"ansible.modules.{module}"
    return f"ansible_collections.{namespace}.{collection}.plugins.modules.{module}"


def cache() -> Path:
    return Path(C.DEFAULT_LOCAL_TMP) / "ansiballz_cache"


def in_cache(module: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return names(module, os.listdir(cache()))
    return []


def names(module: str, files: Iterable[str]) -> list[str]:
    """The module's files; those with a debugger or coverage have other endings."""
    return [file for file in files if re.fullmatch(re.escape(module) + r"-ZIP_[A-Z0-9]+(-none)?", file)]


def place(name: str, payload: bytes) -> None:
    cache().mkdir(exist_ok=True)
    unfinished = cache() / f"{name}.{os.getpid()}.kept"
    unfinished.write_bytes(payload)
    unfinished.rename(cache() / name)


def members_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as file:
        return {member: file.read(member) for member in file.namelist() if not member.endswith(COMPILED)}


def with_compiled(made: Any, members: dict[str, bytes]) -> bytes:
    """What Ansible has made, with what Python makes of the members beside them, unless that is there already."""
    archive = io.BytesIO(base64.b64decode(made.zip_data))
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        there = file.namelist()
        for member, text in members.items():
            if text and member not in MADE and member + COMPILED not in there and not member.startswith(LOADED_BEFORE):
                code = marshal.dumps(compile(text, member, "exec", dont_inherit=True))
                file.writestr(member + COMPILED, importlib.util.MAGIC_NUMBER + code)
    return pickle.dumps(dataclasses.replace(made, zip_data=base64.b64encode(archive.getvalue())))


def digest_of(members: Iterable[str], contents: dict[str, bytes] | None = None) -> str:
    """Of the sources that Ansible would take today, and of all that decides which those are. What is in the archive, if given, must be what is installed."""
    if own := [path for path in module_utils_paths() if os.path.isdir(path) and not os.path.samefile(path, CORE / "module_utils")]:
        raise Unfit(f"there may be module utilities of one's own in {own[0]}")
    total = hashlib.sha256(repr([__version__, str(CORE), sys.version, os.environ.get("_ANSIBLE_MODULE_METADATA")]).encode())
    collections: set[tuple[str, str]] = set()
    for member in members:
        text = source_of(member)
        if contents is not None and member not in MADE and contents[member] != text:
            raise Unfit(f"{member} is not what is installed")
        total.update(f"{member} {len(text)}\n".encode() + text)
        # What is imported, if it is there, may have come, or gone, or been redirected.
        collections |= {(found[1], found[2]) for found in COLLECTION.finditer(member.replace("/", ".") + "\n" + text.decode("utf-8", "replace"))}
    for namespace, name in sorted(collections):
        *_unused, routing = utilities = utilities_of(namespace, name)
        total.update(repr(utilities).encode())
        if contents is not None and warns(routing):
            raise Unfit(f"Ansible has something to say about module utilities of {namespace}.{name}")
    return total.hexdigest()


def module_utils_paths() -> list[str]:
    """What Ansible asks before it makes a module; a version that has no such method fails here, and nothing is kept."""
    return list(module_utils_loader._get_paths(subdirs=False))


def source_of(member: str) -> bytes:
    """The file that Ansible packs under this name; it packs empty ones for packages that need no more."""
    root, *parts = member.split("/")
    if member in MADE:
        return b""
    if root == "ansible" and parts[0] == "module_utils":
        return CORE.joinpath(*parts).read_bytes()
    if root == "ansible" and parts[0] == "modules":
        return b"" if parts[-1] == "__init__.py" else CORE.joinpath(*parts).read_bytes()
    if root == "ansible_collections" and (len(parts) < 6 or parts[3] == "modules") and parts[-1] == "__init__.py":
        return b""
    packed = root == "ansible_collections" and len(parts) > 4 and parts[2] == "plugins" and parts[3] in {"module_utils", "modules"}
    if packed and (directory := directory_of(*parts[:2])):
        return directory.joinpath(*parts[2:]).read_bytes()
    raise Unfit(f"{member} has no source that is known")


def directory_of(namespace: str, collection: str) -> Path | None:
    """Where Ansible finds the collection: its own finder says so, and loads nothing of it."""
    try:
        spec = importlib.util.find_spec(f"ansible_collections.{namespace}.{collection}")
    except ImportError:
        return None
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def utilities_of(namespace: str, collection: str) -> tuple[str, str, Path | None, list[str], bytes]:
    directory = directory_of(namespace, collection)
    if directory is None:
        return namespace, collection, None, [], b""
    routing = directory / "meta/runtime.yml"
    files = sorted(os.path.relpath(path, directory) for path in (directory / "plugins/module_utils").rglob("*.py"))
    return namespace, collection, directory, files, routing.read_bytes() if routing.is_file() else b""


def warns(routing: bytes) -> bool:
    """Whether Ansible warns, when it makes a module, that a module utility is deprecated."""
    entries = yaml.safe_load(routing)["plugin_routing"]["module_utils"] if b"module_utils:" in routing else {}
    return any({"deprecation", "tombstone"} & set(entry) for entry in entries.values())


@contextlib.contextmanager
def kept(*, create: bool) -> Iterator[int]:
    """A descriptor of the directory, if nobody but this user could have put anything there: what is in it will be run."""
    home = Path(C.ANSIBLE_HOME).resolve()
    for directory in (home, *home.parents):
        state = directory.stat()
        if state.st_uid not in {0, os.geteuid()} or (state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX):
            raise Unfit(f"others may write to {directory}")
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(home / KEPT_IN, 0o700)
    descriptor = os.open(home / KEPT_IN, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        its_own(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def its_own(descriptor: int) -> None:
    state = os.fstat(descriptor)
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise Unfit("it is not this user's alone")


def read(directory: int, name: str) -> bytes:
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory), "rb") as file:
        its_own(file.fileno())
        return file.read()


def write(directory: int, name: str, content: bytes) -> None:
    unfinished = f".{name}.{os.getpid()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.rename(unfinished, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(unfinished, dir_fd=directory)
        raise
