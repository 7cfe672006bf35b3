"""The main job on the local cloud, in the order in which a person does it. A test asks AWS's API, HTTP, PostgreSQL or a browser, never a role's facts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from contracts import policies
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from .conftest import CHECKOUT, STATE, Cloud, Run, aws_environment, running_version, steady_requests, until
from .recorder import Recorder


def recorded(cloud: Cloud, playbook: str, *arguments: str) -> tuple[Run, Recorder]:
    with Recorder(cloud.port) as recorder:
        run = cloud.playbook(playbook, *arguments, pulsegrid_aws_environment=aws_environment(recorder.url))
    assert set(recorder.actions()) - policies.deployed() == set(), "docs/deployment-policy-*.json allows less than the playbook calls"
    return run, recorder


# Provision


def test_check_mode_on_an_empty_account_fails_nowhere_and_writes_nothing(cloud: Cloud) -> None:
    run, recorder = recorded(cloud, "site.yml", "--check", "--diff")

    assert run.count("failed") == 0
    assert run.count("changed") > 10
    assert len(recorder.calls) > 10
    assert recorder.mutating() == []
    for playbook in ("deploy_backend.yml", "deploy_frontend.yml"):
        run, recorder = recorded(cloud, playbook, "--check", "--diff")
        assert run.count("failed") == 0
        assert len(recorder.calls) > 2
        assert recorder.mutating() == []


def test_deploys_before_the_first_provision_say_what_to_do(cloud: Cloud) -> None:
    for playbook in ("deploy_backend.yml", "deploy_frontend.yml"):
        run = cloud.playbook(playbook, ok=False)
        assert run.code == 2
        assert "site.yml" in run.output


def test_a_second_run_changes_nothing(provisioned: Cloud) -> None:
    run, recorder = recorded(provisioned, "site.yml")

    assert run.changes == []
    assert run.count("changed") == 0
    assert len(recorder.calls) > 10
    assert recorder.mutating() == []


def test_the_first_provision_makes_a_service_without_a_task(provisioned: Cloud) -> None:
    service = provisioned.client("ecs").describe_services(cluster="pulsegrid-local", services=["pulsegrid-local"])["services"][0]

    assert (service["status"], service["desiredCount"], service["runningCount"]) == ("ACTIVE", 0, 0)


def test_the_network_lets_through_what_it_must_and_nothing_else(provisioned: Cloud) -> None:
    groups = provisioned.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [provisioned.outputs["vpc"]["vpc_id"]]}])[
        "SecurityGroups"
    ]
    rules = {group["GroupName"].removeprefix("pulsegrid-local-"): group["IpPermissions"] for group in groups}

    assert rules["default"] == []
    assert [(rule["FromPort"], rule["IpRanges"], len(rule["PrefixListIds"])) for rule in rules["alb"]] == [(80, [], 1)]
    assert [(rule["FromPort"], rule["IpRanges"], len(rule["UserIdGroupPairs"])) for rule in rules["tasks"]] == [(8080, [], 1)]
    assert [(rule["FromPort"], rule["IpRanges"], len(rule["UserIdGroupPairs"])) for rule in rules["database"]] == [(5432, [], 1)]
    assert rules["lambda"] == []


# Deploy


def test_the_first_release_crashing_is_a_failure_that_shows_the_reason(provisioned: Cloud) -> None:
    run = provisioned.playbook("deploy_backend.yml", ok=False, pulsegrid_backend_env={"PORT": "not-a-number"})

    assert run.code == 2
    assert re.search(r"exit(ed with)? code 2|exit code: 2|exitCode.{0,4}2", run.output), run.output[-3000:]
    service = provisioned.client("ecs").describe_services(cluster="pulsegrid-local", services=["pulsegrid-local"])["services"][0]
    assert service["desiredCount"] == 0


def test_deploying_the_backend_leaves_no_credentials_behind(backend: Cloud) -> None:
    """`docker login` would have written the registry and its token there."""
    config = Path.home() / ".docker" / "config.json"

    assert not config.exists() or f"127.0.0.1:{backend.port}" not in config.read_text()


def test_the_running_image_is_pinned_by_digest(backend: Cloud) -> None:
    ecs = backend.client("ecs")
    service = ecs.describe_services(cluster="pulsegrid-local", services=["pulsegrid-local"])["services"][0]
    image = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]["containerDefinitions"][0]["image"]
    repository = backend.client("ecr").describe_images(repositoryName="pulsegrid-local")["imageDetails"]

    assert image.partition("@")[2] in {details["imageDigest"] for details in repository}
    assert service["runningCount"] == service["desiredCount"] > 0


def test_deploying_the_same_backend_again_does_nothing(backend: Cloud) -> None:
    run, recorder = recorded(backend, "deploy_backend.yml")

    assert run.changes == []
    assert [call for call in recorder.mutating() if call != "GetAuthorizationToken"] == []


def test_deploying_the_same_frontend_again_does_nothing(application: Cloud) -> None:
    run, recorder = recorded(application, "deploy_frontend.yml")

    assert run.changes == []
    assert recorder.mutating() == []


# What a browser gets through the CloudFront address


def test_the_index_and_deep_links_are_the_page(application: Cloud) -> None:
    index = application.get("/")

    assert index.status_code == 200
    assert index.headers["Content-Type"].startswith("text/html")
    assert '<div id="root">' in index.text
    assert application.get("/services/1").text == index.text


def test_a_hashed_asset_is_immutable_and_a_missing_one_is_not_the_page(application: Cloud) -> None:
    asset = re.search(r'src="(/assets/[^"]+\.js)"', application.get("/").text)[1]
    found = application.get(asset)
    missing = application.get("/assets/missing-00000000.js")

    assert "javascript" in found.headers["Content-Type"]
    assert "immutable" in found.headers["Cache-Control"]
    assert missing.status_code in {403, 404}
    assert '<div id="root">' not in missing.text


def test_security_headers_are_there(application: Cloud) -> None:
    headers = application.get("/").headers

    assert "default-src" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age=" in headers["Strict-Transport-Security"]


def test_the_metrics_are_blocked_at_the_edge(application: Cloud) -> None:
    assert application.get("/api/v1/metrics").status_code == 403


@contextmanager
def database(cloud: Cloud, **more: str) -> Iterator[psycopg.Connection]:
    outputs = cloud.outputs["database"]
    secret = json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=outputs["secret_arn"])["SecretString"])
    options = {"sslmode": "require", "connect_timeout": "5", **more}
    with psycopg.connect(
        host=outputs["address"], port=outputs["port"], dbname=outputs["database_name"], user=secret["username"], password=secret["password"], **options
    ) as connection:
        yield connection


def test_what_the_api_stores_is_in_postgresql(application: Cloud) -> None:
    created = application.request("POST", "/api/v1/services", json={"name": "from the API", "url": "https://example.org/", "enabled": True})
    assert created.status_code == 201, created.text
    with database(application) as connection:
        rows = connection.execute("SELECT name FROM services WHERE id = %s", [created.json()["id"]]).fetchall()
        assert rows == [("from the API",)]
        connection.execute("UPDATE services SET name = 'renamed in SQL' WHERE id = %s", [created.json()["id"]])
    assert application.get(f"/api/v1/services/{created.json()['id']}").json()["name"] == "renamed in SQL"
    assert application.get("/api/v1/health/detailed").status_code == 200


def test_events_stream_through_cloudfront(application: Cloud) -> None:
    stream = application.get("/api/v1/events", stream=True)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    application.request("POST", "/api/v1/services", json={"name": "seen in the stream", "url": "https://example.org/", "enabled": True})
    try:
        for line in stream.iter_lines(decode_unicode=True):
            if line.startswith("data:"):
                break
    finally:
        stream.close()
    assert line.startswith("data:")


def test_the_load_balancer_answers_nobody_but_cloudfront(application: Cloud) -> None:
    dns_name = application.outputs["load_balancer"]["dns_name"]
    direct = requests.get(f"{application.endpoint}/api/v1/health", headers={"Host": dns_name}, timeout=10)

    assert direct.status_code == 403


def test_the_bucket_refuses_direct_reads(application: Cloud) -> None:
    bucket = application.outputs["site"]["bucket_name"]
    direct = requests.get(f"{application.endpoint}/{bucket}/index.html", timeout=10)

    assert direct.status_code == 403
    assert '<div id="root">' not in direct.text


def test_the_database_refuses_a_connection_without_tls(application: Cloud) -> None:
    with pytest.raises(psycopg.OperationalError, match="(?i)no encryption|pg_hba|SSL"), database(application, sslmode="disable"):
        pass


def test_the_api_works_with_the_least_it_needs(application: Cloud) -> None:
    """The tasks run as the task definition says: not root, on a read-only file system."""
    ecs = application.client("ecs")
    service = ecs.describe_services(cluster="pulsegrid-local", services=["pulsegrid-local"])["services"][0]
    container = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]["containerDefinitions"][0]

    assert container["readonlyRootFilesystem"] is True
    assert container["user"] not in {"", "0", "root"}
    assert not {"DB_PASSWORD"} & {variable["name"] for variable in container["environment"]}


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
                     "disable-sync", "disable-dev-shm-usage", f"user-data-dir={tmp_path}", "host-resolver-rules=MAP *.localhost 127.0.0.1"):  # fmt: skip
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_a_person_adds_a_service_and_sees_it_after_a_reload(application: Cloud, browser: webdriver.Chrome) -> None:
    browser.get(application.outputs["url"])
    wait = WebDriverWait(browser, 15)
    form = wait.until(lambda page: page.find_element(By.CSS_SELECTOR, 'form[aria-label="Add a service"]'))
    name, url = form.find_elements(By.TAG_NAME, "input")
    name.send_keys("added in a browser")
    url.send_keys("https://example.org/browser")
    form.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait.until(lambda page: "added in a browser" in page.find_element(By.TAG_NAME, "table").text)
    browser.refresh()
    wait.until(lambda page: "added in a browser" in page.find_element(By.TAG_NAME, "table").text)
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE" and "/api/v1/events" not in entry["message"]]
    assert severe == []


# Operation


def test_the_health_check_is_fired_by_its_schedule_and_its_metric_arrives(application: Cloud) -> None:
    cloudwatch = application.client("cloudwatch")
    namespace = application.outputs["healthcheck"]["metric_namespace"]

    def targets_that_were_well() -> set[str]:
        """The targets with a success since now: those of before the deploys were failures."""
        metrics = cloudwatch.list_metrics(Namespace=namespace, MetricName="Success")["Metrics"]
        return {
            dimension["Value"]
            for metric in metrics
            for dimension in metric["Dimensions"]
            if dimension["Name"] == "Name"
            for point in cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName="Success",
                Dimensions=metric["Dimensions"],
                StartTime=began,
                EndTime=time.time() + 60,
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
            if point["Maximum"] == 1
        }

    began = time.time() - 60
    until(lambda: targets_that_were_well() == {"site", "api"}, "seen well by the scheduled function", 150)


@pytest.fixture(scope="module")
def changed_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample backend with a change, as another directory: a user's own application."""
    directory = tmp_path_factory.mktemp("second") / "backend"
    shutil.copytree(CHECKOUT / "files/backend", directory)
    (directory / "CHANGED").write_text("a second release\n")
    return directory


def test_a_second_release_rolls_with_no_failed_request(application: Cloud, changed_backend: Path) -> None:
    before = running_version(application)
    with steady_requests(application) as answers:
        run = application.playbook("deploy_backend.yml", pulsegrid_backend_dir=str(changed_backend))

    assert run.count("changed") > 0
    assert running_version(application) != before
    assert len(answers) > 50
    assert set(answers) == {200}


def test_a_bad_release_fails_and_the_good_one_serves_on(application: Cloud) -> None:
    before = running_version(application)
    with steady_requests(application) as answers:
        run = application.playbook("deploy_backend.yml", ok=False, pulsegrid_backend_env={"PORT": "not-a-number"})

    assert run.code == 2
    assert running_version(application) == before
    assert set(answers) == {200}


def test_site_leaves_what_a_deploy_made(application: Cloud, changed_backend: Path) -> None:
    before = running_version(application)
    run = application.playbook("site.yml")

    assert run.changes == []
    assert running_version(application) == before
    assert '<div id="root">' in application.get("/").text


def test_a_worker_runs_beside_the_api(application: Cloud) -> None:
    """docs/several-services.md: another stage of the Dockerfile, without a load balancer, in the same cluster."""
    name = "pulsegrid-local-scheduler"
    worker = ("-e", "@docs/examples/scheduler.yml")
    monitored = application.request("POST", "/api/v1/services", json={"name": "itself", "url": f"{application.endpoint}/_ministack/health"}).json()
    before = running_version(application)

    application.playbook("playbooks/part.yml", *worker)
    application.playbook("deploy_backend.yml", *worker)

    def check() -> Any:
        return next((it for it in application.get("/api/v1/checks").json()["checks"] if it["service_id"] == monitored["id"]), None)

    until(check, "checked by the scheduler")
    ecs = application.client("ecs")
    service = ecs.describe_services(cluster="pulsegrid-local", services=[name])["services"][0]
    assert (service["runningCount"], service["loadBalancers"]) == (1, [])
    logs = application.client("logs")
    until(lambda: any("services checked" in it["message"] for it in logs.filter_log_events(logGroupName=f"/ecs/{name}")["events"]), "logged")
    assert running_version(application) == before
    assert application.playbook("playbooks/part.yml", *worker).changes == []

    application.playbook("playbooks/part.yml", *worker, ecs_service_state="absent")
    assert [it["status"] for it in ecs.describe_services(cluster="pulsegrid-local", services=[name])["services"]] in ([], ["INACTIVE"])
    assert running_version(application) == before
    application.request("DELETE", f"/api/v1/services/{monitored['id']}")


def test_check_mode_of_every_playbook_on_a_full_account_fails_nowhere_and_writes_nothing(application: Cloud) -> None:
    for playbook in ("site.yml", "deploy_backend.yml", "deploy_frontend.yml", "playbooks/outputs.yml"):
        run, recorder = recorded(application, playbook, "--check", "--diff")
        assert run.count("failed") == 0
        assert len(recorder.calls) > 2
        assert [call for call in recorder.mutating() if call != "GetAuthorizationToken"] == []


def test_outputs_can_be_read_later(application: Cloud, tmp_path: Path) -> None:
    application.playbook("playbooks/outputs.yml", pulsegrid_outputs_file=str(tmp_path / "outputs.json"))

    assert json.loads((tmp_path / "outputs.json").read_text()) == application.outputs


def test_no_secret_is_printed(provisioned: Cloud) -> None:
    secrets = provisioned.client("secretsmanager")
    values = set()
    for secret in secrets.list_secrets()["SecretList"]:
        value = secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"]
        values |= {json.loads(value)["password"] if value.startswith("{") else value}

    assert len(values) >= 2
    assert "TASK [pulsegrid.aws.rds" in provisioned.first_provision
    assert [value for value in values if value in provisioned.first_provision] == []


def test_the_cloud_restarts_with_its_data(application: Cloud) -> None:
    names = {service["name"] for service in application.get("/api/v1/services").json()["services"]}
    state = json.loads((STATE / "ministack" / "pid.json").read_text())
    subprocess.run(["kill", "-9", str(state["pid"])], check=True)
    application.playbook("playbooks/local_up.yml")
    until(lambda: application.get("/api/v1/health").status_code == 200, "serving again", 60)

    assert names <= {service["name"] for service in application.get("/api/v1/services").json()["services"]}
