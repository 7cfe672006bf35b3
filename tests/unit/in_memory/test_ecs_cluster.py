# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

from ansible_collections.pulsegrid.aws.plugins.modules import ecs_cluster

from .conftest import Cloud


def run(cloud: Cloud, **options: Any) -> dict[str, Any]:
    return cloud.run(ecs_cluster, name="shop", **options)


def described(cloud: Cloud) -> dict[str, Any]:
    return cloud.client("ecs").describe_clusters(clusters=["shop"], include=["SETTINGS", "TAGS"])["clusters"][0]


def test_a_cluster_is_made_once(cloud: Cloud) -> None:
    assert run(cloud, check=True, tags={"Application": "shop"})["changed"] is True
    assert cloud.mutations == []
    assert run(cloud, tags={"Application": "shop"})["changed"] is True
    assert described(cloud)["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert sorted(described(cloud)["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert run(cloud, tags={"Application": "shop"})["changed"] is False
    assert cloud.mutations == []


def test_container_insights_and_tags_change_in_place(cloud: Cloud) -> None:
    run(cloud, tags={"Application": "shop"})
    assert run(cloud, container_insights="disabled", tags={"Owner": "a"}, purge_tags=False)["changed"] is True
    assert described(cloud)["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert {tag["key"]: tag["value"] for tag in described(cloud)["tags"]} == {"Application": "shop", "Owner": "a"}


def test_absent(cloud: Cloud) -> None:
    run(cloud)
    assert run(cloud, check=True, state="absent")["changed"] is True
    assert cloud.mutations == []
    assert run(cloud, state="absent")["changed"] is True
    assert run(cloud, state="absent")["changed"] is False


def test_a_cluster_stays_while_another_service_uses_it(cloud: Cloud) -> None:
    run(cloud)
    ecs = cloud.client("ecs")
    ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "app", "image": "shop", "memory": 128}])
    names = [f"worker-{number}" for number in range(11)]
    for name in ["api", *names]:
        ecs.create_service(cluster="shop", serviceName=name, taskDefinition="shop", desiredCount=0)

    assert run(cloud, check=True, state="absent", only_services=["api"])["changed"] is False
    assert run(cloud, state="absent", only_services=["api"])["changed"] is False
    assert described(cloud)["status"] == "ACTIVE"
    assert run(cloud, check=True, state="absent", only_services=["api", *names])["changed"] is True
    assert cloud.mutations == []
    for name in names:
        ecs.delete_service(cluster="shop", service=name)
    assert run(cloud, check=True, state="absent", only_services=["api"])["changed"] is True
    assert run(cloud, state="absent", only_services=["api"])["changed"] is True
    assert run(cloud, state="absent", only_services=["api"])["changed"] is False
