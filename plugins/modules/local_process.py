#!/usr/bin/python
# Copyright: Contributors to the Ansible project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: local_process
version_added: 0.1.0
short_description: Keep a background process running without a service manager
description:
  - Starts a program that outlives the play, and stops it by the process id that was recorded when it was started.
  - A process is only ever taken for the recorded one when its start time in C(/proc) is the recorded one too, so a process id that the system has
    given to another program is never signalled.
  - There is no official module for this. The service modules need an init system, which containers do not have, and root.
author:
  - PulseGrid maintainers (@pulsegrid)
options:
  pid_file:
    description: File (JSON) that records the process. It is removed when the process is stopped.
    type: path
    required: true
  state:
    description:
      - C(started) starts the program unless it runs, and restarts it when O(argv), O(environment) or the content of O(files) has changed since.
      - C(stopped) sends SIGTERM, and SIGKILL after O(stop_timeout_seconds).
    type: str
    choices: [started, stopped]
    default: started
  argv:
    description: The program (a path) and its arguments. Required for O(state=started).
    type: list
    elements: str
  environment:
    description: Environment variables that the program gets in addition to those of the module.
    type: dict
    default: {}
  files:
    description: Files or directories that the program reads when it starts.
    type: list
    elements: path
    default: []
  listens_on:
    description: Where the program listens once it is ready, as C(host:port) or the path of a Unix socket. The module waits for that after a start.
    type: str
  start_timeout_seconds:
    description: How long the program may take until it listens on O(listens_on), in seconds.
    type: int
    default: 60
  log_file:
    description: File that standard output and standard error are appended to. Required for O(state=started).
    type: path
  stop_timeout_seconds:
    description: How long the program may take to end after SIGTERM, in seconds.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: Says what would be started or stopped, and signals nothing.
  diff_mode:
    support: none
    description: A process has no content to compare.
  platform:
    platforms: linux
    support: full
    description: Reads C(/proc).
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: The emulator runs
  pulsegrid.aws.local_process:
    pid_file: /var/tmp/emulator/pid.json
    log_file: /var/tmp/emulator/log
    listens_on: 127.0.0.1:4566
    argv: [/opt/emulator/bin/python, -m, emulator]
    environment:
      PORT: "4566"

- name: The emulator is stopped
  pulsegrid.aws.local_process:
    pid_file: /var/tmp/emulator/pid.json
    state: stopped
"""

RETURN = r"""
pid:
  description: The process id. V(null) when no process runs. In check mode, that of the process that would be stopped or restarted.
  returned: always
  type: int
  sample: 4711
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


@dataclass
class Record:
    """A process as it was started."""

    pid: int
    start_time: int
    boot_id: str
    fingerprint: str

    @property
    def runs(self) -> bool:
        return self.boot_id == boot_id() and self.start_time == start_time(self.pid)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None when there is none or only its exit status is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def read(pid_file: Path) -> Record | None:
    try:
        return Record(**json.loads(pid_file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError):
        return None  # cut short when the machine went down: nothing that was started then runs now


def fingerprint(argv: list[str], environment: dict[str, str], files: list[str]) -> str:
    digest = hashlib.sha256(json.dumps([argv, sorted(environment.items())]).encode())
    for name in files:
        path = Path(name)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def start(pid_file: Path, argv: list[str], environment: dict[str, str], log_file: str, mark: str) -> Record:
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    os.chdir(pid_file.parent)
    variables = {**os.environ, **environment}
    # Unlike run_command's child, this one must outlive the module: a session of its own, and nothing of the module's open.
    pid = os.posix_spawn(
        shutil.which(argv[0], path=variables["PATH"]) or argv[0],
        argv,
        variables,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    record = Record(pid, start_time(pid) or 0, boot_id(), mark)
    pid_file.write_text(json.dumps(asdict(record)), encoding="utf-8")
    return record


def listens(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    with socket.socket(socket.AF_INET if colon else socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port)) if colon else address) == 0


def wait_until_ready(record: Record, address: str | None, timeout_seconds: int) -> str:
    """Wait for a program that was just started; what went wrong, if anything did."""
    deadline = time.monotonic() + (timeout_seconds if address else 0.2)
    while time.monotonic() < deadline:
        if not record.runs:
            return "ended"
        if address and listens(address):
            return ""
        time.sleep(0.1)
    return f"does not listen on {address} after {timeout_seconds} s" if address else ""


def stop(record: Record, timeout_seconds: int) -> bool:
    """End the process; False when even SIGKILL did not."""
    for number, seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 5)):
        if record.runs:
            os.kill(record.pid, number)
        deadline = time.monotonic() + seconds
        while record.runs and time.monotonic() < deadline:
            time.sleep(0.05)
    return not record.runs


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pid_file": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "argv": {"type": "list", "elements": "str"},
            "environment": {"type": "dict", "default": {}},
            "files": {"type": "list", "elements": "path", "default": []},
            "listens_on": {"type": "str"},
            "start_timeout_seconds": {"type": "int", "default": 60},
            "log_file": {"type": "path"},
            "stop_timeout_seconds": {"type": "int", "default": 30},
        },
        required_if=[("state", "started", ("argv", "log_file"))],
        supports_check_mode=True,
    )
    options = module.params
    pid_file = Path(options["pid_file"])
    record = read(pid_file)
    running = record is not None and record.runs

    if options["state"] == "stopped":
        if running and not module.check_mode and not stop(record, options["stop_timeout_seconds"]):
            module.fail_json(msg=f"Process {record.pid} does not end.", pid=record.pid)
        if record and not module.check_mode:
            pid_file.unlink()
        module.exit_json(changed=running, pid=record.pid if running and module.check_mode else None)

    environment = {name: str(value) for name, value in options["environment"].items()}
    mark = fingerprint(options["argv"], environment, options["files"])
    if running and record.fingerprint == mark:
        module.exit_json(changed=False, pid=record.pid)
    if module.check_mode:
        module.exit_json(changed=True, pid=record.pid if running else None)
    if running and not stop(record, options["stop_timeout_seconds"]):
        module.fail_json(msg=f"Process {record.pid} does not end.", pid=record.pid)
    try:
        record = start(pid_file, options["argv"], environment, options["log_file"], mark)
    except OSError as error:
        module.fail_json(msg=f"{options['argv'][0]} cannot be started: {error}", pid=None)
    if problem := wait_until_ready(record, options["listens_on"], options["start_timeout_seconds"]):
        tail = Path(options["log_file"]).read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        module.fail_json(msg="\n".join([f"{options['argv'][0]} {problem}. The end of {options['log_file']}:", *tail]), pid=record.pid)
    module.exit_json(changed=True, pid=record.pid)


if __name__ == "__main__":
    main()
