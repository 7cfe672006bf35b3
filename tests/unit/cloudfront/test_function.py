# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

from ansible_collections.pulsegrid.aws.plugins.modules import cloudfront_function as module

ROUTES: dict[str, Any] = {"name": "shop-spa", "code": "function handler(event) { return event.request; }", "comment": "Routes"}


def live(cloudfront) -> str:
    return cloudfront.store["function"]["shop-spa"]["LIVE"]["code"].decode()


def test_it_is_created_published_and_then_left_alone(cloudfront, run) -> None:
    assert run(module, check=True, **ROUTES)["function"]["arn"] == "arn:aws:cloudfront::000000000000:function/shop-spa"
    assert run(module, **ROUTES)["function"]["arn"] == "arn:aws:cloudfront::111122223333:function/shop-spa"
    assert live(cloudfront) == ROUTES["code"]
    assert not run(module, **ROUTES)["changed"]
    assert cloudfront.mutations == []


def test_changed_code_is_published(cloudfront, run) -> None:
    run(module, **ROUTES)
    changed = {**ROUTES, "code": "function handler(event) { return null; }"}

    assert run(module, check=True, **changed)["changed"]
    assert run(module, **changed)["changed"]
    assert live(cloudfront) == changed["code"]


def test_what_was_created_but_never_published_is_published(cloudfront, run) -> None:
    run(module, **ROUTES)
    del cloudfront.store["function"]["shop-spa"]["LIVE"]

    assert run(module, **ROUTES)["changed"]
    assert live(cloudfront) == ROUTES["code"]


def test_somebody_elses_draft_is_no_change_and_is_not_published(cloudfront, run) -> None:
    run(module, **ROUTES)
    cloudfront.store["function"]["shop-spa"]["DEVELOPMENT"] = {"config": {"Comment": "", "Runtime": "cloudfront-js-1.0"}, "code": b"draft"}

    assert not run(module, **ROUTES)["changed"]
    run(module, **{**ROUTES, "comment": "New"})
    assert live(cloudfront) == ROUTES["code"]


def test_a_stale_etag_is_read_again(cloudfront, run) -> None:
    run(module, **ROUTES)
    cloudfront.intruder = lambda: None

    assert run(module, **{**ROUTES, "comment": "New"})["changed"]
    assert cloudfront.calls.count("UpdateFunction") == 2


def test_removal(cloudfront, run) -> None:
    run(module, **ROUTES)

    assert run(module, name="shop-spa", state="absent")["changed"]
    assert cloudfront.store["function"] == {}
    assert not run(module, name="shop-spa", state="absent")["changed"]


def test_without_code_a_function_that_is_not_there_is_an_error(cloudfront, run) -> None:
    assert "without code it cannot be created" in run(module, name="shop-spa")["msg"]
