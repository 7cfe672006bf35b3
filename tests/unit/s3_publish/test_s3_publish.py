# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import botocore.exceptions
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.modules import s3_publish as module
from moto import mock_aws

FILES = {"index.html": "<p>one", "docs/index.html": "<p>docs", "robots.txt": "all", "assets/app-1.js": "1", "assets/a b.css": "p {}"}
REFUSED = {"Error": {"Code": "AccessDenied", "Message": "refused"}}


class Site:
    def __init__(self, src: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.src = src
        self.capsys = capsys
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket="bucket")
        self.invalidations: list[list[str]] = []
        self.calls: list[tuple[str, str]] = []
        self.fails_at = ""
        original = botocore.client.BaseClient._make_api_call

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append((operation, parameters.get("Key", "")))
            if self.fails_at and self.fails_at in (operation, parameters.get("Key")):
                raise botocore.exceptions.ClientError(REFUSED, operation)
            if operation == "CreateInvalidation":
                self.invalidations.append(parameters["InvalidationBatch"]["Paths"]["Items"])
                return {"Invalidation": {"Id": "I1", "Status": "InProgress"}}
            return original(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def write(self, **files: str) -> None:
        for name, content in files.items():
            path = self.src / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def publish(self, check: bool = False, **options: Any) -> dict[str, Any]:
        self.calls.clear()
        self.invalidations.clear()
        given = {"src": str(self.src), "bucket": "bucket", "prefix": "site", "manifest_key": "manifest.json", "distribution_id": "E1", "region": "us-east-1"}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True, **options}), pytest.raises(SystemExit):
            module.main()
        return json.loads(self.capsys.readouterr().out)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _arguments in self.calls]

    def published(self) -> set[str]:
        return {item["Key"] for item in self.s3.list_objects_v2(Bucket="bucket").get("Contents", [])}

    def body(self, key: str) -> str:
        return self.s3.get_object(Bucket="bucket", Key=key)["Body"].read().decode()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "nobody")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        site = Site(tmp_path / "dist", monkeypatch, capsys)
        site.write(**FILES)
        yield site


def test_a_first_publication_uploads_everything_and_invalidates_nothing(site: Site) -> None:
    result = site.publish()

    assert sorted(result["uploaded"]) == sorted(f"site/{name}" for name in FILES)
    assert site.published() == {*result["uploaded"], "manifest.json"}
    assert result["changed_paths"] == []
    assert site.invalidations == []
    assert result["bytes"] == sum(len(content) for content in FILES.values())


def test_headers_are_those_of_the_class(site: Site) -> None:
    site.publish(cache_control={"other": "public, max-age=60"})

    def headers(key: str) -> tuple[str, str]:
        head = site.s3.head_object(Bucket="bucket", Key=key)
        return head["ContentType"], head["CacheControl"]

    assert headers("site/index.html") == ("text/html; charset=utf-8", "no-cache")
    assert headers("site/assets/app-1.js") == ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable")
    assert headers("site/robots.txt") == ("text/plain; charset=utf-8", "public, max-age=60")


def test_assets_go_first_html_last_and_then_the_manifest(site: Site) -> None:
    site.publish(concurrency=1)
    puts = [key for operation, key in site.calls if operation == "PutObject"]

    assert puts == ["site/assets/a b.css", "site/assets/app-1.js", "site/robots.txt", "site/docs/index.html", "site/index.html", "manifest.json"]


def test_an_unchanged_site_costs_two_requests_whatever_the_times(site: Site) -> None:
    site.publish()
    site.write(**FILES)
    result = site.publish()

    assert not result["changed"]
    assert result["unchanged"] == len(FILES)
    assert site.operations == ["ListObjectsV2", "GetObject"]


def test_only_changed_paths_are_uploaded_and_invalidated(site: Site) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two", "assets/app-2.js": "2", "docs/index.html": "<p>new"})
    result = site.publish()

    assert sorted(result["uploaded"]) == ["site/assets/app-2.js", "site/docs/index.html", "site/index.html"]
    assert site.invalidations == [["/", "/docs/", "/docs/index.html", "/index.html"]]
    assert result["invalidation_id"] == "I1"
    assert not site.publish()["changed"]


def test_paths_are_percent_encoded(site: Site) -> None:
    site.publish()
    site.write(**{"assets/a b.css": "b {}"})

    assert site.publish()["changed_paths"] == ["/assets/a%20b.css"]


def test_a_changed_header_is_a_change(site: Site) -> None:
    site.publish()

    assert site.publish(cache_control={"other": "no-store"})["uploaded"] == ["site/robots.txt"]
    assert site.s3.head_object(Bucket="bucket", Key="site/robots.txt")["CacheControl"] == "no-store"


def test_an_object_that_somebody_overwrote_or_deleted_is_put_right(site: Site) -> None:
    site.publish()
    site.s3.put_object(Bucket="bucket", Key="site/index.html", Body=b"defaced")
    site.s3.delete_object(Bucket="bucket", Key="site/robots.txt")
    result = site.publish()

    assert sorted(result["uploaded"]) == ["site/index.html", "site/robots.txt"]
    assert site.body("site/index.html") == "<p>one"


def test_an_etag_that_is_no_checksum_is_no_difference(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with KMS: the ETag of a PUT and of the listing is the same, and no MD5."""
    original = botocore.client.BaseClient._make_api_call

    def encrypted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        answer = original(client, operation, parameters)
        for item in [answer, *answer.get("Contents", [])]:
            if "ETag" in item:
                item["ETag"] = '"kms-' + item["ETag"].strip('"')[::-1] + '"'
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", encrypted)
    site.publish()
    assert not site.publish()["changed"]


def test_check_mode_lists_and_writes_nothing(site: Site) -> None:
    result = site.publish(check=True)
    assert sorted(result["uploaded"]) == sorted(f"site/{name}" for name in FILES)
    assert site.published() == set()

    site.publish()
    site.write(**{"index.html": "<p>two"})
    predicted = site.publish(check=True)
    assert set(site.operations) <= {"ListObjectsV2", "GetObject"}
    assert "upload site/index.html (6 bytes, text/html; charset=utf-8, no-cache)\ninvalidate /\n" in predicted["diff"]["prepared"]
    made = site.publish()
    assert {key: made[key] for key in ("uploaded", "changed_paths", "deleted")} == {key: predicted[key] for key in ("uploaded", "changed_paths", "deleted")}


def test_in_check_mode_a_bucket_that_is_not_there_is_empty_and_otherwise_an_error(site: Site) -> None:
    assert len(site.publish(check=True, bucket="nowhere")["uploaded"]) == len(FILES)

    result = site.publish(bucket="nowhere")
    assert result["failed"]
    assert "nowhere" in result["msg"]


def test_old_files_stay_unless_they_are_to_go_and_those_of_others_always(site: Site) -> None:
    site.publish()
    site.s3.put_object(Bucket="bucket", Key="site/upload-by-hand.png", Body=b"png")
    (site.src / "robots.txt").unlink()

    assert not site.publish()["changed"]
    result = site.publish(purge=True)
    assert result["deleted"] == ["site/robots.txt"]
    assert site.invalidations == [["/robots.txt"]]
    assert "site/upload-by-hand.png" in site.published()
    assert "site/robots.txt" not in site.published()
    assert not site.publish(purge=True)["changed"]


@pytest.mark.parametrize("fails_at", ["site/assets/app-2.js", "site/docs/index.html", "site/index.html", "manifest.json"])
def test_what_was_interrupted_is_completed_and_invalidated_by_the_next_run(site: Site, fails_at: str) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two", "docs/index.html": "<p>new", "assets/app-2.js": "2"})
    site.fails_at = fails_at
    assert site.publish(concurrency=1)["failed"]
    if fails_at == "site/assets/app-2.js":
        assert site.body("site/index.html") == "<p>one"

    site.fails_at = ""
    result = site.publish()
    assert result["changed"]
    assert {"/", "/index.html"} <= set(result["changed_paths"])
    assert site.body("site/index.html") == "<p>two"
    assert not site.publish()["changed"]


def test_an_invalidation_that_fails_is_a_warning_and_is_repeated(site: Site) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two"})
    site.fails_at = "CreateInvalidation"
    result = site.publish()

    assert result["changed"]
    assert "failed" not in result
    assert "cached copies" in json.dumps(result["warnings"])
    assert site.body("site/index.html") == "<p>two"
    site.fails_at = ""
    assert site.publish()["invalidation_id"] == "I1"
    assert site.invalidations == [["/", "/index.html"]]
    assert not site.publish()["changed"]


def test_a_manifest_that_cannot_be_read_uploads_everything(site: Site) -> None:
    site.publish()
    site.s3.put_object(Bucket="bucket", Key="manifest.json", Body=b"not json")

    assert len(site.publish()["uploaded"]) == len(FILES)
    assert not site.publish()["changed"]


def test_more_objects_than_a_page_of_the_listing(site: Site) -> None:
    for number in range(1005):
        site.s3.put_object(Bucket="bucket", Key=f"site/aaa/{number:04}", Body=b"")
    site.publish()
    result = site.publish()

    assert not result["changed"]
    assert site.operations == ["ListObjectsV2", "ListObjectsV2", "GetObject"]


@pytest.mark.parametrize("src", ["nowhere", "."])
def test_no_directory_or_an_empty_one_is_refused(site: Site, tmp_path: Path, src: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = site.publish(src=str(empty / src))

    assert result["failed"]
    assert str(empty) in result["msg"]
    assert site.calls == []
