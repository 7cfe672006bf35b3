# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils import http_exchange, s3_bucket, s3_requests, s3_transfer

from ..s3_publish.fake_s3 import FakeS3

CREDENTIALS = {"access_key": "nobody", "secret_key": "nobody"}
PARAMS = {
    **dict.fromkeys(("access_key", "secret_key", "session_token", "profile", "aws_config", "aws_ca_bundle")),
    "region": "us-east-1",
    "validate_certs": True,
    "debug_botocore_endpoint_logs": False,
}
HEADERS = {"ContentType": "text/css; charset=utf-8", "CacheControl": "no-cache"}


class Uploads:
    def __init__(self, directory: Path, s3: FakeS3) -> None:
        self.directory = directory
        self.s3 = s3
        self.done: dict[str, tuple[str, str, int]] = {}
        self.by_boto3: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.taken = self.most_waiting = 0

    def client(self, service: str = "s3", **_options: Any) -> Any:
        """As AnsibleAWSModule's, noting what is sent by it"""
        client = boto3.client(service, region_name="us-east-1", endpoint_url=self.s3.url, aws_access_key_id="nobody", aws_secret_access_key="nobody")
        client.meta.events.register("before-call.s3.PutObject", lambda params, **_about: self.by_boto3.append(params["url_path"].split("/")[-1]))
        return client

    def bucket(self, **params: Any) -> s3_bucket.Bucket:
        module = SimpleNamespace(params={**PARAMS, "endpoint_url": self.s3.url, **params}, client=self.client)
        return s3_bucket.Bucket(module, "bucket")

    def uploader(self, concurrency: int = 4, **params: Any) -> s3_transfer.Uploader:
        return s3_transfer.Uploader(self.bucket(**params), concurrency)

    def files(self, *names: str) -> Iterator[s3_transfer.Upload]:
        for name in names:
            path = self.directory / name
            path.write_bytes(name.encode() * 3)
            self.taken += 1
            self.most_waiting = max(self.most_waiting, self.taken - len(self.done))
            yield str(path), f"site/{name}", HEADERS

    def record(self, key: str, etag: str, version: str, size: int) -> None:
        self.threads.add(threading.current_thread())
        self.done[key] = (etag, version, size)

    @property
    def sent_by_boto3(self) -> list[str]:
        return [name for name in self.by_boto3 if name != s3_requests.KEY]


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    for variable in [name for name in os.environ if name.startswith("AWS_") or name.lower() in s3_requests.PROXIES]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    s3 = FakeS3()
    yield Uploads(tmp_path, s3)
    s3.shutdown()
    s3.server_close()


def test_every_file_is_uploaded_once_and_reported_in_the_callers_thread(uploads: Uploads) -> None:
    names = [f"{number}.css" for number in range(50)] + ["a b+c~(ü).css"]
    uploads.uploader().upload(uploads.files(*names), uploads.record)

    assert uploads.done.keys() == {f"site/{name}" for name in names}
    assert uploads.s3.operations == ["PutObject"] * len(names)
    assert uploads.sent_by_boto3 == []
    assert uploads.threads == {threading.current_thread()}
    for name in names:
        there = uploads.s3.bucket.current(f"site/{name}")
        assert there
        assert there.body == name.encode() * 3
        assert uploads.done[f"site/{name}"] == (f'"{there.etag.strip(chr(34))}"', there.id, len(there.body))


def test_a_broken_connection_is_left_to_boto3(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    original = http_exchange.Connection.exchange
    broken: list[str] = []

    def exchange(connection: Any, method: str, target: str, *more: Any) -> Any:
        if target.endswith("3.css") and not broken:
            broken.append(target)
            raise ConnectionResetError
        return original(connection, method, target, *more)

    monkeypatch.setattr(http_exchange.Connection, "exchange", exchange)
    uploads.uploader().upload(uploads.files(*(f"{number}.css" for number in range(8))), uploads.record)

    assert len(uploads.done) == 8
    assert uploads.sent_by_boto3 == ["3.css"]


def test_what_s3_refuses_ends_it_with_its_own_error(uploads: Uploads) -> None:
    uploads.s3.refuses = "site/5.css"
    with pytest.raises(botocore.exceptions.ClientError, match="PutObject"):
        uploads.uploader(2).upload(uploads.files(*(f"{number}.css" for number in range(200))), uploads.record)

    assert "site/0.css" in uploads.done
    assert "site/5.css" not in uploads.done
    assert uploads.taken < 200


def test_no_more_files_are_taken_than_are_needed(uploads: Uploads) -> None:
    uploads.uploader(3).upload(uploads.files(*(f"{number}.css" for number in range(60))), uploads.record)

    assert uploads.most_waiting <= 2 * 3
    assert len(uploads.done) == 60


@pytest.mark.parametrize("params", [{}, CREDENTIALS])
def test_a_large_file_is_sent_in_pieces(uploads: Uploads, monkeypatch: pytest.MonkeyPatch, params: dict[str, str]) -> None:
    monkeypatch.setattr(s3_requests, "CHUNK", 20)
    monkeypatch.setattr(http_exchange, "CHUNK", 20)
    uploads.uploader(**params).upload(uploads.files("1.css", "large file.css"), uploads.record)

    there = uploads.s3.bucket.current("site/large file.css")
    assert there
    assert there.body == b"large file.css" * 3
    assert uploads.done["site/large file.css"][2] == 42
    assert uploads.sent_by_boto3 == []


def test_with_credentials_at_hand_boto3_is_not_asked(uploads: Uploads) -> None:
    uploads.uploader(**CREDENTIALS).upload(uploads.files("1.css", "a b+c~(ü).css"), uploads.record)

    assert len(uploads.done) == 2
    assert uploads.by_boto3 == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [("http_proxy", "http://127.0.0.1:1"), ("HTTPS_PROXY", "http://127.0.0.1:1"), ("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_CONFIG_FILE", "/some/config")],
)
def test_what_only_boto3_understands_is_left_to_it(uploads: Uploads, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    params = {**PARAMS, **CREDENTIALS, "endpoint_url": uploads.s3.url}
    assert s3_requests.from_options(params, "bucket")
    monkeypatch.setenv(variable, value)

    assert s3_requests.from_options(params, "bucket") is None


@pytest.mark.parametrize(
    "params", [{"profile": "p"}, {"aws_config": {"retries": {}}}, {"secret_key": None}, {"region": None}, {"region": "cn-north-1", "endpoint_url": None}]
)
def test_options_that_only_boto3_understands_are_left_to_it(uploads: Uploads, params: dict[str, Any]) -> None:
    assert s3_requests.from_options({**PARAMS, **CREDENTIALS, "endpoint_url": uploads.s3.url, **params}, "bucket") is None


def test_a_configuration_file_is_left_to_boto3(uploads: Uploads) -> None:
    (uploads.directory / ".aws").mkdir()
    (uploads.directory / ".aws/config").write_text("[default]\nuse_fips_endpoint = true\n")

    assert s3_requests.from_options({**PARAMS, **CREDENTIALS, "endpoint_url": uploads.s3.url}, "bucket") is None


@pytest.mark.parametrize("bucket", ["my.bucket", "bucket--use1-az4--x-s3", "arn:aws:s3:us-east-1:1:accesspoint/a"])
def test_a_bucket_of_another_kind_is_left_to_boto3(uploads: Uploads, bucket: str) -> None:
    assert s3_requests.from_options({**PARAMS, **CREDENTIALS, "endpoint_url": None}, bucket) is None


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "ap-southeast-3"])
def test_the_address_is_boto3s(uploads: Uploads, region: str) -> None:
    ours = s3_requests.from_options({**PARAMS, **CREDENTIALS, "endpoint_url": None, "region": region}, "bucket")
    theirs = s3_requests.from_client(boto3.client("s3", region_name=region, aws_access_key_id="nobody", aws_secret_access_key="nobody"), "bucket")

    assert ours
    assert theirs
    assert (ours.url, ours.region, ours.signing_name) == (theirs.url, theirs.region, theirs.signing_name)
    assert ours.tls.check_hostname
    assert ours.tls.verify_mode == ssl.CERT_REQUIRED
    assert ours.tls.get_ca_certs()


def test_behind_a_proxy_all_go_by_boto3(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", uploads.s3.url)
    monkeypatch.delenv("no_proxy", raising=False)

    assert uploads.bucket(**CREDENTIALS).requests is None


def test_credentials_that_s3_does_not_accept_are_left_to_boto3(uploads: Uploads) -> None:
    uploads.s3.refuses = "ListObjectsV2"
    bucket = uploads.bucket(**CREDENTIALS)
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        bucket.page("site/")


@pytest.mark.parametrize("params", [{}, CREDENTIALS])
def test_the_listing_is_boto3s(uploads: Uploads, params: dict[str, str]) -> None:
    names = [f"site/{number:04}" for number in range(1002)] + ["site/a b+c~(ü)&<.css"]
    for name in names:
        uploads.s3.put(name, name.encode())
    bucket = uploads.bucket(**params)
    pages = list(bucket.pages("site/"))
    bucket.requests = None

    assert [item.key for page in pages for item in page.items] == names
    assert pages == list(bucket.pages("site/"))


@pytest.mark.parametrize("token", [None, "a+token/of=a session"])
def test_the_signature_is_botocores(token: str | None) -> None:
    credentials = botocore.credentials.Credentials("AKIA", "s/ecr+et", token)
    headers = {"host": "bucket.s3.eu-central-1.amazonaws.com", "content-type": "text/css;  charset=utf-8", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    request = botocore.awsrequest.AWSRequest("PUT", f"https://{headers['host']}/site/a%20b//~.css", headers=headers, data=b"1")
    request.context["payload_signing_enabled"] = False
    request.context["checksum"] = {"request_algorithm": {"in": "header", "name": "content-type"}}
    botocore.auth.S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(request)

    signed = {**headers, "x-amz-date": request.headers["X-Amz-Date"]}
    requests = s3_requests.Requests("https://bucket/", "eu-central-1", "s3", "", credentials.get_frozen_credentials)
    assert requests.authorization("PUT", "/site/a%20b//~.css", "", signed) == request.headers["Authorization"]
    assert signed.get("x-amz-security-token") == token


def test_the_signature_of_a_query_is_botocores() -> None:
    credentials = botocore.credentials.Credentials("AKIA", "s/ecr+et")
    query = {"list-type": "2", "prefix": "a b/ü+~", "continuation-token": "x==/&"}
    headers = {"host": "bucket", "x-amz-content-sha256": s3_requests.EMPTY_SHA256}
    request = botocore.awsrequest.AWSRequest("GET", "http://bucket/", headers=headers, params=query)
    botocore.auth.S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(request)

    signed = {**headers, "x-amz-date": request.headers["X-Amz-Date"]}
    requests = s3_requests.Requests("http://bucket/", "eu-central-1", "s3", "", credentials.get_frozen_credentials)
    assert requests.authorization("GET", "/", s3_requests.encoded(query), signed) == request.headers["Authorization"]
