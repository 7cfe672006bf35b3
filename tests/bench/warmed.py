"""A module as a playbook runs it by way of the connection plugin warm: packed by Ansible, in a fork of the warmed process."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar

COLLECTIONS = Path(__file__).parents[2] / ".collections"
init_plugin_loader([str(COLLECTIONS)])  # what is imported of collections before that, Ansible does not find again

from ansible_collections.pulsegrid.aws.plugins.connection import warm  # noqa: E402  after the loader

# What the fork took is the last line of its standard error.
ACCOUNT = b"""
import atexit, json, resource, sys
def account():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"cpu": sum(it.ru_utime + it.ru_stime for it in both), "mib": max(it.ru_maxrss for it in both) / 1024}), file=sys.stderr)
atexit.register(account)
del account
"""


def packed(name: str, arguments: dict[str, Any]) -> bytes:
    path = module_loader.find_plugin(name)
    variables = {"ansible_playbook_python": sys.executable}
    templar = Templar(loader=DataLoader(), variables=variables)
    built = modify_module(module_name=name, module_path=path, module_args=arguments, templar=templar, task_vars=variables, remote_is_local=True)
    return built.b_module_data


def run(name: str, arguments: dict[str, Any], environment: dict[str, str]) -> tuple[dict[str, Any], float, dict[str, float]]:
    """The module's result, the seconds from when its process is asked to its end, and what the process took."""
    first, future, rest = packed(name, arguments).partition(b"from __future__ import annotations\n")
    began = time.monotonic()
    with warm.connect(sys.executable) as server:
        status, out, error = warm.run(server, environment, os.getcwd(), first + future + ACCOUNT + rest)
    seconds = time.monotonic() - began
    if status:
        raise SystemExit(f"{name} failed: {(out + error).decode()[-2000:]}")
    return json.loads(out), seconds, json.loads(error.splitlines()[-1])
