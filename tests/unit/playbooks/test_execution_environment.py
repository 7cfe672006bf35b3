"""The execution environment can be made, has what the playbooks need, and builds images with an engine elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from ..conftest import CHECKOUT, run
from .conftest import DockerEngine


def load(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / name).read_text())


def pinned(name: str) -> list[str]:
    return [line.partition(";")[0].strip() for line in (CHECKOUT / "requirements" / name).read_text().splitlines()]


def test_the_build_context_is_made_offline(tmp_path: Path) -> None:
    made = run("ansible-builder", "create", "--file", CHECKOUT / "execution-environment.yml", "--context", tmp_path / "context")

    assert made.returncode == 0, made.stdout + made.stderr
    context = tmp_path / "context" / "_build"
    assert (context / "bindep.txt").read_text() == (CHECKOUT / "bindep.txt").read_text()
    assert yaml.safe_load((context / "requirements.yml").read_text()) == load("requirements/collections.yml")
    assert {"boto3", "docker"} == {line.partition("==")[0] for line in (context / "requirements.txt").read_text().split()}


def test_it_has_the_versions_that_the_tests_have() -> None:
    dependencies = load("execution-environment.yml")["dependencies"]

    assert set(dependencies["python"]) <= set(pinned("runtime.txt"))
    assert dependencies["ansible_runner"]["package_pip"] in pinned("test.txt")


def test_it_has_the_collections_that_the_collection_depends_on() -> None:
    collections = {collection["name"]: collection["version"] for collection in load("requirements/collections.yml")["collections"]}

    assert collections == load("galaxy.yml")["dependencies"]
    meta = load("meta/execution-environment.yml")["dependencies"]
    assert [name for name in meta.values() if not (CHECKOUT / name).is_file()] == []


def test_a_project_sync_of_awx_installs_nothing() -> None:
    """It would, from these files, each time, from a Galaxy that must then be reached."""
    assert [name for name in ("requirements", "collections/requirements", "roles/requirements") for file in CHECKOUT.glob(f"{name}.y*ml")] == []


def test_an_image_is_built_and_pushed_by_an_engine_elsewhere(moto: str, engine: DockerEngine) -> None:
    """There is no service yet for which to build: what comes after the push fails."""
    credentials = {"AWS_ENDPOINT_URL": moto, "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobody"}
    patient = Config(read_timeout=240)  # moto begins to read its services' models with the first request
    ecr = boto3.client("ecr", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="nobody", aws_secret_access_key="nobody", config=patient)
    ecr.create_repository(repositoryName="pulsegrid-dev")
    result = run("ansible-playbook", "-i", "inventories/dev", "deploy_backend.yml", **credentials, **engine.environment)

    said = result.stdout + result.stderr
    assert "changed: [pulsegrid-dev]" in said.partition("TASK [The release is built]")[2].partition("TASK")[0], said
    (image,) = engine.built
    assert image.startswith("pulsegrid/pulsegrid-")
    assert {"Dockerfile", "go.mod"} <= set(engine.built[image])
    assert [name.rpartition("/")[2] for name in engine.pushed] == ["pulsegrid-dev"]
