"""Says what it is told to say, holds a lock where it is told of one, and returns what it was given."""

from __future__ import annotations

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.deploy_lock import LOCK_OPTIONS, DeployLock
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import PROGRESS_OPTIONS, Progress

module = AnsibleAWSModule(
    argument_spec={
        "say": {"default": ""},
        "times": {"type": "int", "default": 1},
        "seconds": {"type": "float", "default": 0},
        "secret": {"no_log": True},
        "fails": {"type": "bool", "default": False},
        **LOCK_OPTIONS,
        **PROGRESS_OPTIONS,
    },
    supports_check_mode=True,
)
with DeployLock(module):
    for number in range(module.params["times"]):
        Progress(module).say(f"{module.params['say']} {number}")
    time.sleep(module.params["seconds"])
if module.params["fails"]:
    module.fail_json(msg="as it was told")
module.exit_json(changed=False, heard=bool(module.params["progress_to"]), checked=module.check_mode)
