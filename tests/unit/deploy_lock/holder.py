"""Takes the lock as a module does, says so, and keeps it for a while: holder.py OPTIONS [SECONDS]"""

from __future__ import annotations

import json
import sys
import time

from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import deploy_lock

deploy_lock.TRY_AGAIN_SECONDS = 0.1
with patch_module_args({"lock": json.loads(sys.argv[1])}):
    module = AnsibleAWSModule(argument_spec=deploy_lock.LOCK_OPTIONS, supports_check_mode=True)
    with deploy_lock.DeployLock(module):
        taken = time.monotonic()
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
        module.exit_json(changed=True, taken=taken, left=time.monotonic())
