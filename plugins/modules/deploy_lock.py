#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
version_added: 0.2.0
short_description: Freeze an environment's deploys, end a freeze, remove a lock that was left
description:
  - M(pulsegrid.aws.ecs_service) and M(pulsegrid.aws.s3_publish) take a lock (their option I(lock)) while they change what is served. This module takes the same
    lock and keeps it, so that no deploy changes anything before it is removed.
  - The lock is an object in an S3 bucket, written on the condition that there is none, so that of several who take it at the same time one gets it.
    M(amazon.aws.s3_object) has no such condition.
  - A lock that has expired counts as none.
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  key:
    description: The object's key.
    type: str
    default: deploy.lock
  state:
    description:
      - V(present) takes the lock, without an end. It fails while a deploy or another freeze holds it.
      - V(absent) removes the lock, whoever holds it. A deploy that is under way goes on without it.
    type: str
    choices: [present, absent]
    default: present
  holder:
    description: Who takes it, as others are told who are locked out. Without it and O(why) nothing is changed; it is only told who holds the lock.
    type: str
  why:
    description: What for, as others are told who are locked out.
    type: str
attributes:
  check_mode:
    description: Predicts the change and changes nothing. A bucket that is not there yet has no lock.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
notes:
  - C(s3:GetObject), C(s3:PutObject) and C(s3:DeleteObject) on the object are needed, and C(s3:ListBucket) on the bucket, without which S3 says of an object
    that is not there that it is forbidden.
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Nobody deploys over the holidays
  pulsegrid.aws.deploy_lock:
    bucket: shop-production-site-123456789012
    holder: alice
    why: holidays, until 2 January

- name: Deploys are possible
  pulsegrid.aws.deploy_lock:
    bucket: shop-production-site-123456789012
    state: absent
"""

RETURN = r"""
lock:
  description: The lock that there is; with I(state=absent) the one that was removed. Empty where there is none.
  returned: always
  type: dict
  contains:
    holder:
      description: Who holds it.
      type: str
    why:
      description: What for.
      type: str
    since:
      description: When it was taken, by S3's clock.
      type: str
    expires:
      description: When another may take it; empty for a freeze, which does not expire.
      type: str
  sample: {"holder": "alice", "why": "holidays, until 2 January", "since": "2026-12-23T16:00:00+00:00", "expires": ""}
frozen:
  description: Whether the lock is a freeze.
  returned: always
  type: bool
  sample: true
said:
  description: The lock in a sentence, as a deploy says it; empty where there is none.
  returned: always
  type: str
  sample: "Deploys are frozen by alice since 2026-12-23 16:00:00 UTC (holidays, until 2 January). The playbook unlock.yml ends the freeze."
"""

from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.deploy_lock import LOST_RACES, Held, LockObject, content_of, refusal


class Freeze:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params = module.params
        self.object = LockObject(module, self.params["bucket"], self.params["key"])

    def run(self) -> None:
        for name in ("bucket", "key"):
            self.refuse_blank(name)
        try:
            if self.params["state"] == "absent":
                self.absent()
            elif self.params["holder"] is None:
                self.info()
            else:
                self.present()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.fail_json_aws(error, msg=f"could not ask for or change the deploy lock {self.object.uri}")

    def refuse_blank(self, name: str) -> None:
        if not self.params[name].strip():
            self.module.fail_json(msg=f"{name} is '{self.params[name]}': it must not be empty.")

    def read(self) -> Held | None:
        try:
            return self.object.read()
        except botocore.exceptions.ClientError as error:
            missing = error.response["Error"]["Code"] == "NoSuchBucket"
            if missing and (self.module.check_mode or self.params["state"] == "absent" or self.params["holder"] is None):
                return None
            raise

    def info(self) -> None:
        held = self.read()
        self.exit(False, None if held and held.expired else held)

    def present(self) -> None:
        for name in ("holder", "why"):
            self.refuse_blank(name)
        held = self.read()
        for _try in range(LOST_RACES):
            if held and not held.expired:
                if (held.holder, held.why, held.expires) == (self.params["holder"], self.params["why"], None):
                    self.exit(False, held)
                if not self.module.check_mode:
                    self.module.fail_json(msg=refusal(held), lock=held.result)
                self.module.warn(refusal(held))
                self.exit(False, held)
            after = {"holder": self.params["holder"], "why": self.params["why"]}
            if self.module.check_mode:
                self.exit(True, None, after=after)
            written = self.object.write(content_of(**after, expires_seconds=None), held.etag if held else None)
            held = self.read()
            if written:
                self.exit(True, held, after=after)
        self.module.fail_json(msg=f"The deploy lock {self.object.uri} was taken by others {LOST_RACES} times just before it could be taken.")

    def absent(self) -> None:
        for _try in range(LOST_RACES):
            held = self.read()
            if held is None:
                self.exit(False, None)
            elif self.module.check_mode or self.object.remove(held.etag):
                self.exit(True, held, before={"holder": held.holder, "why": held.why})
        self.module.fail_json(msg=f"The deploy lock {self.object.uri} was taken anew {LOST_RACES} times just before it could be removed.")

    def exit(self, changed: bool, held: Held | None, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> None:
        self.module.exit_json(
            changed=changed,
            diff={"before": before or {}, "after": after or {}} if changed else {},
            lock=held.result if held else {},
            frozen=bool(held and held.expires is None),
            said=refusal(held) if held else "",
        )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"required": True},
            "key": {"default": "deploy.lock", "no_log": False},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "holder": {},
            "why": {},
        },
        required_together=[("holder", "why")],
        supports_check_mode=True,
    )
    Freeze(module).run()


if __name__ == "__main__":
    main()
