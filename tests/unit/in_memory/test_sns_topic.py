# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

from ansible_collections.pulsegrid.aws.plugins.modules import sns_topic as module

ARN = "arn:aws:sns:eu-central-1:123456789012:test"
KEY = "alias/test"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": ARN}],
}
A = {"protocol": "sqs", "endpoint": "arn:aws:sqs:eu-central-1:123456789012:a"}
B = {"protocol": "sqs", "endpoint": "arn:aws:sqs:eu-central-1:123456789012:b"}


def endpoints(cloud):
    return sorted(it["Endpoint"] for it in cloud.client("sns").list_subscriptions_by_topic(TopicArn=ARN)["Subscriptions"])


def options(**more):
    return {"name": "test", "kms_master_key_id": KEY, "policy": POLICY, "tags": {"a": "1"}, "purge_tags": False, **more}


def queues(cloud):
    for name in "ab":
        cloud.client("sqs").create_queue(QueueName=name)


def test_it_is_created_once_encrypted(cloud) -> None:
    queues(cloud)
    predicted = cloud.run(module, check=True, **options(subscriptions=[A]))
    assert predicted["changed"]
    assert predicted["topic"]["topic_arn"] == ARN
    assert not {"CreateTopic", "Subscribe"} & set(cloud.mutations)

    assert cloud.run(module, **options(subscriptions=[A]))["changed"]
    assert not cloud.run(module, **options(subscriptions=[A]))["changed"]
    attributes = cloud.client("sns").get_topic_attributes(TopicArn=ARN)["Attributes"]
    assert attributes["KmsMasterKeyId"] == KEY
    assert json.loads(attributes["Policy"]) == POLICY
    assert endpoints(cloud) == [A["endpoint"]]


def test_subscriptions_come_and_go(cloud) -> None:
    queues(cloud)
    cloud.run(module, **options(subscriptions=[A]))
    cloud.run(module, **options(subscriptions=[B], purge_subscriptions=False))
    assert endpoints(cloud) == [A["endpoint"], B["endpoint"]]
    assert cloud.run(module, **options(subscriptions=[B]))["changed"]
    assert endpoints(cloud) == [B["endpoint"]]
    assert not cloud.run(module, **options(subscriptions=[B]))["changed"]


def test_a_subscription_that_waits_for_its_confirmation_stays(cloud, monkeypatch) -> None:
    queues(cloud)
    cloud.run(module, **options(subscriptions=[A]))
    pending = [{"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": "PendingConfirmation"}]
    monkeypatch.setattr(module.Topic, "subscriptions", lambda _self: pending)
    assert not cloud.run(module, **options(subscriptions=[]))["changed"]


def test_attributes_and_tags_are_changed_in_place(cloud) -> None:
    queues(cloud)
    cloud.run(module, **options())
    changes = options(kms_master_key_id="", display_name="Test", tags={"b": "2"})
    assert cloud.run(module, check=True, **changes)["changed"]
    assert not {"SetTopicAttributes", "TagResource"} & set(cloud.mutations)
    result = cloud.run(module, **changes)
    assert result["topic"]["kms_master_key_id"] == ""
    assert result["topic"]["tags"] == {"a": "1", "b": "2"}
    assert not cloud.run(module, **changes)["changed"]


def test_it_is_removed_once(cloud) -> None:
    queues(cloud)
    cloud.run(module, **options())
    assert cloud.run(module, check=True, name="test", state="absent")["changed"]
    assert "DeleteTopic" not in cloud.mutations
    assert cloud.run(module, name="test", state="absent")["changed"]
    assert cloud.client("sns").list_topics()["Topics"] == []
    assert not cloud.run(module, name="test", state="absent")["changed"]


def test_a_tag_s_number_is_text(cloud) -> None:
    tags = {"CostCenter": 4711, "Billed": True}
    assert cloud.run(module, name="numbers", tags=tags)["topic"]["tags"] == {"CostCenter": "4711", "Billed": "True"}
    assert not cloud.run(module, name="numbers", tags=tags)["changed"]
