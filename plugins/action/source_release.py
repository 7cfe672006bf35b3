# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Name the release that a source directory of the controller is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

DIGITS = 12


def digest(root: str, names: Iterable[str]) -> str:
    """Of the names, the modes that matter and the content of the files, in an order of its own."""
    total = hashlib.sha256()
    for name in sorted(names):
        path = os.path.join(root, name)
        if os.path.islink(path):
            kind, content = "link", os.fsencode(os.readlink(path))
        elif os.path.isfile(path):
            kind = "program" if os.access(path, os.X_OK) else "file"
            with open(path, "rb") as file:
                content = file.read()
        else:
            continue  # git lists what was deleted since the commit
        total.update(os.fsencode(f"{kind} {name} {len(content)}\n") + content)
    return total.hexdigest()[:DIGITS]


def walk(root: str, exclude: list[str]) -> list[str]:
    names = []
    for directory, subdirectories, files in os.walk(root):
        subdirectories[:] = [name for name in subdirectories if name not in exclude]
        names += [os.path.relpath(os.path.join(directory, name), root) for name in files if name not in exclude]
    return names


class Source:
    def __init__(self, path: str, exclude: list[str]) -> None:
        self.path, self.exclude = path, exclude

    def git(self, *arguments: str, check: bool = True) -> str:
        command = ["git", "--no-optional-locks", "-C", self.path, *arguments]  # it would write into what may be read-only
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0 and (check or b"not a git repository" not in done.stderr):
            raise AnsibleActionFail(f"git cannot read {self.path}: {os.fsdecode(done.stderr).strip()}")
        return os.fsdecode(done.stdout) if done.returncode == 0 else ""

    def tracked(self) -> bool:
        inside = bool(shutil.which("git")) and self.git("rev-parse", "--is-inside-work-tree", check=False).strip() == "true"
        return inside and bool(self.git("ls-files", "--cached", "--", "."))

    def release(self) -> dict[str, Any]:
        if not self.tracked():
            return {"release": digest(self.path, walk(self.path, self.exclude)), "commit": "", "dirty": True}
        commit = ""
        if self.git("rev-list", "--all", "--max-count=1"):
            commit = self.git("log", "-1", "--format=%H", "--", ".")[:DIGITS]
        dirty = not commit or bool(self.git("status", "--porcelain", "--", "."))
        parts = [commit] if commit else []
        if dirty:
            names = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".").split("\0")
            parts.append(digest(self.path, {name for name in names if name}))
        return {"release": "-".join(parts), "commit": commit, "dirty": dirty}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "exclude": {"type": "list", "elements": "str", "default": [".git", "dist", "node_modules"]},
            }
        )
        path = self._loader.path_dwim(options["path"])
        if not os.path.isdir(path):
            raise AnsibleActionFail(f"path is '{options['path']}': that is no directory")
        return {"changed": False, **Source(path, options["exclude"]).release()}
