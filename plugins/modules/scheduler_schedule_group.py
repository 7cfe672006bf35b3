#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduler_schedule_group
version_added: 0.1.0
short_description: Manage a schedule group of EventBridge Scheduler
description:
  - A schedule group is what EventBridge Scheduler can tag, and what the trust policy of a schedule's role can be limited to (C(aws:SourceArn)).
  - The official collections have no module for EventBridge Scheduler.
options:
  name:
    description: Name of the schedule group, at most 64 letters, digits, dots, hyphens and underscores.
    type: str
    required: true
  state:
    description:
      - Whether the schedule group is there.
      - The removal of a group removes its schedules and waits until they are gone.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout_seconds:
    description: How long a removal may take.
    type: int
    default: 300
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
- name: The environment has a schedule group of its own
  pulsegrid.aws.scheduler_schedule_group:
    name: pulsegrid-production
    tags:
      Environment: production

- name: The schedule group and its schedules are gone
  pulsegrid.aws.scheduler_schedule_group:
    name: pulsegrid-production
    state: absent
"""

RETURN = r"""
schedule_group:
  description: The schedule group; empty when it is absent. In check mode one that would be created has no ARN.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: pulsegrid-production
    arn:
      description: Its ARN.
      type: str
      sample: arn:aws:scheduler:us-east-1:123456789012:schedule-group/pulsegrid-production
    state:
      description: ACTIVE or DELETING.
      type: str
      sample: ACTIVE
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)


class ScheduleGroup(Resource):
    service = "scheduler"
    kind = "Schedule group"
    result = "schedule_group"
    not_found = ("ResourceNotFoundException",)
    retry_codes = ("ConflictException",)

    def describe(self) -> dict[str, Any] | None:
        group = self.find("get_schedule_group", Name=self.name)
        if group is None:
            return None
        tags = self.call("list_tags_for_resource", ResourceArn=group["Arn"])["Tags"]
        return {key: group[key] for key in ("Name", "Arn", "State")} | {"Tags": boto3_tag_list_to_ansible_dict(tags)}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        if current and current["State"] == "DELETING" and not self.module.check_mode:
            self.wait_until_gone()
            current = None
        return {"Name": self.name, "State": "ACTIVE", "Tags": self.wanted_tags(current)}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("create_schedule_group", Name=self.name, Tags=ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {}))

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if current["State"] == "DELETING":
            self.create(wanted)
            return
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", ResourceArn=current["Arn"], Tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("untag_resource", ResourceArn=current["Arn"], TagKeys=to_remove)

    def delete(self, current: dict[str, Any]) -> None:
        if current["State"] != "DELETING":
            self.find("delete_schedule_group", Name=self.name)
        self.wait_until_gone()

    def wait_until_gone(self) -> None:
        self.wait_until(lambda: self.find("get_schedule_group", Name=self.name) is None, "gone", self.params["wait_timeout_seconds"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
            "wait_timeout_seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    ScheduleGroup(module).run()


if __name__ == "__main__":
    main()
