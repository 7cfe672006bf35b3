# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.pulsegrid.aws.plugins.modules import cloudfront_origin_access_control as module


def test_it_is_created_found_on_a_later_page_updated_and_removed(cloudfront, run) -> None:
    run(module, name="another")
    assert run(module, check=True, name="shop")["origin_access_control"]["id"] == "E00000000000000"
    created = run(module, name="shop")["origin_access_control"]

    assert created["signing_protocol"] == "sigv4"
    assert created["signing_behavior"] == "always"
    again = run(module, name="shop")
    assert not again["changed"]
    assert again["origin_access_control"]["id"] == created["id"]

    cloudfront.intruder = lambda: None
    assert run(module, name="shop", description="The site's bucket")["changed"]
    assert cloudfront.store["control"][created["id"]]["config"]["Description"] == "The site's bucket"

    assert run(module, name="shop", state="absent")["changed"]
    assert [item["config"]["Name"] for item in cloudfront.store["control"].values()] == ["another"]
    assert not run(module, name="shop", state="absent")["changed"]


def test_an_error_says_what_was_being_done(cloudfront, run, monkeypatch) -> None:
    def refuse(**_parameters: object) -> None:
        raise LookupError("AccessDenied")

    monkeypatch.setattr(cloudfront, "create_origin_access_control", refuse)
    result = run(module, name="shop")

    assert result["failed"]
    assert "origin access control shop: could not create origin access control" in result["msg"]
