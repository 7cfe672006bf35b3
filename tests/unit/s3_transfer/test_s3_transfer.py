# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.module_utils import s3_transfer

from ..s3_publish.fake_s3 import FakeS3

HEADERS = {"ContentType": "text/css; charset=utf-8", "CacheControl": "no-cache"}


class Uploads:
    def __init__(self, directory: Path, s3: FakeS3) -> None:
        self.directory = directory
        self.s3 = s3
        self.done: dict[str, tuple[str, str, int]] = {}
        self.by_boto3: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.taken = self.most_waiting = 0

    def uploader(self, concurrency: int = 4) -> s3_transfer.Uploader:
        config = botocore.config.Config(max_pool_connections=concurrency)
        client = boto3.client(
            "s3", region_name="us-east-1", endpoint_url=self.s3.url, aws_access_key_id="nobody", aws_secret_access_key="nobody", config=config
        )
        client.meta.events.register("before-call.s3.PutObject", lambda params, **_about: self.by_boto3.append(params["url_path"].split("/")[-1]))
        return s3_transfer.Uploader(client, "bucket", concurrency)

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
        return [name for name in self.by_boto3 if name != s3_transfer.KEY]


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
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
    original = http.client.HTTPConnection.request
    broken: list[str] = []

    def request(connection: Any, method: str, url: str, *more: Any, **options: Any) -> None:
        if url.endswith("3.css") and not broken:
            broken.append(url)
            raise ConnectionResetError
        original(connection, method, url, *more, **options)

    monkeypatch.setattr(http.client.HTTPConnection, "request", request)
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


def test_a_large_file_and_other_headers_go_by_boto3(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_transfer, "IN_MEMORY", 20)
    (uploads.directory / "tagged").write_bytes(b"1")
    tagged = (str(uploads.directory / "tagged"), "site/tagged", {"Tagging": "a=b"})
    uploads.uploader().upload([*uploads.files("1.css", "large.css"), tagged], uploads.record)

    assert len(uploads.done) == 3
    assert sorted(uploads.sent_by_boto3) == ["large.css", "tagged"]


def test_behind_a_proxy_all_go_by_boto3(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", uploads.s3.url)
    monkeypatch.delenv("no_proxy", raising=False)
    uploader = uploads.uploader()

    assert uploader._pattern() is None


@pytest.mark.parametrize("token", [None, "a+token/of=a session"])
def test_the_signature_is_botocores(token: str | None) -> None:
    credentials = botocore.credentials.Credentials("AKIA", "s/ecr+et", token)
    headers = {"host": "bucket.s3.eu-central-1.amazonaws.com", "content-type": "text/css;  charset=utf-8", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    request = botocore.awsrequest.AWSRequest("PUT", f"https://{headers['host']}/site/a%20b//~.css", headers=headers, data=b"1")
    request.context["payload_signing_enabled"] = False
    request.context["checksum"] = {"request_algorithm": {"in": "header", "name": "content-type"}}
    botocore.auth.S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(request)

    signed = {**headers, "x-amz-date": request.headers["X-Amz-Date"]}
    pattern = s3_transfer.Pattern("", "", "eu-central-1", "s3")
    assert pattern.authorization(credentials.get_frozen_credentials(), "/site/a%20b//~.css", signed) == request.headers["Authorization"]
    assert signed.get("x-amz-security-token") == token
