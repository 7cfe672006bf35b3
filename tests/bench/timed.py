"""Run a command and write what it took: timed.py FILE COMMAND... Linux counts what a process held before it became the command as the command's memory, too:
so this one holds nothing."""

import json
import os
import sys
import time

began = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_pid, status, used = os.wait4(pid, 0)
seconds = time.monotonic() - began
with open(sys.argv[1], "w") as file:
    json.dump({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}, file)
sys.exit(os.waitstatus_to_exitcode(status))
