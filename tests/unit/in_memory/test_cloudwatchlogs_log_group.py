# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

from ansible_collections.pulsegrid.aws.plugins.modules import cloudwatchlogs_log_group as module

from .conftest import Cloud

NAME = "/ecs/shop"


def run(cloud: Cloud, **options: Any) -> dict[str, Any]:
    return cloud.run(module, log_group_name=NAME, **options)


def test_it_is_created_once_and_removed_once(cloud: Cloud) -> None:
    cloud.client("logs").create_log_group(logGroupName=NAME + "-2")
    assert run(cloud, check=True, retention=7)["changed"] is True
    assert cloud.mutations == []
    made = run(cloud, retention=7, tags={"a": "1"})
    assert (made["changed"], made["log_group"]["retention_in_days"], made["log_group"]["tags"]) == (True, 7, {"a": "1"})
    assert made["log_group"]["arn"].endswith(":log-group:" + NAME)
    assert run(cloud, retention=7, tags={"a": "1"})["changed"] is False

    assert run(cloud, check=True, state="absent")["changed"] is True
    assert cloud.mutations == []
    assert run(cloud, state="absent")["changed"] is True
    assert run(cloud, state="absent")["changed"] is False
    assert [it["logGroupName"] for it in cloud.client("logs").describe_log_groups()["logGroups"]] == [NAME + "-2"]


def test_retention_and_tags_change_in_place(cloud: Cloud) -> None:
    run(cloud, retention=7, tags={"a": "1"})
    assert run(cloud, check=True, retention=30, tags={"b": "2"})["changed"] is True
    assert cloud.mutations == []
    changed = run(cloud, retention=30, tags={"b": "2"}, purge_tags=False)
    assert (changed["log_group"]["retention_in_days"], changed["log_group"]["tags"]) == (30, {"a": "1", "b": "2"})
    assert run(cloud, retention=30, tags={"b": "2"})["log_group"]["tags"] == {"b": "2"}
    assert run(cloud)["changed"] is False


def test_a_group_without_retention_keeps_its_events_for_ever(cloud: Cloud) -> None:
    assert "retention_in_days" not in run(cloud)["log_group"]
    assert run(cloud, retention=1)["changed"] is True
