"""Check URLs and publish what was found as CloudWatch metrics.

Event:
    targets     list of dicts:
        url               http or https; without credentials, which belong into headers
        name              default: the URL
        expected_status   a status code or a list of them, default 200
        body_contains     text that the first MiB of the body must contain
        headers           dict
        secret_headers    dict of a header and the environment variable with the ARN of its value, in Secrets Manager or SSM Parameter Store
        timeout_seconds   default 10
        follow_redirects  default false
        certificate_days  the certificate must be valid this many days longer
    namespace   default PulseGrid/HealthCheck
    dimensions  dict, added to each metric's dimension Name

Metrics by target: Success (0 or 1, never missing), Latency (until the body was read; missing without an answer) and
CertificateDaysLeft (https; 0 for an expired certificate, missing when none was seen).
"""

from __future__ import annotations

import http.client
import json
import math
import os
import ssl
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import boto3
from botocore.config import Config

MAX_BODY = 1 << 20
MAX_REDIRECTS = 5
MAX_THREADS = 64
MAX_DATUMS = 1000  # of one PutMetricData call
PUBLISH_SECONDS = 5  # kept of the function's time for publishing
URL_CHARACTERS = "/?%:@!$&'()*+,;=~"  # that stay as they are in a path or query
REDIRECTS = {301, 302, 303, 307, 308}
OF_ONE_ORIGIN = {"authorization", "cookie", "host"}  # headers that a redirect elsewhere must not carry along
CERTIFICATE_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED

LOCK = Lock()  # boto3 does not make clients in several threads at once


@dataclass
class Result:
    name: str
    url: str
    healthy: bool = False
    status: int | None = None
    latency_ms: float | None = None
    certificate_days_left: float | None = None
    error: str | None = None


class Unhealthy(Exception):
    """The target was checked, and is not as it should be."""


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raise only when the metrics could not be published: then the event is to be tried again."""
    started = datetime.now(UTC)
    results = check_all(event.get("targets", []), seconds_left(context))
    for result in results:
        print(json.dumps({"level": "INFO" if result.healthy else "ERROR", "message": "health check", **asdict(result)}))
    publish(results, started, event.get("namespace", "PulseGrid/HealthCheck"), event.get("dimensions", {}))
    healthy = sum(result.healthy for result in results)
    return {"healthy": healthy, "unhealthy": len(results) - healthy, "results": [asdict(result) for result in results]}


def seconds_left(context: Any) -> float | None:
    if context is None:
        return None
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - PUBLISH_SECONDS)


def check_all(targets: list[dict[str, Any]], seconds: float | None) -> list[Result]:
    if not targets:
        return []
    pool = ThreadPoolExecutor(min(len(targets), MAX_THREADS))
    futures = [pool.submit(check, target) for target in targets]
    wait(futures, timeout=seconds)
    results = [
        future.result() if future.done() else describe(target, "timeout: the function's time ran out") for future, target in zip(futures, targets, strict=True)
    ]
    pool.shutdown(wait=False, cancel_futures=True)
    return results


def describe(target: Any, error: str | None = None) -> Result:
    """Name a target, however wrong it is, without credentials from its URL."""
    if not isinstance(target, dict):
        return Result(name="invalid target", url="", error=error)
    url = str(target.get("url", ""))
    if "@" in url.partition("://")[2].partition("/")[0]:
        scheme, _separator, rest = url.partition("://")
        url = f"{scheme}://{rest.rpartition('@')[2]}"
    return Result(name=str(target.get("name") or url or "invalid target"), url=url, error=error)


def check(target: dict[str, Any]) -> Result:
    """Check one target. Whatever goes wrong is part of the result."""
    result = describe(target)
    try:
        examine(target, result)
        result.healthy = True
    except Unhealthy as error:
        result.error = str(error)
    except ssl.SSLCertVerificationError as error:
        result.error = f"certificate: {error.verify_message}"
        if error.verify_code == CERTIFICATE_EXPIRED:
            result.certificate_days_left = 0.0
    except TimeoutError:
        result.error = "timeout"
    except Exception as error:  # a check that cannot run is an unhealthy target, never a missing metric
        result.error = f"{type(error).__name__}: {error}"
    return result


def examine(target: dict[str, Any], result: Result) -> None:
    if not isinstance(target, dict):
        raise Unhealthy("configuration: a target must be an object")
    expected = target.get("expected_status", 200)
    expected = {int(status) for status in (expected if isinstance(expected, list) else [expected])}
    timeout = float(target.get("timeout_seconds", 10))
    if not 0 < timeout < math.inf:
        raise Unhealthy("configuration: timeout_seconds must be positive")
    headers = {"user-agent": "PulseGrid-HealthCheck", "accept": "*/*", "connection": "close"}
    headers |= {str(name).lower(): str(value) for name, value in target.get("headers", {}).items()}
    secret_headers = {str(name).lower(): secret(variable) for name, variable in target.get("secret_headers", {}).items()}
    headers |= secret_headers

    started = time.monotonic()
    url, body = str(target.get("url", "")), b""
    for _redirect in range(MAX_REDIRECTS + 1):
        parts = parse(url)
        status, location, body = request(parts, headers, started + timeout, result)
        result.status = status
        result.latency_ms = round((time.monotonic() - started) * 1000, 1)
        if not (target.get("follow_redirects") and status in REDIRECTS and location):
            break
        url = urljoin(url, location)
        if urlsplit(url)[:2] != parts[:2]:
            headers = {name: value for name, value in headers.items() if name not in OF_ONE_ORIGIN | secret_headers.keys()}
    else:
        raise Unhealthy(f"more than {MAX_REDIRECTS} redirects")

    if result.status not in expected:
        raise Unhealthy(f"status {result.status}, expected {' or '.join(map(str, sorted(expected)))}")
    wanted = target.get("body_contains")
    if wanted and str(wanted).encode() not in body:
        raise Unhealthy("the body does not contain the expected text")
    days = target.get("certificate_days")
    if days is not None and result.certificate_days_left is not None and result.certificate_days_left < float(days):
        raise Unhealthy(f"the certificate is valid for {result.certificate_days_left} days, expected at least {days}")


def secret(variable: str) -> str:
    """The value whose ARN the environment variable has. It is not kept, since it may be rotated."""
    arn = os.environ.get(variable)
    if not arn:
        raise Unhealthy(f"configuration: secret_headers names the environment variable {variable}, which is not there")
    if ":ssm:" in arn:
        return client("ssm").get_parameter(Name=arn, WithDecryption=True)["Parameter"]["Value"]
    return client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]


def parse(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unhealthy("configuration: url must be an absolute http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Unhealthy("configuration: url must not contain credentials, use headers")
    return parts


def request(parts: SplitResult, headers: dict[str, str], deadline: float, result: Result) -> tuple[int, str | None, bytes]:
    """Return status, Location and body; note in the result how long the first certificate is valid."""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=remaining(deadline), context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=remaining(deadline))
    try:
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket) and result.certificate_days_left is None:
            result.certificate_days_left = days_left(connection.sock.getpeercert())
        connection.sock.settimeout(remaining(deadline))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", quote(path, safe=URL_CHARACTERS), headers=headers)
        response = connection.getresponse()
        body = bytearray()
        while len(body) < MAX_BODY and (chunk := response.read1(MAX_BODY - len(body))):
            body += chunk
            remaining(deadline)
        return response.status, response.getheader("Location"), bytes(body)
    finally:
        connection.close()


def remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def days_left(certificate: dict[str, Any] | None) -> float | None:
    if not certificate:
        return None
    return round((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400, 2)


def publish(results: list[Result], timestamp: datetime, namespace: str, dimensions: dict[str, str]) -> None:
    common = [{"Name": str(name), "Value": ascii_value(value)} for name, value in sorted(dimensions.items())]
    datums: list[dict[str, Any]] = []
    for result in results:
        measured = [("Success", float(result.healthy), "Count")]
        if result.latency_ms is not None:
            measured.append(("Latency", result.latency_ms, "Milliseconds"))
        if result.certificate_days_left is not None:
            measured.append(("CertificateDaysLeft", result.certificate_days_left, "None"))
        datums += [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "Name", "Value": ascii_value(result.name)}, *common],
                "Timestamp": timestamp,
                "Value": value,
                "Unit": unit,
            }
            for metric, value, unit in measured
        ]
    for first in range(0, len(datums), MAX_DATUMS):
        client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=datums[first : first + MAX_DATUMS])


def ascii_value(value: Any) -> str:
    """CloudWatch takes printable ASCII only."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in str(value))[:1024].strip() or "?"


@cache
def client(service: str) -> Any:
    with LOCK:
        return boto3.client(service, config=Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 3}))
