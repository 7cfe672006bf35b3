# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import rds_event_subscription as module
from botocore.stub import Stubber

from .conftest import Cloud

TOPIC = "arn:aws:sns:eu-central-1:123456789012:operations"
ARN = "arn:aws:rds:eu-central-1:123456789012:es:shop"
GIVEN = {"name": "shop", "sns_topic_arn": TOPIC, "source_ids": ["shop"], "event_categories": ["low storage", "failover"], "tags": {"a": "1"}}


def test_it_is_created_once_and_removed_once(cloud: Cloud) -> None:
    assert cloud.run(module, check=True, **GIVEN)["changed"] is True
    assert cloud.mutations == []
    made = cloud.run(module, **GIVEN)
    assert (made["changed"], made["event_subscription"]["event_categories"]) == (True, ["failover", "low storage"])
    assert cloud.run(module, **GIVEN)["changed"] is False

    found = cloud.client("rds").describe_event_subscriptions(SubscriptionName="shop")["EventSubscriptionsList"][0]
    assert (found["SnsTopicArn"], found["SourceType"], found["SourceIdsList"]) == (TOPIC, "db-instance", ["shop"])

    assert cloud.run(module, check=True, name="shop", state="absent")["changed"] is True
    assert cloud.mutations == []
    assert cloud.run(module, name="shop", state="absent")["changed"] is True
    assert cloud.run(module, name="shop", state="absent")["changed"] is False


def test_tags_change_in_place_and_those_of_others_stay(cloud: Cloud) -> None:
    cloud.run(module, **GIVEN)
    changed = cloud.run(module, **{**GIVEN, "tags": {"b": "2"}, "purge_tags": False})
    assert (changed["changed"], changed["event_subscription"]["tags"]) == (True, {"a": "1", "b": "2"})
    assert cloud.mutations == ["AddTagsToResource"]


class Api:
    """RDS as a Stubber plays it: moto cannot change a subscription."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        client = boto3.client("rds", region_name="eu-central-1")
        self.stub = Stubber(client)

        class Client:
            def __getattr__(self, operation: str) -> Any:
                return lambda aws_retry=False, **arguments: getattr(client, operation)(**arguments)

        monkeypatch.setattr(module.EventSubscription, "client_for", lambda *_: Client())
        monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def has(self, status: str = "active", sources: tuple[str, ...] = ("shop",), topic: str = TOPIC, described: bool = False) -> None:
        subscription = {
            "EventSubscriptionArn": ARN,
            "SnsTopicArn": topic,
            "SourceType": "db-instance",
            "SourceIdsList": list(sources),
            "EventCategoriesList": ["failover", "low storage"],
            "Status": status,
        }
        self.stub.add_response("describe_event_subscriptions", {"EventSubscriptionsList": [subscription]}, {"SubscriptionName": "shop"})
        if described:
            self.stub.add_response("list_tags_for_resource", {"TagList": [{"Key": "a", "Value": "1"}]}, {"ResourceName": ARN})

    def expects(self, operation: str, **arguments: Any) -> None:
        self.stub.add_response(operation, {}, {"SubscriptionName": "shop", **arguments})

    def run(self, **options: Any) -> dict[str, Any]:
        with self.stub:
            result = self.cloud.run(module, **{**GIVEN, **options})
            self.stub.assert_no_pending_responses()
        return result


@pytest.fixture
def api(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(cloud, monkeypatch)


def test_topic_and_sources_change_in_place_once_aws_is_ready(api: Api) -> None:
    api.has(described=True, sources=("old",))
    api.has(status="creating")
    api.has()
    api.expects("modify_event_subscription", SnsTopicArn=TOPIC + "2", SourceType="db-instance", EventCategories=["failover", "low storage"])
    api.has(status="modifying")
    api.has()
    api.expects("add_source_identifier_to_subscription", SourceIdentifier="shop")
    api.has()
    api.expects("remove_source_identifier_from_subscription", SourceIdentifier="old")
    api.has(described=True, topic=TOPIC + "2")

    assert api.run(sns_topic_arn=TOPIC + "2")["event_subscription"]["sns_topic_arn"] == TOPIC + "2"


def test_what_aws_cannot_change_is_made_anew(cloud: Cloud) -> None:
    cloud.run(module, **GIVEN)
    changed = cloud.run(module, **{**GIVEN, "event_categories": []})
    assert (changed["changed"], changed["event_subscription"]["event_categories"]) == (True, [])
    assert cloud.mutations == ["DeleteEventSubscription", "CreateEventSubscription"]
