"""Releases of the front end on the local cloud: there and back, through CloudFront."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Cloud

ROLLBACK_SECONDS = 30


def assets_of(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)


@pytest.fixture(scope="module")
def changed_frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("second") / "frontend"
    shutil.copytree(CHECKOUT / "files/frontend", directory, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (directory / "CHANGED").write_text("a second release\n")
    return directory


def test_a_release_is_put_back_in_seconds_and_old_assets_stay(application: Cloud, changed_frontend: Path) -> None:
    first = application.get("/").text
    application.playbook("deploy_frontend.yml", pulsegrid_frontend_dir=str(changed_frontend))
    second = application.get("/").text
    assert second != first
    assert assets_of(first)
    assert [application.get(path).status_code for path in assets_of(first)] == [200] * len(assets_of(first))

    began = time.monotonic()
    application.playbook("rollback_frontend.yml")
    assert time.monotonic() - began < ROLLBACK_SECONDS
    assert application.get("/").text == first
    assert [application.get(path).status_code for path in assets_of(second)] == [200] * len(assets_of(second))


def test_a_deploy_after_a_rollback_is_served(application: Cloud, changed_frontend: Path) -> None:
    before = application.get("/").text
    application.playbook("deploy_frontend.yml", pulsegrid_frontend_dir=str(changed_frontend))
    assert application.get("/").text != before
    application.playbook("deploy_frontend.yml")
    assert application.get("/").text == before


def test_the_manifest_is_not_public(application: Cloud) -> None:
    s3 = application.client("s3")
    bucket = application.outputs["site"]["bucket_name"]
    assert s3.get_object(Bucket=bucket, Key="manifest.json")["Body"].read().startswith(b'{"version": 2')
    for path in ("/manifest.json", "/../manifest.json", "/%2e%2e/manifest.json"):
        answer = application.get(path)
        assert '"releases"' not in answer.text


def test_a_release_that_is_not_there_is_refused_with_those_that_are(application: Cloud) -> None:
    run = application.playbook("rollback_frontend.yml", ok=False, pulsegrid_rollback_to="nothing-like-it")
    assert run.code == 2
    assert "there is no such release" in run.output
