# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.modules import s3_releases_info as module

from .conftest import MANIFEST, Site


def releases(site: Site, **options: Any) -> dict[str, Any]:
    given = {"bucket": "bucket", "manifest_key": MANIFEST, "region": "us-east-1", "endpoint_url": site.s3.url, **options}
    site.s3.forget()
    with patch_module_args(given), pytest.raises(SystemExit):
        module.main()
    return json.loads(site.capsys.readouterr().out.splitlines()[-1])


def states(site: Site) -> list[tuple[str, str]]:
    return [(release["state"], release["name"]) for release in releases(site)["releases"]]


def test_what_was_served_last_comes_first_and_what_was_rolled_back_from_is_withdrawn(site: Site) -> None:
    for name in "ABC":
        site.write(**{"index.html": name})
        site.publish(name=name)
    assert states(site) == [("serving", "C"), ("published", "B"), ("published", "A")]

    site.restore()
    assert states(site) == [("serving", "B"), ("withdrawn", "C"), ("published", "A")]


def test_a_person_reads_a_table_that_costs_one_request(site: Site) -> None:
    site.publish(release={"name": "3f2a9c1", "commit": "3f2a9c1d04e2", "by": "alice"})
    found = releases(site)
    at = found["releases"][0]["at"]

    assert found["lines"] == ["state    release  published         by     commit", f"serving  3f2a9c1  {at[:10]} {at[11:16]}  alice  3f2a9c1d04e2"]
    assert site.s3.operations == ["GetObject"]


@pytest.mark.parametrize("bucket", ["bucket", "nowhere"])
def test_where_nothing_was_published_there_is_none(site: Site, bucket: str) -> None:
    found = releases(site, bucket=bucket)
    assert (found["releases"], found["lines"]) == ([], [])


def test_another_object_is_no_manifest(site: Site) -> None:
    site.s3.put(MANIFEST, b"[]")
    assert "is not readable" in releases(site)["msg"]
