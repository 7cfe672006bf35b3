# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils.task_definition import NO_RELEASE
from ansible_collections.pulsegrid.aws.plugins.modules import ecs_releases_info as module

from .conftest import REGION, Cloud

REGISTRY = "127.0.0.1:4566"  # an emulator's
SHOP = {"name": "shop", "cluster": "shop", "repository": "shop", "container": "app", "region": REGION}


class Shop:
    """A service, its repository, and revisions of its family."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.pushed: dict[str, str] = {}
        self.ecs, self.ecr = cloud.client("ecs"), cloud.client("ecr")
        self.ecr.create_repository(repositoryName="shop")
        self.ecs.create_cluster(clusterName="shop")

    def push(self, tag: str) -> str:
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {}, "layers": [{"digest": tag}]}
        if tag not in self.pushed:
            pushed = self.ecr.put_image(repositoryName="shop", imageManifest=json.dumps(manifest), imageTag=tag)
            self.pushed[tag] = f"{REGISTRY}/shop@{pushed['image']['imageId']['imageDigest']}"
        return self.pushed[tag]

    def register(self, image: str, family: str = "shop", **tags: str) -> str:
        containers = [{"name": "sidecar", "image": "sidecar:1", "memory": 64}, {"name": "app", "image": image, "memory": 64}]
        given = {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}
        return self.ecs.register_task_definition(family=family, containerDefinitions=containers, **given)["taskDefinition"]["taskDefinitionArn"]

    def release(self, name: str, state: str | None = "completed", image: str | None = None, replaces: str | None = None) -> str:
        tags = {"Release": name, "Commit": f"{name}0000", "DeployedBy": "alice", "ReleaseState": state, "Replaces": replaces}
        return self.register(image or self.push(name), **{key: value for key, value in tags.items() if value})

    def serve(self, arn: str) -> None:
        if self.ecs.describe_services(cluster="shop", services=["shop"])["services"]:
            self.ecs.delete_service(cluster="shop", service="shop", force=True)  # moto never completes a second deployment
        self.ecs.create_service(cluster="shop", serviceName="shop", taskDefinition=arn, desiredCount=2)

    def run(self, **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, **{**SHOP, **options})


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return Shop(cloud)


@pytest.fixture
def deployed(shop: Shop) -> Shop:
    """aaaa (1), bbbb (2, 3: another environment), cccc (4, failed), dddd (5, killed in the middle), eeee (6, serving)."""
    shop.register(NO_RELEASE)
    for name, state in (("aaaa", "completed"), ("bbbb", "completed"), ("bbbb", "completed"), ("cccc", "failed"), ("dddd", None)):
        shop.release(name, state)
    shop.serve(shop.release("eeee"))
    shop.register("other/image", family="shop-worker")
    return shop


def seen(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["release"], each["state"], each["revision"]) for each in result["releases"]]


def test_the_newest_revision_of_each_release(deployed: Shop) -> None:
    result = deployed.run()
    assert seen(result) == [
        ("eeee", "serving", "shop:7"),
        ("dddd", "unfinished", "shop:6"),
        ("cccc", "failed", "shop:5"),
        ("bbbb", "completed", "shop:4"),
        ("aaaa", "completed", "shop:2"),
    ]
    first = result["releases"][0]
    assert (first["commit"], first["deployed_by"], first["image_in_ecr"]) == ("eeee0000", "alice", True)
    assert first["image"].startswith(f"{REGISTRY}/shop@sha256:")
    assert first["image"].endswith(first["digest"])
    assert result["serving"] == first
    assert not result["changed"]


def test_it_takes_few_calls(deployed: Shop) -> None:
    deployed.run(limit=3)
    calls = deployed.cloud.calls
    assert sorted(calls) == ["DescribeImages", "DescribeServices", *["DescribeTaskDefinition"] * 3, "ListTaskDefinitions"]


def test_the_serving_revision_is_seen_beyond_the_limit(deployed: Shop) -> None:
    deployed.serve("shop:2")
    assert seen(deployed.run(limit=1)) == [("eeee", "completed", "shop:7"), ("aaaa", "serving", "shop:2")]


def test_nothing_at_all_is_no_failure(cloud: Cloud) -> None:
    result = cloud.run(module, **SHOP)
    assert (result["releases"], result["serving"], result["lines"]) == ([], {}, [])


def test_an_image_that_is_gone_is_seen(deployed: Shop) -> None:
    deployed.ecr.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": "aaaa"}])
    result = deployed.run()
    assert [each["image_in_ecr"] for each in result["releases"]] == [True, True, True, True, False]
    assert "not in ECR any more" in result["lines"][-1]


def test_a_repository_that_is_gone_is_no_failure(deployed: Shop) -> None:
    deployed.ecr.delete_repository(repositoryName="shop", force=True)
    assert {each["image_in_ecr"] for each in deployed.run()["releases"]} == {False}


def test_an_image_from_elsewhere_may_be_there(shop: Shop) -> None:
    shop.serve(shop.release("aaaa", image="docker.io/library/shop:1"))
    assert shop.run()["releases"][0]["image_in_ecr"] is None
    assert shop.run(repository=None)["releases"][0]["image_in_ecr"] is None


def test_a_revision_from_before_is_named_after_its_image(shop: Shop) -> None:
    shop.serve(shop.register(shop.push("1234-abcd")))
    assert seen(shop.run()) == [("1234-abcd", "serving", "shop:1")]


def test_the_table_can_be_read(deployed: Shop) -> None:
    lines = deployed.run()["lines"]
    assert lines[0].split() == ["state", "release", "revision", "registered", "by", "commit", "image"]
    assert lines[1].split()[:3] == ["serving", "eeee", "shop:7"]
    assert lines[1].index("shop:7") == lines[0].index("revision") == lines[3].index("shop:5")


@pytest.mark.parametrize(
    ("serving", "wanted", "revision"),
    [
        ("shop:7", "previous", "shop:4"),  # neither the one that failed nor the one that was killed
        ("shop:4", "previous", "shop:2"),  # nor the same release with another environment
        ("shop:7", "aaaa", "shop:2"),
        ("shop:7", "bbbb", "shop:4"),
        ("shop:7", "bbbb00", "shop:4"),
        ("shop:7", "shop:3", "shop:3"),
        ("shop:7", "dddd", "shop:6"),
        ("shop:7", "eeee", "shop:7"),
    ],
)
def test_the_release_to_return_to(deployed: Shop, serving: str, wanted: str, revision: str) -> None:
    deployed.serve(serving)
    assert deployed.run(return_to=wanted)["selected"]["revision"] == revision


@pytest.mark.parametrize(
    ("serving", "previous"),
    [
        ("shop:1", None),  # the first
        ("shop:2", "shop:1"),
        ("shop:3", "shop:1"),  # the same release with another environment
        ("shop:4", "shop:1"),  # was deployed after 3 was returned from; not 3, though that completed too
        ("shop:5", "shop:4"),
    ],
)
def test_a_release_that_was_returned_from_is_not_returned_to(shop: Shop, serving: str, previous: str | None) -> None:
    for name, replaces in (("aaaa", "nothing"), ("bbbb", "shop:1"), ("bbbb", "shop:2"), ("cccc", "shop:1"), ("dddd", "shop:4")):
        shop.release(name, replaces=replaces)
    shop.serve(serving)
    result = shop.run(return_to="previous", fails=previous is None)
    assert result.get("selected", {}).get("revision") == previous


@pytest.mark.parametrize(
    ("serving", "wanted", "why"),
    [
        ("shop:2", "previous", "there is no release before aaaa (shop:2) that completed, among the revisions that were looked at."),
        ("shop:7", "ffff", "there is no release, commit or revision 'ffff'."),
        ("shop:7", "aaa", "there is no release, commit or revision 'aaa'."),
        ("shop:7", "cccc", "release cccc (shop:5) failed when it was deployed, and is not put back."),
    ],
)
def test_what_cannot_be_returned_to(deployed: Shop, serving: str, wanted: str, why: str) -> None:
    deployed.serve(serving)
    failed = deployed.run(return_to=wanted, fails=True)
    first, second, *table = failed["msg"].split("\n")
    assert (first, second) == (f"ECS service shop: {why}", "These are the releases, newest first:")
    assert table == failed["lines"]
    assert len(table) == 6


def test_a_release_whose_image_is_gone_is_refused(deployed: Shop) -> None:
    deployed.ecr.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": "bbbb"}])
    for wanted in ("previous", "bbbb"):
        assert "image of release bbbb (shop:4) is not in ECR any more" in deployed.run(return_to=wanted, fails=True)["msg"]


def test_a_commit_of_two_releases_is_refused(shop: Shop) -> None:
    for name in ("abcd1", "abcd2"):
        arn = shop.release(name)
    shop.serve(arn)
    assert "'abcd' may be any of abcd2, abcd1." in shop.run(return_to="abcd", fails=True)["msg"]


def test_nothing_serves_so_nothing_is_previous(shop: Shop) -> None:
    shop.release("aaaa")
    assert "none of its releases serves" in shop.run(return_to="previous", fails=True)["msg"]


def test_while_a_release_is_deployed_the_one_before_serves() -> None:
    deployments = [
        {"status": "PRIMARY", "rolloutState": "IN_PROGRESS", "taskDefinition": "new"},
        {"status": "ACTIVE", "rolloutState": "COMPLETED", "taskDefinition": "old"},
    ]
    assert module.serving_arn({"desiredCount": 2, "deployments": deployments}) == "old"
    assert module.serving_arn({"desiredCount": 2, "deployments": deployments[:1]}) == "new"
    assert module.serving_arn({"desiredCount": 0, "deployments": deployments}) == ""


def test_a_limit_out_of_bounds_is_refused(cloud: Cloud) -> None:
    assert "limit is 0: allowed are 1 to 100" in cloud.run(module, fails=True, **{**SHOP, "limit": 0})["msg"]
    assert not cloud.calls
