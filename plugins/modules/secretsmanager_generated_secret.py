#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: secretsmanager_generated_secret
version_added: 0.1.0
short_description: Manage a secret in Secrets Manager whose value is generated once
description:
  - A secret whose value is generated when there is none, and never changed afterwards; whoever rotates it is left alone.
  - M(community.aws.secretsmanager_secret) needs the value from the task, so each run would have to carry it or would make a new one, and it cannot return
    the value that is there.
  - A secret that is scheduled for deletion is restored with the value that it had.
options:
  name:
    description: Name of the secret, at most 512 letters, digits and C(/_+=.@-).
    type: str
    required: true
  description:
    description: What the secret is for.
    type: str
  length:
    description: How many characters are generated, 8 to 4096, among them at least one capital letter, one small letter and one digit.
    type: int
    default: 32
  exclude_characters:
    description:
      - Characters that are not generated, besides everything that is not a visible ASCII character.
      - By default what needs quoting or escaping in a shell, a URL or a libpq connection string, so that C(-), C(.), C(_) and C(~) remain besides letters and
        digits. RDS forbids C(/), C("), C(@) and the space in a master password.
    type: str
    default: "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}"
  key:
    description:
      - The value is a JSON object in which the generated characters have this key, as ECS reads it with C(ARN:key::).
      - Without it the value is the generated characters alone.
    type: str
  static:
    description:
      - What the JSON object has besides, such as the name of the user. It needs O(key).
      - Like the rest of the value it is only written once.
    type: dict
    default: {}
  kms_key_id:
    description: ARN or ID of the KMS key that encrypts the secret. Without it a new secret gets C(aws/secretsmanager), and an existing one keeps its key.
    type: str
  recovery_window_days:
    description: For how many days a removed secret can be restored, 7 to 30.
    type: int
    default: 30
  force_delete:
    description: Whether a removed secret is gone at once, without a recovery window.
    type: bool
    default: false
  return_value:
    description: Whether the value is returned. Such a task needs C(no_log=true).
    type: bool
    default: false
  state:
    description: Whether the secret is there. A secret that is scheduled for deletion is absent, except with O(force_delete=true).
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the properties before and after, never the value.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The database's password is in Secrets Manager
  pulsegrid.aws.secretsmanager_generated_secret:
    name: pulsegrid-production-database
    description: Master user of pulsegrid-production
    key: password
    static:
      username: pulsegrid
    return_value: true
  register: database_secret
  no_log: true

- name: Tasks can sign tokens
  pulsegrid.aws.secretsmanager_generated_secret:
    name: pulsegrid-production-jwt-secret
    length: 64

- name: The secret can be restored for a week
  pulsegrid.aws.secretsmanager_generated_secret:
    name: pulsegrid-production-jwt-secret
    recovery_window_days: 7
    state: absent
"""

RETURN = r"""
arn:
  description:
    - The secret's ARN; empty when it is absent.
    - In check mode a secret that is not there yet has a well-formed ARN that ends in C(-known-after-apply), since AWS chooses the last six characters.
  returned: success
  type: str
  sample: arn:aws:secretsmanager:us-east-1:123456789012:secret:pulsegrid-production-database-a1b2c3
name:
  description: The secret's name.
  returned: success
  type: str
  sample: pulsegrid-production-database
secret:
  description: The secret's properties, without its value; empty when it is absent.
  returned: success
  type: dict
  contains:
    description:
      description: What the secret is for.
      type: str
      sample: Master user of pulsegrid-production
    kms_key_id:
      description: The key that encrypts it; empty for C(aws/secretsmanager).
      type: str
      sample: arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    deletion_scheduled:
      description: Whether it is scheduled for deletion.
      type: bool
      sample: false
    has_value:
      description: Whether it has a value.
      type: bool
      sample: true
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
secret_string:
  description: The value as AWS has it, so that a JSON value is JSON. Use C(no_log=true).
  returned: with O(return_value=true), when the secret has a value
  type: str
  sample: '{"username": "pulsegrid", "password": "..."}'
"""

import json
import secrets
import string
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

# All visible ASCII characters that are neither a letter, a digit nor unreserved in a URL (RFC 3986)
RESERVED = "".join(sorted(set(string.punctuation) - set("-._~")))
CLASSES = (string.ascii_uppercase, string.ascii_lowercase, string.digits)


def generate(length: int, excluded: str) -> str:
    """Random characters with one or more of each class that is not wholly excluded."""
    alphabet = [character for character in string.ascii_letters + string.digits + string.punctuation if character not in excluded]
    required = [kept for kept in (set(letters) - set(excluded) for letters in CLASSES) if kept]
    while True:
        value = "".join(secrets.choice(alphabet) for _position in range(length))
        if all(kept & set(value) for kept in required):
            return value


class Secret(Resource):
    service = "secretsmanager"
    kind = "Secret"
    result = "secret"
    not_found = ("ResourceNotFoundException",)

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_secret", SecretId=self.name)
        if found is None:
            return None
        return {
            "ARN": found["ARN"],
            "Description": found.get("Description", ""),
            "KmsKeyId": found.get("KmsKeyId", ""),
            "DeletionScheduled": bool(found.get("DeletedDate")),
            "HasValue": any("AWSCURRENT" in stages for stages in found.get("VersionIdsToStages", {}).values()),
            "Tags": boto3_tag_list_to_ansible_dict(found.get("Tags", [])),
        }

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "Description": self.params["description"],
            "KmsKeyId": self.wanted_key((current or {}).get("KmsKeyId", "")),
            "DeletionScheduled": False,
            "HasValue": True,
            "Tags": self.wanted_tags(current),
        }

    def wanted_key(self, current: str) -> str | None:
        """The current key where the given one is the same: AWS takes an ID and may answer with the ARN."""
        wanted = self.params["kms_key_id"]
        return current if wanted and current.endswith(f"/{wanted}") else wanted

    def new_value(self) -> str:
        generated = generate(self.params["length"], self.params["exclude_characters"])
        key = self.params["key"]
        return json.dumps({**self.params["static"], key: generated}) if key else generated

    def create(self, wanted: dict[str, Any]) -> None:
        described = {key: wanted[key] for key in ("Description", "KmsKeyId") if wanted.get(key)}
        tags = ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {})
        self.call("create_secret", Name=self.name, SecretString=self.new_value(), Tags=tags, **described)
        self.wait_until(self.describe, "to be seen", seconds=30, interval=1)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if current["DeletionScheduled"]:
            self.call("restore_secret", SecretId=self.name)
        changes = {key: wanted[key] for key in ("Description", "KmsKeyId") if key in wanted and wanted[key] != current[key]}
        if changes:
            self.call("update_secret", SecretId=self.name, **changes)
        if not current["HasValue"]:
            self.call("put_secret_value", SecretId=self.name, SecretString=self.new_value())
        tags, removed = self.tag_changes(current, wanted)
        if removed:
            self.call("untag_resource", SecretId=self.name, TagKeys=removed)
        if tags:
            self.call("tag_resource", SecretId=self.name, Tags=ansible_dict_to_boto3_tag_list(tags))

    def delete(self, current: dict[str, Any]) -> None:
        if self.params["force_delete"]:
            self.call("delete_secret", SecretId=self.name, ForceDeleteWithoutRecovery=True)
            # AWS deletes a moment later, and until then refuses a new secret of this name
            self.wait_until(lambda: self.describe() is None, "gone", seconds=120, interval=2)
        else:
            self.call("delete_secret", SecretId=self.name, RecoveryWindowInDays=self.params["recovery_window_days"])

    def exit(self, changed: bool, before: dict[str, Any] | None, after: dict[str, Any] | None, resource: dict[str, Any] | None, **more: Any) -> None:
        properties = {key: value for key, value in (resource or {}).items() if key != "ARN"}
        arn = ""
        if resource is not None:
            arn = resource.get("ARN") or f"arn:aws:secretsmanager:{self.module.region}:000000000000:secret:{self.name}-known-after-apply"
            readable = not self.module.check_mode or (before is not None and before["HasValue"] and not before["DeletionScheduled"])
            if self.params["return_value"] and readable:
                more["secret_string"] = self.call("get_secret_value", SecretId=self.name)["SecretString"]
        super().exit(changed, before, after, properties, arn=arn, name=self.name, **more)

    def run(self) -> None:
        if self.params["state"] == "absent" and not self.params["force_delete"]:
            current = self.describe()
            if current is None or current["DeletionScheduled"]:
                self.exit(False, current, None, None)
                return
        super().run()


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "description": {},
            "length": {"type": "int", "default": 32},
            "exclude_characters": {"default": RESERVED},
            "key": {"no_log": False},
            "static": {"type": "dict", "default": {}},
            "kms_key_id": {"no_log": False},
            "recovery_window_days": {"type": "int", "default": 30},
            "force_delete": {"type": "bool", "default": False},
            "return_value": {"type": "bool", "default": False},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    for option, least, most in (("length", 8, 4096), ("recovery_window_days", 7, 30)):
        if not least <= module.params[option] <= most:
            module.fail_json(msg=f"{option} is {module.params[option]}: allowed are {least} to {most}.")
    if module.params["static"] and not module.params["key"]:
        module.fail_json(msg="static needs key: only a JSON value has room for it.")
    if not set(string.ascii_letters + string.digits) - set(module.params["exclude_characters"]):
        module.fail_json(msg="exclude_characters leaves neither a letter nor a digit.")
    Secret(module).run()


if __name__ == "__main__":
    main()
