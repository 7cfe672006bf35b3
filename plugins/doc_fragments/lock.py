# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option of a module that changes what an environment serves, and does so alone (module_utils/deploy_lock.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lock:
    description:
      - The lock under which a change is made. It is an object in a bucket, which S3 lets only one of all that write it at once create.
      - It is taken when there is something to change, before the first change, and removed at the end, however that is.
      - While another holds it, the module fails and changes nothing; in check mode it warns.
      - Without it no lock is taken.
    type: dict
    suboptions:
      bucket:
        description: Name of the bucket.
        type: str
        required: true
      key:
        description: The object's key.
        type: str
        default: deploy.lock
      holder:
        description: Who deploys, as others are told who are locked out.
        type: str
        required: true
      why:
        description: What for, as others are told who are locked out.
        type: str
        default: ""
      expires_seconds:
        description: After how many seconds, by S3's clock, another may take the lock of one who was killed. It is to be more than a deploy takes.
        type: int
        default: 3600
      wait_seconds:
        description: How many seconds to wait for a lock that another holds. A freeze, which does not expire, is not waited for.
        type: int
        default: 0
"""
