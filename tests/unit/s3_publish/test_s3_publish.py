# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import s3_publish as module

from ..conftest import run
from .conftest import FILES, MANIFEST, Site

LOCK = {"bucket": "bucket", "holder": "somebody"}
READING = {"ListObjectsV2", "GetObject", "HeadObject"}


def test_a_first_publication_uploads_everything_and_invalidates_nothing(site: Site) -> None:
    result = site.publish()

    assert sorted(result["uploaded"]) == sorted(f"site/{name}" for name in FILES)
    assert site.served == FILES
    assert (result["changed_paths"], site.s3.invalidations) == ([], [])
    assert result["bytes"] == sum(len(content) for content in FILES.values())
    assert len(site.s3.requests) <= len(FILES) + 5


def test_with_credentials_at_hand_boto3_is_not_imported(site: Site) -> None:
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": site.options(distribution_id="")})
    code = (
        "import sys; sys.modules.update(boto3=None, botocore=None); from ansible_collections.pulsegrid.aws.plugins.modules import s3_publish as it; it.main()"
    )
    done = run(sys.executable, "-c", code, arguments, AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nobody", HOME=str(site.src), PYTHONPATH=".collections")

    assert json.loads(done.stdout)["changed"], done.stderr
    assert site.served == FILES


def test_headers_are_those_of_the_class(site: Site) -> None:
    site.publish(cache_control={"other": "public, max-age=60"})

    assert site.headers("site/index.html") == {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}
    assert site.headers("site/assets/app-1.js") == {"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=31536000, immutable"}
    assert site.headers("site/robots.txt") == {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "public, max-age=60"}


def test_new_files_go_first_then_replaced_ones_then_html_and_the_root_last(site: Site) -> None:
    site.publish()
    site.write(**{name: "new" for name in FILES}, **{"new.html": "new", "z.txt": "new", "assets/app-2.js": "2"})
    site.publish(concurrency=1)
    puts = [request.key for request in site.s3.requests if request.operation == "PutObject"]

    replaced = ["site/assets/a b.css", "site/assets/app-1.js", "site/robots.txt"]
    pages = ["site/new.html", "site/docs/index.html", "site/index.html"]
    assert puts == [MANIFEST, "site/assets/app-2.js", "site/z.txt", *replaced, *pages, MANIFEST]


def test_an_unchanged_site_costs_two_requests_whatever_the_times(site: Site) -> None:
    site.publish()
    site.write(**FILES)
    result = site.publish()

    assert not result["changed"]
    assert result["unchanged"] == len(FILES)
    assert sorted(site.s3.operations) == ["GetObject", "ListObjectsV2"]


def test_two_thousand_files_cost_three_requests_and_hashed_changes_five_more(site: Site) -> None:
    site.replace({"index.html": "1", **{f"assets/{number}-a.js": "1" for number in range(1999)}})
    site.publish()
    assert len(site.s3.requests) <= 2005
    site.publish()
    assert len(site.s3.requests) <= 3
    for number in range(20):
        (site.src / f"assets/{number}-a.js").rename(site.src / f"assets/{number}-b.js")
    site.publish(distribution_id="")
    assert len(site.s3.requests) <= 25


def test_only_changed_paths_are_uploaded_and_invalidated(site: Site) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two", "assets/app-2.js": "2", "docs/index.html": "<p>new"})
    result = site.publish()

    assert sorted(result["uploaded"]) == ["site/assets/app-2.js", "site/docs/index.html", "site/index.html"]
    assert site.s3.invalidations == [["/", "/docs/", "/docs/index.html", "/index.html"]]
    assert result["invalidation_id"] == "I1"
    assert not site.publish()["changed"]


def test_paths_are_percent_encoded(site: Site) -> None:
    site.publish()
    site.write(**{"assets/a b.css": "b {}"})

    assert site.publish()["changed_paths"] == ["/assets/a%20b.css"]


@pytest.mark.parametrize(
    ("paths", "most", "expected"),
    [
        (["/a/1", "/a/2"], 2, ["/a/1", "/a/2"]),
        (["/a/1", "/a/2", "/a/3", "/b/1"], 2, ["/a/*", "/b/1"]),
        (["/a/x/1", "/a/x/2", "/a/x/3", "/a/1"], 2, ["/a/1", "/a/x/*"]),
        (["/a/x/1", "/a/x/2", "/a/y/1", "/a/y/2"], 1, ["/a/*"]),
        (["/1", "/2", "/3"], 2, ["/1", "/2", "/3"]),
    ],
)
def test_many_paths_become_the_fewest_and_narrowest_wildcards(paths: list[str], most: int, expected: list[str]) -> None:
    assert module.collapsed(paths, most) == expected


def test_a_changed_header_is_a_change(site: Site) -> None:
    site.publish()

    assert site.publish(cache_control={"other": "no-store"})["uploaded"] == ["site/robots.txt"]
    assert site.headers("site/robots.txt")["Cache-Control"] == "no-store"


def test_an_object_that_somebody_overwrote_or_deleted_is_put_right(site: Site) -> None:
    site.publish()
    site.s3.put("site/index.html", b"defaced")
    site.s3.delete("bucket", "site/robots.txt")
    result = site.publish()

    assert sorted(result["uploaded"]) == ["site/index.html", "site/robots.txt"]
    assert site.served == FILES
    assert len(site.manifest["releases"]) == 1


def test_an_etag_that_is_no_checksum_is_no_difference(site: Site) -> None:
    """As with KMS: the ETag of a PUT and of the listing is the same, and no MD5."""
    site.s3.etag_of = lambda body: uuid.uuid4().hex
    site.publish()
    assert not site.publish()["changed"]


def test_check_mode_lists_and_writes_nothing(site: Site) -> None:
    result = site.publish(check=True)
    assert sorted(result["uploaded"]) == sorted(f"site/{name}" for name in FILES)
    assert site.s3.bucket.objects == {}

    site.publish(name="A")
    site.write(**{"index.html": "<p>two"})
    predicted = site.publish(check=True, name="B", lock=LOCK)
    assert set(site.s3.operations) <= READING
    assert "release A -> B\nupload site/index.html (6 bytes, text/html; charset=utf-8, no-cache)\ninvalidate /\n" in predicted["diff"]["prepared"]
    made = site.publish(name="B")
    same = ("uploaded", "changed_paths", "deleted")
    assert {key: made[key] for key in same} == {key: predicted[key] for key in same}
    assert site.restore(check=True)["uploaded"] == ["site/index.html"]
    assert set(site.s3.operations) <= READING


def test_in_check_mode_a_bucket_that_is_not_there_is_empty_and_otherwise_an_error(site: Site) -> None:
    assert len(site.publish(check=True, bucket="nowhere")["uploaded"]) == len(FILES)

    result = site.publish(bucket="nowhere")
    assert result["failed"]
    assert "nowhere" in result["msg"]


def test_files_stay_for_so_many_releases_and_those_of_others_always(site: Site) -> None:
    site.publish(name="A", releases=2)
    site.s3.put("site/upload-by-hand.png", b"png")
    (site.src / "assets/app-1.js").unlink()
    (site.src / "robots.txt").unlink()
    assert site.publish(name="B", releases=2)["deleted"] == []
    assert "robots.txt" in site.served
    site.write(**{"index.html": "<p>three"})
    result = site.publish(name="C", releases=2)

    assert result["deleted"] == ["site/assets/app-1.js", "site/robots.txt"]
    assert site.s3.invalidations == [["/", "/index.html", "/robots.txt"]]
    assert set(site.served) == {"index.html", "docs/index.html", "assets/a b.css", "upload-by-hand.png"}
    assert [version.marker for version in site.s3.bucket.objects["site/robots.txt"]] == [True]
    assert not site.publish(name="C", releases=2)["changed"]


def test_a_file_that_another_put_in_place_of_an_old_one_stays(site: Site) -> None:
    site.publish(releases=1)
    site.s3.put("site/robots.txt", b"theirs")
    (site.src / "robots.txt").unlink()
    assert site.publish(releases=1)["deleted"] == []
    assert site.served["robots.txt"] == "theirs"


def test_releases_are_put_back_and_forward(site: Site) -> None:
    for name in "ABC":
        site.write(**{"index.html": name, "robots.txt": name, f"assets/{name}.js": name})
        site.publish(name=name)
    result = site.restore()
    assert (result["release"]["name"], site.served["index.html"], site.served["robots.txt"]) == ("B", "B", "B")
    assert site.s3.operations.count("CopyObject") == 2
    assert site.s3.invalidations == [["/", "/index.html", "/robots.txt"]]
    assert site.headers("site/index.html")["Cache-Control"] == "no-cache"
    assert site.restore()["release"]["name"] == "A"
    assert not site.restore("A")["changed"]
    assert "there is no release before A" in site.restore()["msg"]
    assert site.restore("C")["release"]["name"] == "C"
    site.write(**{"index.html": "D"})
    site.publish(name="D")
    assert site.restore()["release"]["name"] == "C"
    assert "there is no such release" in site.restore("Z")["msg"]


def test_a_release_whose_files_are_gone_is_refused_before_anything_changes(site: Site) -> None:
    site.publish(name="A")
    site.write(**{"index.html": "two"})
    site.publish(name="B")
    site.s3.bucket.objects["site/index.html"].pop(0)
    result = site.restore()

    assert "1 of its files are gone (index.html)" in result["msg"]
    assert set(site.s3.operations) <= READING


def test_a_bucket_without_versions_publishes_and_says_why_it_cannot_put_back(site: Site) -> None:
    site.s3.bucket.versioned = False
    site.publish(name="A")
    site.write(**{"index.html": "two"})
    assert site.publish(name="B")["changed"]
    assert not site.publish(name="B")["changed"]
    assert "keeps no versions" in site.restore()["msg"]


def test_the_lock_is_taken_only_for_a_change_and_refuses_when_held(site: Site) -> None:
    site.publish(lock=LOCK)
    assert site.s3.bucket.current("deploy.lock") is None
    site.publish(lock=LOCK)
    assert "PutObject" not in site.s3.operations
    held = {"holder": "another", "why": "", "expires_seconds": None, "token": "t"}
    site.s3.put("deploy.lock", json.dumps(held).encode())
    site.write(**{"index.html": "two"})

    assert "another" in site.publish(lock=LOCK)["msg"]
    assert site.served["index.html"] == FILES["index.html"]


@pytest.mark.parametrize("fails_at", ["site/assets/app-2.js", "site/docs/index.html", "site/index.html"])
def test_what_failed_is_completed_and_invalidated_by_the_next_run(site: Site, fails_at: str) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two", "docs/index.html": "<p>new", "assets/app-2.js": "2"})
    site.s3.refuses = fails_at
    assert site.publish(concurrency=1)["failed"]
    if fails_at == "site/assets/app-2.js":
        assert site.served["index.html"] == "<p>one"
    site.s3.refuses = ""
    result = site.publish()

    assert {"/", "/index.html"} <= set(result["changed_paths"])
    assert site.served["index.html"] == "<p>two"
    assert not site.publish()["changed"]


def test_an_invalidation_that_fails_is_a_warning_and_is_repeated(site: Site) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two"})
    site.s3.refuses = "CreateInvalidation"
    result = site.publish()
    assert result["changed"]
    assert "cached copies" in json.dumps(result["warnings"])
    site.s3.refuses = ""

    assert site.publish()["invalidation_id"] == "I1"
    assert site.s3.invalidations == [["/", "/index.html"]]
    assert not site.publish()["changed"]


def test_an_invalidation_that_takes_long_is_a_warning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish()
    site.write(**{"index.html": "<p>two"})
    site.s3.invalidation_status = "InProgress"
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    assert "it goes on" in json.dumps(site.publish(wait=True, wait_timeout_seconds=1)["warnings"])


def test_a_manifest_that_cannot_be_read_uploads_everything(site: Site) -> None:
    site.publish()
    site.s3.put(MANIFEST, b"not json")

    assert len(site.publish()["uploaded"]) == len(FILES)
    assert not site.publish()["changed"]


@pytest.mark.parametrize("src", ["nowhere", "."])
def test_no_directory_or_an_empty_one_is_refused(site: Site, tmp_path: Path, src: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = site.publish(src=str(empty / src))

    assert result["failed"]
    assert str(empty) in result["msg"]
    assert site.s3.requests == []


@pytest.mark.parametrize(("option", "value"), [("releases", 0), ("releases", 26), ("concurrency", 0), ("max_invalidation_paths", 0)])
def test_a_number_out_of_range_is_refused(site: Site, option: str, value: int) -> None:
    assert f"{option} is {value}: allowed are" in site.publish(**{option: value})["msg"]
    assert site.s3.requests == []
