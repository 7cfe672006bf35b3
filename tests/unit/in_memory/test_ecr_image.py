# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import ecr_image

from .conftest import Cloud

MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {}, "layers": []}


class Engine:
    """A Docker engine whose push reaches ECR, or says why not."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.images = self
        self.error = ""
        self.race = False
        self.pushed: list[tuple[str, str, dict[str, str]]] = []

    def found(self, timeout: int, environment: dict[str, str]) -> Engine:
        self.environment = environment
        return self

    def get(self, name: str) -> Engine:
        if name == "missing":
            raise docker.errors.ImageNotFound("no such image")
        return self

    def tag(self, repository: str, tag: str) -> None:
        self.tagged = f"{repository}:{tag}"

    def push(self, repository: str, tag: str, auth_config: dict[str, str], stream: bool, decode: bool) -> Iterator[dict[str, str]]:
        self.pushed.append((repository, tag, auth_config))
        yield {"status": "Pushing"}
        if self.race or not self.error:
            self.cloud.client("ecr").put_image(repositoryName="shop", imageManifest=json.dumps(MANIFEST), imageTag=tag)
        if self.error:
            yield {"error": self.error}


@pytest.fixture
def engine(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine(cloud)
    monkeypatch.setattr(ecr_image.docker, "from_env", engine.found)
    monkeypatch.setattr(ecr_image.time, "sleep", lambda seconds: None)
    cloud.client("ecr").create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")
    return engine


def run(cloud: Cloud, **options: Any) -> dict[str, Any]:
    return cloud.run(ecr_image, **{"repository": "shop", "tag": "r1", **options})


def test_an_image_is_pushed_once(cloud: Cloud, engine: Engine) -> None:
    pushed = run(cloud, source="shop:r1")

    uri = cloud.client("ecr").describe_repositories()["repositories"][0]["repositoryUri"]
    digest = cloud.client("ecr").describe_images(repositoryName="shop")["imageDetails"][0]["imageDigest"]
    assert (pushed["changed"], pushed["image"], pushed["digest"], pushed["tag"]) == (True, f"{uri}@{digest}", digest, "r1")
    assert pushed["pushed_at"].startswith("20")
    assert engine.tagged == f"{uri}:r1"
    again = run(cloud, source="shop:r1")
    assert (again["changed"], again["image"], len(engine.pushed)) == (False, pushed["image"], 1)
    assert "GetAuthorizationToken" not in cloud.calls


def test_the_credentials_go_to_the_engine_and_nowhere_else(cloud: Cloud, engine: Engine) -> None:
    result = run(cloud, source="shop:r1")

    credentials = engine.pushed[0][2]
    assert credentials["username"] == "AWS"
    assert credentials["password"]
    assert credentials["password"] not in json.dumps(result)


def test_an_engine_elsewhere_is_spoken_to_as_dockers_own_tools_do(cloud: Cloud, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/mine.sock")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")

    run(cloud, source="shop:r1")
    assert engine.environment["DOCKER_HOST"] == "unix:///run/mine.sock"
    run(cloud, source="shop:r2", tag="r2", docker_host="tcp://builder.example.com:2376")
    assert engine.environment["DOCKER_HOST"] == "tcp://builder.example.com:2376"
    assert engine.environment["DOCKER_TLS_VERIFY"] == "1"


@pytest.mark.parametrize("verify", ["0", "no", ""])
def test_certificates_do_not_count_without_tls(cloud: Cloud, engine: Engine, monkeypatch: pytest.MonkeyPatch, verify: str) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", verify)
    monkeypatch.setenv("DOCKER_CERT_PATH", "/nowhere")

    run(cloud, source="shop:r1")
    assert engine.environment.keys().isdisjoint({"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})


def test_asking_pushes_nothing(cloud: Cloud, engine: Engine) -> None:
    asked = run(cloud)
    assert (asked["changed"], asked["image"], engine.pushed) == (False, "", [])
    assert run(cloud, repository="other")["repository_uri"] == ""


def test_another_registry(cloud: Cloud, engine: Engine) -> None:
    assert run(cloud, source="shop:r1", registry="127.0.0.1:4566")["image"].startswith("127.0.0.1:4566/shop@sha256:")
    assert engine.pushed[0][0] == "127.0.0.1:4566/shop"


def test_check_mode_pushes_nothing(cloud: Cloud, engine: Engine) -> None:
    predicted = run(cloud, check=True, source="shop:r1")
    assert (predicted["changed"], predicted["image"], engine.pushed) == (True, "", [])
    assert run(cloud, check=True, source="shop:r1", repository="other")["changed"] is True


def test_what_the_registry_says_against_a_push_is_the_failure(cloud: Cloud, engine: Engine) -> None:
    engine.error = "denied: your authorization token has expired"
    assert "denied: your authorization token has expired" in run(cloud, fails=True, source="shop:r1")["msg"]


def test_somebody_else_pushing_the_same_tag_is_no_failure(cloud: Cloud, engine: Engine) -> None:
    engine.error, engine.race = "tag invalid: The image tag 'r1' already exists and cannot be overwritten", True
    assert "@sha256:" in run(cloud, source="shop:r1")["image"]


def test_no_repository_and_no_image_are_said(cloud: Cloud, engine: Engine) -> None:
    assert "no ECR repository other" in run(cloud, fails=True, repository="other", source="shop:r1")["msg"]
    assert "'missing', and the Docker engine has no such image" in run(cloud, fails=True, source="missing")["msg"]
