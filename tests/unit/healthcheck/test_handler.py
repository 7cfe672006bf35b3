# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The health check Lambda against real servers on loopback."""

from __future__ import annotations

import importlib.util
import json
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

SPEC = importlib.util.spec_from_file_location("healthcheck_handler", Path(__file__).parents[3] / "files/healthcheck/handler.py")
handler = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = handler  # dataclasses look their module up by name
SPEC.loader.exec_module(handler)


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        status, headers, body = 200, {}, b"all is well"
        match self.path.partition("?")[0]:
            case "/missing":
                status = 404
            case "/redirect":
                status, headers = 302, {"Location": "/ok"}
            case "/loop":
                status, headers = 302, {"Location": "/loop"}
            case "/away":
                status, headers = 302, {"Location": self.headers["X-Away"]}
            case "/file":
                status, headers = 302, {"Location": "file:///etc/passwd"}
            case "/echo":
                body = json.dumps(dict(self.headers), sort_keys=True).encode()
            case "/path":
                body = self.path.encode()
            case "/huge":
                body = b"x" * (2 << 20) + b"end"
            case "/slow":
                self.server.released.wait(20)
            case "/drip":
                self.send_response(200)
                self.end_headers()
                while not self.server.released.wait(0.05):
                    try:
                        self.wfile.write(b".")
                    except OSError:
                        return
                return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that give up are part of the tests."""


def serve(context: ssl.SSLContext | None = None):
    server = Server(("127.0.0.1", 0), Site)
    server.released = threading.Event()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"{'https' if context else 'http'}://localhost:{server.server_port}"
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def site():
    yield from serve()


@pytest.fixture
def other_site():
    yield from serve()


@pytest.fixture
def secure_site(request, tmp_path, monkeypatch):
    """A site whose self-signed certificate is trusted; it is valid for as many days as the parameter says."""
    key, csr, certificate = tmp_path / "key.pem", tmp_path / "csr.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    signed = ["-days", str(request.param), "-copy_extensions", "copy", "-signkey", key]
    for command in (
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", csr],
        ["openssl", "x509", "-req", "-in", csr, *signed, "-out", certificate],
    ):
        subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    yield from serve(context)


@pytest.fixture
def published(monkeypatch):
    """The PutMetricData calls, checked against the service model by a real client."""
    client = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    calls = []
    client.meta.events.register("provide-client-params.cloudwatch.PutMetricData", lambda params, **_: calls.append(params))
    monkeypatch.setattr(handler, "client", lambda _service: client)
    with Stubber(client) as stubber:
        for _time in range(2):
            stubber.add_response("put_metric_data", {})
        yield calls


def check(**target):
    return handler.check(target)


def metrics(call):
    return {(d["Dimensions"][0]["Value"], d["MetricName"]): d["Value"] for d in call["MetricData"]}


def test_a_mixed_event_is_checked_logged_and_published(site, published, capsys):
    event = {
        "targets": [{"url": f"{site}/ok"}, {"url": f"{site}/missing", "name": "Missing"}, {"url": "http://localhost:1/", "name": "Nobody"}],
        "namespace": "Test",
        "dimensions": {"Environment": "dev"},
    }
    summary = handler.lambda_handler(event, None)
    assert (summary["healthy"], summary["unhealthy"]) == (1, 2)
    assert [result["status"] for result in summary["results"]] == [200, 404, None]
    json.dumps(summary)

    [call] = published
    assert call["Namespace"] == "Test"
    assert call["MetricData"][0]["Dimensions"] == [{"Name": "Name", "Value": f"{site}/ok"}, {"Name": "Environment", "Value": "dev"}]
    values = metrics(call)
    assert values[f"{site}/ok", "Success"] == 1
    assert values["Missing", "Success"] == 0
    assert values["Missing", "Latency"] > 0
    assert values["Nobody", "Success"] == 0
    assert ("Nobody", "Latency") not in values
    assert {d["MetricName"]: d["Unit"] for d in call["MetricData"]} == {"Success": "Count", "Latency": "Milliseconds"}

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["level"]) for line in lines] == [(f"{site}/ok", "INFO"), ("Missing", "ERROR"), ("Nobody", "ERROR")]
    assert "ConnectionRefusedError" in lines[2]["error"]


def test_an_empty_event_publishes_nothing(published):
    assert handler.lambda_handler({}, None) == {"healthy": 0, "unhealthy": 0, "results": []}
    assert published == []


def test_metrics_go_out_in_chunks(published, monkeypatch):
    monkeypatch.setattr(handler, "check", lambda target: handler.Result(target["url"], target["url"], True, 200, 1.5))
    handler.lambda_handler({"targets": [{"url": f"http://{number}"} for number in range(750)]}, None)
    assert [len(call["MetricData"]) for call in published] == [1000, 500]
    names = {d["Dimensions"][0]["Value"] for call in published for d in call["MetricData"]}
    assert len(names) == 750


def test_failing_to_publish_raises(site, monkeypatch):
    client = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    monkeypatch.setattr(handler, "client", lambda _service: client)
    with Stubber(client) as stubber:
        stubber.add_client_error("put_metric_data", "AccessDenied", http_status_code=403)
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            handler.lambda_handler({"targets": [{"url": f"{site}/ok"}]}, None)


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ({"expected_status": 404}, "status 200, expected 404"),
        ({"expected_status": [200, 204]}, None),
        ({"expected_status": [301, 204]}, "status 200, expected 204 or 301"),
        ({"body_contains": "is well"}, None),
        ({"body_contains": "is not"}, "the body does not contain the expected text"),
        ({"path": "/path?a=b c&d=é", "body_contains": "/path?a=b%20c&d=%C3%A9"}, None),
        ({"path": "/path?a=b%20c", "body_contains": "a=b%20c"}, None),
        ({"path": "/huge"}, None),
        ({"path": "/huge", "body_contains": "end"}, "the body does not contain the expected text"),
        ({"path": "/echo", "headers": {"Host": "app.localhost", "X-Number": 7}, "body_contains": '"host": "app.localhost"'}, None),
        ({"path": "/echo", "headers": {"X-Number": 7, "User-Agent": "mine"}, "body_contains": '"user-agent": "mine", "x-number": "7"'}, None),
        ({"headers": {"X-Bad": "a\r\nb"}}, "ValueError"),
        ({"timeout_seconds": 0}, "configuration: timeout_seconds"),
        ({"path": "/redirect"}, "status 302, expected 200"),
        ({"path": "/redirect", "expected_status": 302}, None),
        ({"path": "/redirect", "follow_redirects": True}, None),
        ({"path": "/loop", "follow_redirects": True}, "more than 5 redirects"),
        ({"path": "/file", "follow_redirects": True}, "configuration: url must be an absolute http or https URL"),
    ],
)
def test_expectations(site, target, error):
    result = check(url=site + target.pop("path", "/ok"), **target)
    assert result.healthy == (error is None)
    if error is None:
        assert result.error is None
    else:
        assert error in result.error


@pytest.mark.parametrize("url", ["", "localhost", "ftp://localhost/", "file:///etc/passwd", "http://", "http://localhost:port/", "http://[::1/", None])
def test_an_impossible_url_is_unhealthy_never_missing(url, published):
    summary = handler.lambda_handler({"targets": [{"url": url}]}, None)
    assert summary["unhealthy"] == 1
    assert [d["MetricName"] for d in published[0]["MetricData"]] == ["Success"]
    assert published[0]["MetricData"][0]["Value"] == 0


def test_a_target_that_is_no_object_is_unhealthy(published):
    assert handler.lambda_handler({"targets": ["http://localhost"]}, None)["results"][0]["error"].startswith("configuration")


def test_credentials_in_a_url_are_refused_and_not_shown():
    result = check(url="https://user:hunter2@localhost/")
    assert result.error == "configuration: url must not contain credentials, use headers"
    assert "hunter2" not in repr(result)


def test_a_redirect_elsewhere_carries_no_credentials_along(site, other_site):
    headers = {"Authorization": "hunter2", "Cookie": "hunter2", "X-Away": f"{other_site}/echo", "X-Kept": "kept"}
    assert check(url=f"{site}/away", headers=headers, follow_redirects=True, body_contains="kept").healthy
    assert not check(url=f"{site}/away", headers=headers, follow_redirects=True, body_contains="hunter2").healthy


@pytest.mark.parametrize(
    ("arn", "operation", "answer"),
    [
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf", "get_secret_value", {"SecretString": "hunter2"}),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/key", "get_parameter", {"Parameter": {"Value": "hunter2"}}),
    ],
)
def test_a_secret_header_is_read_and_stays_with_its_origin(site, other_site, monkeypatch, arn, operation, answer):
    monkeypatch.setenv("KEY_ARN", arn)
    service = arn.split(":")[2]
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    monkeypatch.setattr(handler, "client", {service: client}.__getitem__)
    target = {"headers": {"X-Away": f"{other_site}/echo"}, "secret_headers": {"X-Key": "KEY_ARN"}, "follow_redirects": True, "body_contains": "hunter2"}
    with Stubber(client) as stubber:
        for _time in range(2):
            stubber.add_response(operation, answer)
        assert check(url=f"{site}/echo", **target).healthy
        result = check(url=f"{site}/away", **target)
    assert not result.healthy
    assert "hunter2" not in repr(result)


def test_a_secret_header_without_its_variable_is_unhealthy(site):
    assert "which is not there" in check(url=f"{site}/ok", secret_headers={"X-Key": "NOT_THERE"}).error


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_timeout(site, path):
    started = time.monotonic()
    result = check(url=site + path, timeout_seconds=0.3)
    assert result.error == "timeout"
    assert 0.3 <= time.monotonic() - started < 3


def test_targets_are_checked_in_parallel_and_publishing_keeps_its_time(site, published):
    class Context:
        @staticmethod
        def get_remaining_time_in_millis():
            return (handler.PUBLISH_SECONDS + 1) * 1000

    started = time.monotonic()
    targets = [{"url": f"{site}/slow", "timeout_seconds": 15}] * 3 + [{"url": f"{site}/ok"}]
    summary = handler.lambda_handler({"targets": targets}, Context())
    assert 1 <= time.monotonic() - started < 4
    assert [result["healthy"] for result in summary["results"]] == [False, False, False, True]
    assert summary["results"][0]["error"].startswith("timeout")
    assert len([d for d in published[0]["MetricData"] if d["MetricName"] == "Success"]) == 4


@pytest.mark.parametrize("secure_site", [30], indirect=True)
def test_certificate_expiry(secure_site, published):
    targets = [{"url": f"{secure_site}/ok", "name": name, "certificate_days": days} for name, days in (("soon", 29), ("late", 31))]
    soon, late = handler.lambda_handler({"targets": targets}, None)["results"]
    assert soon["healthy"]
    assert 29.9 < soon["certificate_days_left"] <= 30
    assert not late["healthy"]
    assert late["error"].endswith("expected at least 31")
    assert 29.9 < metrics(published[0])["late", "CertificateDaysLeft"] <= 30


@pytest.mark.parametrize("secure_site", [30], indirect=True)
def test_a_certificate_that_nobody_vouches_for_is_unhealthy(secure_site, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    result = check(url=f"{secure_site}/ok")
    assert result.error.startswith("certificate: self")
    assert result.certificate_days_left is None


@pytest.mark.parametrize("secure_site", [30], indirect=True)
def test_a_certificate_for_another_host_is_unhealthy(secure_site):
    assert "certificate: " in check(url=secure_site.replace("localhost", "127.0.0.1") + "/ok").error


@pytest.mark.parametrize("secure_site", [-1], indirect=True)
def test_an_expired_certificate_has_no_days_left(secure_site):
    result = check(url=f"{secure_site}/ok")
    assert (result.healthy, result.certificate_days_left, result.error) == (False, 0.0, "certificate: certificate has expired")


def test_names_are_made_fit_for_cloudwatch():
    assert handler.ascii_value("Zahlung ü\n") == "Zahlung ??"
    assert handler.ascii_value("") == "?"
    assert len(handler.ascii_value("x" * 2000)) == 1024
