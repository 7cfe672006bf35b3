#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudwatchlogs_log_group
version_added: 0.1.0
short_description: Manage a log group in CloudWatch Logs
description:
  - A log group with its retention and tags.
  - M(amazon.aws.cloudwatchlogs_log_group) really changes the retention of a group that is there in check mode. The options are those of that module.
options:
  log_group_name:
    description: Name of the log group, at most 512 letters, digits and C(_-/.#).
    type: str
    required: true
  retention:
    description: For how many days events are kept. Without it the retention is left alone, and a new group keeps them for ever.
    type: int
    choices: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
  state:
    description: Whether the log group is there. With it go the events in it.
    type: str
    choices: [present, absent]
    default: present
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
- name: Logs are kept for a month
  pulsegrid.aws.cloudwatchlogs_log_group:
    log_group_name: /ecs/pulsegrid-production
    retention: 30

- name: The logs are gone
  pulsegrid.aws.cloudwatchlogs_log_group:
    log_group_name: /ecs/pulsegrid-production
    state: absent
"""

RETURN = r"""
log_group:
  description: The log group; empty when it is absent.
  returned: success
  type: dict
  contains:
    arn:
      description: Its ARN, without the C(:*) of its streams; missing in check mode for one that is not there yet.
      type: str
      sample: arn:aws:logs:us-east-1:123456789012:log-group:/ecs/pulsegrid-production
    retention_in_days:
      description: For how many days events are kept; missing where they are kept for ever.
      type: int
      sample: 30
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, Resource

RETENTIONS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


class LogGroup(Resource):
    service = "logs"
    kind = "Log group"
    result = "log_group"
    # Two changes of one group at the same time
    retry_codes = ("OperationAbortedException",)

    @property
    def name(self) -> str:
        return self.params["log_group_name"]

    def describe(self) -> dict[str, Any] | None:
        more: dict[str, str] = {}
        while True:
            page = self.call("describe_log_groups", logGroupNamePrefix=self.name, **more)
            for group in page["logGroups"]:
                if group["logGroupName"] == self.name:
                    arn = group["arn"].removesuffix(":*")
                    retention = {"retentionInDays": group["retentionInDays"]} if "retentionInDays" in group else {}
                    return {"arn": arn, **retention, "Tags": self.call("list_tags_for_resource", resourceArn=arn)["tags"]}
            if not page.get("nextToken"):
                return None
            more = {"nextToken": page["nextToken"]}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {"retentionInDays": self.params["retention"], "Tags": self.wanted_tags(current)}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call("create_log_group", logGroupName=self.name, **({"tags": wanted["Tags"]} if wanted.get("Tags") else {}))
        self.set_retention({}, wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.set_retention(current, wanted)
        tags, removed = self.tag_changes(current, wanted)
        if removed:
            self.call("untag_resource", resourceArn=current["arn"], tagKeys=removed)
        if tags:
            self.call("tag_resource", resourceArn=current["arn"], tags=tags)

    def set_retention(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if "retentionInDays" in wanted and wanted["retentionInDays"] != current.get("retentionInDays"):
            self.call("put_retention_policy", logGroupName=self.name, retentionInDays=wanted["retentionInDays"])

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_log_group", logGroupName=self.name)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "log_group_name": {"required": True},
            "retention": {"type": "int", "choices": RETENTIONS},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    LogGroup(module).run()


if __name__ == "__main__":
    main()
