"""Releases of the front end on the local cloud, as a browser gets them through CloudFront: killed in the middle, there and back."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Cloud, Run, aws_environment, kill
from .recorder import Handler, Recorder

ROLLBACK_SECONDS = 30


class Killer(Recorder):
    """Ends a run when it is about to send a certain request, which then nobody gets."""

    def __init__(self, upstream_port: int, fatal: str) -> None:
        self.fatal = re.compile(fatal)
        self.runs: list[subprocess.Popen[str]] = []
        super().__init__(upstream_port, handler=KillingHandler)


class KillingHandler(Handler):
    server: Killer

    def do_PUT(self) -> None:
        if self.server.fatal.search(self.path):
            kill(self.server.runs[0])
            self.close_connection = True
        else:
            self.handle_request()


def assets_of(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)


def served(cloud: Cloud) -> str:
    """The page, all of whose assets are there."""
    page = cloud.get("/").text
    assert assets_of(page)
    for path in assets_of(page):
        answer = cloud.get(path)
        assert answer.status_code == 200, path
        assert '<div id="root">' not in answer.text
    return page


@pytest.fixture(scope="module")
def changed_frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("second") / "frontend"
    shutil.copytree(CHECKOUT / "files/frontend", directory, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (directory / "CHANGED").write_text("a second release\n")
    return directory


@pytest.fixture(scope="module")
def pages(application: Cloud, changed_frontend: Path) -> list[str]:
    """The page of the first release; that of the second when there is one."""
    return [served(application)]


def deploy(cloud: Cloud, source: Path) -> Run:
    return cloud.playbook("deploy_frontend.yml", pulsegrid_frontend_dir=str(source))


@pytest.mark.parametrize(("fatal", "shows_the_new_one"), [("/site/assets/", False), ("/site/index.html", False), ("/manifest.json", True)])
def test_a_publication_that_is_killed_leaves_one_release_whole(
    application: Cloud, changed_frontend: Path, pages: list[str], fatal: str, shows_the_new_one: bool
) -> None:
    s3, bucket = application.client("s3"), application.outputs["site"]["bucket_name"]
    with Killer(application.port, fatal) as killer:
        run = application.playbook(
            "deploy_frontend.yml",
            ok=False,
            started=killer.runs.append,
            pulsegrid_frontend_dir=str(changed_frontend),
            pulsegrid_aws_environment=aws_environment(killer.url),
            ansible_connection="local",  # a module is then a process of the run that is killed
        )
    assert run.code == -signal.SIGKILL, run.output[-4000:]
    assert (served(application) != pages[0]) is shows_the_new_one
    assert [application.get(path).status_code for path in assets_of(pages[0])] == [200] * len(assets_of(pages[0]))

    s3.head_object(Bucket=bucket, Key="deploy.lock")
    s3.delete_object(Bucket=bucket, Key="deploy.lock")  # what unlock.yml does


def test_the_next_run_completes_it(application: Cloud, changed_frontend: Path, pages: list[str]) -> None:
    run = deploy(application, changed_frontend)
    assert run.changes == ["The site is the one that was built"]
    pages.append(served(application))
    assert pages[1] != pages[0]
    assert deploy(application, changed_frontend).changes == []


def test_a_release_is_put_back_in_seconds_and_open_sessions_find_their_assets(application: Cloud, pages: list[str]) -> None:
    first, second = pages
    run = application.playbook("rollback_frontend.yml")
    assert run.seconds < ROLLBACK_SECONDS
    assert served(application) == first
    assert [application.get(path).status_code for path in assets_of(second)] == [200] * len(assets_of(second))


def test_a_deploy_after_a_rollback_is_served(application: Cloud, changed_frontend: Path, pages: list[str]) -> None:
    deploy(application, changed_frontend)
    assert served(application) == pages[1]


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
    assert "there is no such release" in run.reason, run.reason
