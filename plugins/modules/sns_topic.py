#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sns_topic
version_added: 0.1.0
short_description: Manage an SNS topic, its encryption and its subscriptions
description:
  - A standard topic, encrypted with a KMS key, with subscriptions.
  - M(community.aws.sns_topic) cannot encrypt a topic, and fails in check mode when the topic is not there yet.
options:
  name:
    description: Name of the topic, at most 256 letters, digits, hyphens and underscores.
    type: str
    required: true
  display_name:
    description: Sender's name in an email, at most 100 characters.
    type: str
    default: ""
  kms_master_key_id:
    description:
      - ID, ARN or alias of the KMS key that encrypts the topic; nothing is no encryption.
      - A CloudWatch alarm cannot publish to a topic that is encrypted with C(alias/aws/sns), since that key's policy cannot be changed.
    type: str
    default: ""
  policy:
    description: The topic's access policy, as a dictionary or as JSON. Without it the policy stays as it is.
    type: json
  subscriptions:
    description: Who receives the messages.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: How messages are delivered.
        type: str
        required: true
        choices: [email, email-json, http, https, lambda, sms, sqs]
      endpoint:
        description: Where messages are delivered, such as an address, a URL or an ARN.
        type: str
        required: true
  purge_subscriptions:
    description: Whether subscriptions that are not listed are removed. One that waits for its confirmation cannot be removed; AWS drops it after some days.
    type: bool
    default: true
  state:
    description: Whether the topic is there.
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
- name: Alarms reach the people on call
  pulsegrid.aws.sns_topic:
    name: pulsegrid-production-alarms
    kms_master_key_id: alias/pulsegrid-production-alarms
    subscriptions:
      - protocol: email
        endpoint: oncall@example.com

- name: The topic is gone
  pulsegrid.aws.sns_topic:
    name: pulsegrid-production-alarms
    state: absent
"""

RETURN = r"""
topic:
  description: The topic; empty when it is absent. Its ARN is known in check mode too.
  returned: success
  type: dict
  contains:
    topic_arn:
      description: Its ARN.
      type: str
      sample: arn:aws:sns:us-east-1:123456789012:pulsegrid-production-alarms
    display_name:
      description: Sender's name in an email.
      type: str
      sample: PulseGrid
    kms_master_key_id:
      description: The key that encrypts it.
      type: str
      sample: alias/pulsegrid-production-alarms
    subscriptions:
      description: Who receives the messages, sorted.
      type: list
      elements: dict
      sample: [{"endpoint": "oncall@example.com", "protocol": "email"}]
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.iam import get_aws_account_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "Policy")
# What ListSubscriptionsByTopic says in place of an ARN
NOT_SUBSCRIBED = ("PendingConfirmation", "Deleted")


class Topic(Resource):
    service = "sns"
    kind = "Topic"
    result = "topic"
    not_found = ("NotFound", "NotFoundException")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        account, partition = get_aws_account_info(module)
        self.arn = f"arn:{partition}:sns:{module.region}:{account}:{self.name}"

    def describe(self) -> dict[str, Any] | None:
        found = self.find("get_topic_attributes", TopicArn=self.arn)
        if found is None:
            return None
        attributes = found["Attributes"]
        return {
            "TopicArn": self.arn,
            "DisplayName": attributes.get("DisplayName", ""),
            "KmsMasterKeyId": attributes.get("KmsMasterKeyId", ""),
            "Policy": json.loads(attributes["Policy"]),
            "Subscriptions": self.sorted(map(self.plain, self.subscriptions())),
            "Tags": boto3_tag_list_to_ansible_dict(self.call("list_tags_for_resource", ResourceArn=self.arn)["Tags"]),
        }

    def subscriptions(self) -> list[dict[str, Any]]:
        return self.call_all("list_subscriptions_by_topic", TopicArn=self.arn)["Subscriptions"]

    @staticmethod
    def plain(subscription: dict[str, str]) -> dict[str, str]:
        return {key: subscription[key] for key in ("Protocol", "Endpoint")}

    @staticmethod
    def sorted(subscriptions: Any) -> list[dict[str, str]]:
        return sorted(subscriptions, key=lambda it: (it["Protocol"], it["Endpoint"]))

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "TopicArn": self.arn,
            "DisplayName": self.params["display_name"],
            "KmsMasterKeyId": self.params["kms_master_key_id"],
            "Policy": self.wanted_policy((current or {}).get("Policy")),
            "Subscriptions": self.wanted_subscriptions(current),
            "Tags": self.wanted_tags(current),
        }

    def wanted_policy(self, current: dict[str, Any] | None) -> dict[str, Any] | None:
        """The current policy where it means the same as the given one."""
        if self.params["policy"] is None:
            return None
        policy = json.loads(self.params["policy"])
        return current if current and not compare_policies(current, policy) else policy

    def wanted_subscriptions(self, current: dict[str, Any] | None) -> list[dict[str, str]]:
        wanted = [{"Protocol": it["protocol"], "Endpoint": it["endpoint"]} for it in self.params["subscriptions"]]
        if current:
            kept = self.subscriptions()
            if self.params["purge_subscriptions"]:
                kept = [it for it in kept if it["SubscriptionArn"] in NOT_SUBSCRIBED]
            wanted += [it for it in map(self.plain, kept) if it not in wanted]
        return self.sorted(wanted)

    def create(self, wanted: dict[str, Any]) -> None:
        attributes = {key: self.text(wanted[key]) for key in ATTRIBUTES if wanted.get(key)}
        self.call("create_topic", Name=self.name, Attributes=attributes, Tags=ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {}))
        self.set_subscriptions([], wanted["Subscriptions"])

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        for key in ATTRIBUTES:
            if key in wanted and wanted[key] != current[key]:
                self.call("set_topic_attributes", TopicArn=self.arn, AttributeName=key, AttributeValue=self.text(wanted[key]))
        self.set_subscriptions(current["Subscriptions"], wanted["Subscriptions"])
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", ResourceArn=self.arn, Tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("untag_resource", ResourceArn=self.arn, TagKeys=to_remove)

    @staticmethod
    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True)

    def set_subscriptions(self, current: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
        for subscription in wanted:
            if subscription not in current:
                self.call("subscribe", TopicArn=self.arn, **subscription)
        if current != wanted:
            for subscription in self.subscriptions():
                if self.plain(subscription) not in wanted:
                    self.call("unsubscribe", SubscriptionArn=subscription["SubscriptionArn"])

    def delete(self, current: dict[str, Any]) -> None:
        # With the topic go its subscriptions
        self.call("delete_topic", TopicArn=self.arn)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "display_name": {"default": ""},
            "kms_master_key_id": {"default": "", "no_log": False},
            "policy": {"type": "json"},
            "subscriptions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "protocol": {"required": True, "choices": ["email", "email-json", "http", "https", "lambda", "sms", "sqs"]},
                    "endpoint": {"required": True},
                },
            },
            "purge_subscriptions": {"type": "bool", "default": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    Topic(module).run()


if __name__ == "__main__":
    main()
