#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: source_release
version_added: 0.1.0
short_description: Name the release that a source directory is
description:
  - The name is the last git commit that touched the directory, so that a commit elsewhere in the repository is no new release. Uncommitted changes add a digest
    of the directory's content. Outside of git the digest alone is the name.
  - Files that git ignores do not count. Outside of git, I(exclude) does not.
  - M(ansible.builtin.git) tells the commit of a whole checkout only, and not what was changed in it.
options:
  path:
    description: The source directory.
    type: path
    required: true
  exclude:
    description: Names of files and directories that do not count outside of git.
    type: list
    elements: str
    default: [.git, dist, node_modules]
extends_documentation_fragment:
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The release is known
  pulsegrid.aws.source_release:
    path: files/frontend
  register: source
"""

RETURN = r"""
release:
  description: The name of the release, of letters, digits and hyphens.
  returned: success
  type: str
  sample: 3f9c2b7a1d04-9a41c07e55d2
commit:
  description: The last commit that touched the directory, 12 digits; empty outside of git.
  returned: success
  type: str
  sample: 3f9c2b7a1d04
dirty:
  description: Whether the directory differs from that commit.
  returned: success
  type: bool
  sample: true
"""

import hashlib
import os
from collections.abc import Iterable

from ansible.module_utils.basic import AnsibleModule

DIGITS = 12


def digest(root: str, names: Iterable[str]) -> str:
    """Of the names, the modes that matter and the content of the files, in an order of its own."""
    total = hashlib.sha256()
    for name in sorted(names):
        path = os.path.join(root, name)
        if os.path.islink(path):
            kind, content = "link", os.readlink(path).encode()
        elif os.path.isfile(path):
            kind = "program" if os.access(path, os.X_OK) else "file"
            with open(path, "rb") as file:
                content = file.read()
        else:
            continue  # git lists what was deleted since the commit
        total.update(f"{kind} {name} {len(content)}\n".encode() + content)
    return total.hexdigest()[:DIGITS]


def walk(root: str, exclude: list[str]) -> list[str]:
    names = []
    for directory, subdirectories, files in os.walk(root):
        subdirectories[:] = [name for name in subdirectories if name not in exclude]
        names += [os.path.relpath(os.path.join(directory, name), root) for name in files if name not in exclude]
    return names


class Source:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.params["path"]
        if not os.path.isdir(self.path):
            module.fail_json(msg=f"path is '{self.path}': that is no directory")
        self.git_path = module.get_bin_path("git")

    def git(self, *arguments: str, check: bool = True) -> str:
        rc, out, err = self.module.run_command([self.git_path, "-C", self.path, *arguments], environ_update={"LC_ALL": "C"})
        if rc != 0 and (check or "not a git repository" not in err):
            self.module.fail_json(msg=f"git cannot read {self.path}: {err.strip()}")
        return out if rc == 0 else ""

    def tracked(self) -> bool:
        inside = bool(self.git_path) and self.git("rev-parse", "--is-inside-work-tree", check=False).strip() == "true"
        return inside and bool(self.git("ls-files", "--cached", "--", "."))

    def run(self) -> None:
        if not self.tracked():
            self.module.exit_json(changed=False, release=digest(self.path, walk(self.path, self.module.params["exclude"])), commit="", dirty=True)
        commit = ""
        if self.git("rev-list", "--all", "--max-count=1"):
            commit = self.git("log", "-1", "--format=%H", "--", ".")[:DIGITS]
        dirty = not commit or bool(self.git("status", "--porcelain", "--", "."))
        parts = [commit] if commit else []
        if dirty:
            names = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".").split("\0")
            parts.append(digest(self.path, {name for name in names if name}))
        self.module.exit_json(changed=False, release="-".join(parts), commit=commit, dirty=dirty)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "exclude": {"type": "list", "elements": "str", "default": [".git", "dist", "node_modules"]},
        },
        supports_check_mode=True,
    )
    Source(module).run()


if __name__ == "__main__":
    main()
