#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_event_subscription
version_added: 0.1.0
short_description: Manage an RDS event subscription
description:
  - A subscription with which RDS tells an SNS topic of its events, such as a failover or storage that runs low.
  - No official module manages event subscriptions.
options:
  name:
    description: Name of the subscription, at most 254 characters.
    type: str
    required: true
  sns_topic_arn:
    description: ARN of the SNS topic that is told. Required when O(state=present).
    type: str
  source_type:
    description: Kind of source whose events are told.
    type: str
    choices: [db-instance, db-cluster, db-parameter-group, db-security-group, db-snapshot, db-cluster-snapshot, db-proxy]
    default: db-instance
  source_ids:
    description: Identifiers of the sources, and of no others; none for all of O(source_type).
    type: list
    elements: str
    default: []
  event_categories:
    description: Categories of events that are told, and no others; none for all of them.
    type: list
    elements: str
    default: []
  wait_timeout_seconds:
    description: For how many seconds at most a subscription that AWS is still creating or changing is waited for before it is changed.
    type: int
    default: 300
  state:
    description: Whether the subscription is there.
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
- name: Somebody is told when the database fails over
  pulsegrid.aws.rds_event_subscription:
    name: pulsegrid-production
    sns_topic_arn: arn:aws:sns:us-east-1:123456789012:operations
    source_ids: [pulsegrid-production]
    event_categories: [failover, failure, low storage]

- name: Nobody is told
  pulsegrid.aws.rds_event_subscription:
    name: pulsegrid-production
    state: absent
"""

RETURN = r"""
event_subscription:
  description: The subscription; empty when it is absent.
  returned: success
  type: dict
  contains:
    arn:
      description: Its ARN; missing in check mode for one that is not there yet.
      type: str
      sample: arn:aws:rds:us-east-1:123456789012:es:pulsegrid-production
    sns_topic_arn:
      description: The topic that is told.
      type: str
      sample: arn:aws:sns:us-east-1:123456789012:operations
    source_type:
      description: Kind of source.
      type: str
      sample: db-instance
    source_ids:
      description: The sources, sorted; empty for all.
      type: list
      elements: str
      sample: [pulsegrid-production]
    event_categories:
      description: The categories, sorted; empty for all.
      type: list
      elements: str
      sample: [failover, failure, low storage]
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

CHANGING = ("creating", "modifying", "deleting")


class EventSubscription(Resource):
    service = "rds"
    kind = "RDS event subscription"
    result = "event_subscription"
    not_found = ("SubscriptionNotFound", "SubscriptionNotFoundFault")
    # An instance that is just being created, and a topic's policy that was just written, are not known everywhere at once
    retry_codes = ("SourceNotFound", "SNSNoAuthorization")

    def found(self) -> dict[str, Any] | None:
        answer = self.find("describe_event_subscriptions", SubscriptionName=self.name)
        return answer["EventSubscriptionsList"][0] if answer and answer["EventSubscriptionsList"] else None

    def describe(self) -> dict[str, Any] | None:
        found = self.found()
        if found is None:
            return None
        arn = found["EventSubscriptionArn"]
        return {
            "Arn": arn,
            "SnsTopicArn": found["SnsTopicArn"],
            "SourceType": found.get("SourceType", ""),
            "SourceIds": sorted(found.get("SourceIdsList") or []),
            "EventCategories": sorted(found.get("EventCategoriesList") or []),
            "Tags": boto3_tag_list_to_ansible_dict(self.call("list_tags_for_resource", ResourceName=arn)["TagList"]),
        }

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "SnsTopicArn": self.params["sns_topic_arn"],
            "SourceType": self.params["source_type"],
            "SourceIds": sorted(self.params["source_ids"]),
            "EventCategories": sorted(self.params["event_categories"]),
            "Tags": self.wanted_tags(current),
        }

    def create(self, wanted: dict[str, Any]) -> None:
        properties = {key: value for key, value in wanted.items() if key != "Tags" and value}
        tags = ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {})
        self.call("create_event_subscription", SubscriptionName=self.name, Enabled=True, Tags=tags, **properties)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.settle()
        properties = {key: wanted[key] for key in ("SnsTopicArn", "SourceType", "EventCategories")}
        # AWS has no value for the change to all of its sources, or from them, or to all categories: that is another subscription
        if current["SourceType"] != wanted["SourceType"] or any(bool(current[key]) != bool(wanted[key]) for key in ("SourceIds", "EventCategories")):
            self.delete(current)
            self.create({**wanted, "Tags": {**current["Tags"], **(wanted.get("Tags") or {})}})
            return
        if any(current[key] != value for key, value in properties.items()):
            self.call("modify_event_subscription", SubscriptionName=self.name, **{key: value for key, value in properties.items() if value})
        for operation, sources in (
            ("add_source_identifier_to_subscription", set(wanted["SourceIds"]) - set(current["SourceIds"])),
            ("remove_source_identifier_from_subscription", set(current["SourceIds"]) - set(wanted["SourceIds"])),
        ):
            for source in sorted(sources):
                self.settle()
                self.call(operation, SubscriptionName=self.name, SourceIdentifier=source)
        tags, removed = self.tag_changes(current, wanted)
        if removed:
            self.call("remove_tags_from_resource", ResourceName=current["Arn"], TagKeys=removed)
        if tags:
            self.call("add_tags_to_resource", ResourceName=current["Arn"], Tags=ansible_dict_to_boto3_tag_list(tags))

    def settle(self) -> None:
        self.wait_until(lambda: (self.found() or {}).get("Status") not in CHANGING, "ready for a change", self.params["wait_timeout_seconds"])

    def delete(self, current: dict[str, Any]) -> None:
        self.settle()
        self.call("delete_event_subscription", SubscriptionName=self.name)
        self.wait_until(lambda: self.found() is None, "gone", self.params["wait_timeout_seconds"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "sns_topic_arn": {},
            "source_type": {
                "choices": ["db-instance", "db-cluster", "db-parameter-group", "db-security-group", "db-snapshot", "db-cluster-snapshot", "db-proxy"],
                "default": "db-instance",
            },
            "source_ids": {"type": "list", "elements": "str", "default": []},
            "event_categories": {"type": "list", "elements": "str", "default": []},
            "wait_timeout_seconds": {"type": "int", "default": 300},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ["sns_topic_arn"])],
        supports_check_mode=True,
    )
    EventSubscription(module).run()


if __name__ == "__main__":
    main()
