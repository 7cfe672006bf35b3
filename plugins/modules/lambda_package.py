#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_package
version_added: 0.1.0
short_description: Make the deployment package of a Lambda function from a directory
description:
  - Writes a zip file of a directory. Equal content makes an equal file, whoever makes it and when, so that M(amazon.aws.lambda), which compares
    checksums, uploads code only when it has changed. M(community.general.archive) puts times, owners and the order of the file system into the file.
  - Nothing is compressed, since the result of a compression depends on the version of the library.
options:
  source:
    description: The directory whose content is packed.
    type: path
    required: true
  dest:
    description: The zip file.
    type: path
    required: true
  exclude:
    description: Names of files and directories, at any depth, that are left out; C(*) and C(?) stand for any characters and any one.
    type: list
    elements: str
    default: [".*", __pycache__, "*.pyc"]
attributes:
  check_mode:
    description: Says whether the file would change and does not write it.
  diff_mode:
    description: There is nothing to show of a binary file.
    support: none
extends_documentation_fragment:
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The function is packed
  pulsegrid.aws.lambda_package:
    source: files/healthcheck
    dest: /tmp/healthcheck.zip
"""

RETURN = r"""
code_sha256:
  description: The checksum of the file as Lambda says it, base64 of SHA-256.
  returned: success
  type: str
  sample: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
files:
  description: Paths of the files that were packed, sorted.
  returned: success
  type: list
  elements: str
  sample: [handler.py]
"""

import base64
import hashlib
import io
import os
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


def files(source: Path, exclude: list[str]) -> list[Path]:
    """The files below source, relative to it, sorted by their names."""
    found = []
    for directory, directories, names in os.walk(source):
        directories[:] = [name for name in directories if not excluded(name, exclude)]
        found += [(Path(directory) / name).relative_to(source) for name in names if not excluded(name, exclude)]
    return sorted(found, key=Path.as_posix)


def excluded(name: str, exclude: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in exclude)


def pack(source: Path, paths: list[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for path in paths:
            entry = zipfile.ZipInfo(path.as_posix(), EPOCH)
            entry.create_system = 3  # Unix, which has modes
            executable = os.access(source / path, os.X_OK)
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            package.writestr(entry, (source / path).read_bytes())
    return content.getvalue()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "exclude": {"type": "list", "elements": "str", "default": [".*", "__pycache__", "*.pyc"]},
        },
        supports_check_mode=True,
    )
    source, dest = Path(module.params["source"]), Path(module.params["dest"])
    if not source.is_dir():
        module.fail_json(msg=f"{source} is no directory")
    paths = files(source, module.params["exclude"])
    if not paths:
        module.fail_json(msg=f"{source} has no file to pack")
    try:
        content = pack(source, paths)
        changed = not dest.exists() or dest.read_bytes() != content
        if changed and not module.check_mode:
            dest.write_bytes(content)
    except OSError as error:
        module.fail_json(msg=f"{source} could not be packed into {dest}: {error}")
    module.exit_json(
        changed=changed,
        code_sha256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
        files=[path.as_posix() for path in paths],
    )


if __name__ == "__main__":
    main()
