# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import cloudfront_distribution as module

PAGE = {"target_origin_id": "site", "cache_policy_id": "page-policy"}
API = {"path_pattern": "/api/*", "target_origin_id": "api", "allowed_methods": ["GET", "HEAD", "OPTIONS"], "cache_policy_id": "none", "compress": False}
SITE = {"id": "site", "domain_name": "b.s3.eu-central-1.amazonaws.com", "origin_access_control_id": "OAC"}
LOAD_BALANCER = {
    "id": "api",
    "domain_name": "alb.example.com",
    "custom_headers": [{"header_name": "X-Verify", "header_value": "first-secret"}],
    "custom_origin_config": {"origin_protocol_policy": "http-only"},
}
WHOLE: dict[str, Any] = {
    "name": "shop-site",
    "aliases": ["www.example.com", "example.com"],
    "viewer_certificate": {"acm_certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/1"},
    "default_root_object": "index.html",
    "origins": [SITE, LOAD_BALANCER],
    "default_cache_behavior": PAGE,
    "cache_behaviors": [{**API, "path_pattern": "/api/secret"}, API],
    "tags": {"Application": "shop"},
}


def config(cloudfront) -> dict[str, Any]:
    (item,) = cloudfront.store["distribution"].values()
    return item["config"]


def behavior(cloudfront, pattern: str) -> dict[str, Any]:
    return next(item for item in config(cloudfront)["CacheBehaviors"]["Items"] if item["PathPattern"] == pattern)


def test_a_second_run_finds_no_difference_in_what_aws_spelt_out(cloudfront, run) -> None:
    assert run(module, **WHOLE)["changed"]
    again = run(module, **WHOLE)

    assert not again["changed"]
    assert cloudfront.mutations == []
    assert again["distribution"]["domain_name"].endswith(".cloudfront.net")
    assert again["distribution"]["tags"] == {"Application": "shop"}


def test_check_mode_predicts_and_answers_placeholders(cloudfront, run) -> None:
    predicted = run(module, check=True, **WHOLE)

    assert predicted["changed"]
    assert predicted["distribution"]["arn"] == "arn:aws:cloudfront::000000000000:distribution/E00000000000000"
    run(module, **WHOLE)
    assert not run(module, check=True, **WHOLE)["changed"]
    assert run(module, check=True, **{**WHOLE, "aliases": []})["changed"]


def test_it_waits_until_deployed_only_when_asked(cloudfront, run) -> None:
    assert run(module, **WHOLE, wait=False)["distribution"]["status"] == "InProgress"
    next(iter(cloudfront.store["distribution"].values()))["Status"] = "InProgress"

    joined = run(module, name="shop-site")
    assert joined["distribution"]["status"] == "Deployed"
    assert not joined["changed"]


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ({"aliases": ["example.com"]}, ("Aliases", "Items"), ["example.com"]),
        ({"price_class": "PriceClass_100"}, ("PriceClass",), "PriceClass_100"),
        ({"enabled": False}, ("Enabled",), False),
        ({"geo_restriction": {"restriction_type": "blacklist", "locations": ["XY"]}}, ("Restrictions", "GeoRestriction", "Items"), ["XY"]),
        ({"logging": {"bucket": "logs.s3.amazonaws.com", "prefix": "cdn/"}}, ("Logging", "Enabled"), True),
        ({"origins": [{**SITE, "origin_shield_region": "eu-central-1"}, LOAD_BALANCER]}, ("Origins", "Quantity"), 2),
        ({"default_cache_behavior": {**PAGE, "response_headers_policy_id": "headers"}}, ("DefaultCacheBehavior", "ResponseHeadersPolicyId"), "headers"),
        ({"default_cache_behavior": {**PAGE, "allowed_methods": ["GET", "HEAD", "OPTIONS"]}}, ("DefaultCacheBehavior", "AllowedMethods", "Quantity"), 3),
    ],
)
def test_a_change_is_made_and_then_stays(cloudfront, run, change: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    run(module, **WHOLE)
    assert run(module, **{**WHOLE, **change})["changed"]

    found: Any = config(cloudfront)
    for key in path:
        found = found[key]
    assert found == value
    assert not run(module, **{**WHOLE, **change})["changed"]


def test_what_a_behavior_no_longer_has_is_taken_away(cloudfront, run) -> None:
    function = {"event_type": "viewer-request", "function_arn": "arn:aws:cloudfront::111122223333:function/f"}
    run(module, **{**WHOLE, "default_cache_behavior": {**PAGE, "response_headers_policy_id": "headers", "function_associations": [function]}})

    assert run(module, **WHOLE)["changed"]
    assert "ResponseHeadersPolicyId" not in config(cloudfront)["DefaultCacheBehavior"]
    assert config(cloudfront)["DefaultCacheBehavior"]["FunctionAssociations"]["Quantity"] == 0


def test_back_to_cloudfronts_own_certificate(cloudfront, run) -> None:
    run(module, **WHOLE)
    assert run(module, **{**WHOLE, "aliases": [], "viewer_certificate": {}})["changed"]

    assert "ACMCertificateArn" not in config(cloudfront)["ViewerCertificate"]
    assert not run(module, **{**WHOLE, "aliases": [], "viewer_certificate": {}})["changed"]


def test_the_order_of_cache_behaviors_matters_and_that_of_origins_and_aliases_does_not(cloudfront, run) -> None:
    run(module, **WHOLE)

    assert not run(module, **{**WHOLE, "origins": WHOLE["origins"][::-1], "aliases": WHOLE["aliases"][::-1]})["changed"]
    assert run(module, **{**WHOLE, "cache_behaviors": WHOLE["cache_behaviors"][::-1]})["changed"]
    assert [item["PathPattern"] for item in config(cloudfront)["CacheBehaviors"]["Items"]] == ["/api/*", "/api/secret"]


def test_settings_without_an_option_are_kept(cloudfront, run) -> None:
    run(module, **WHOLE)
    config(cloudfront)["Restrictions"]["GeoRestriction"] = {"RestrictionType": "blacklist", "Quantity": 1, "Items": ["XX"]}
    behavior(cloudfront, "/api/*")["RealtimeLogConfigArn"] = "arn:log"
    assert not run(module, **WHOLE)["changed"]

    run(module, **{**WHOLE, "price_class": "PriceClass_100", "cache_behaviors": WHOLE["cache_behaviors"][::-1]})
    assert config(cloudfront)["Restrictions"]["GeoRestriction"]["Items"] == ["XX"]
    assert behavior(cloudfront, "/api/*")["RealtimeLogConfigArn"] == "arn:log"
    assert "RealtimeLogConfigArn" not in behavior(cloudfront, "/api/secret")


def test_another_writer_is_not_overwritten(cloudfront, run) -> None:
    run(module, **WHOLE)
    cloudfront.intruder = lambda: config(cloudfront).update(WebACLId="arn:acl")

    assert run(module, **{**WHOLE, "price_class": "PriceClass_100"})["changed"]
    assert config(cloudfront)["WebACLId"] == "arn:acl"
    assert config(cloudfront)["PriceClass"] == "PriceClass_100"
    assert cloudfront.calls.count("UpdateDistribution") == 2


def test_neither_the_new_nor_the_old_secret_header_is_shown(cloudfront, run) -> None:
    run(module, **WHOLE)
    rotated = {**LOAD_BALANCER, "custom_headers": [{"header_name": "X-Verify", "header_value": "second-secret"}]}
    result = run(module, **{**WHOLE, "origins": [SITE, rotated]})

    assert result["changed"]
    assert "second-secret" in json.dumps(config(cloudfront))
    assert "first-secret" not in json.dumps(result)
    assert "second-secret" not in json.dumps(result)


def test_it_is_found_by_its_caller_reference_behind_others_and_after_its_comment_was_edited(cloudfront, run) -> None:
    run(module, **{**WHOLE, "name": "shop-site-2"})
    run(module, **{**WHOLE, "name": "other", "comment": "shop-site"})
    run(module, **WHOLE)
    mine = next(item["config"] for item in cloudfront.store["distribution"].values() if item["config"]["CallerReference"].startswith("shop-site/"))
    mine["Comment"] = "edited"

    assert not run(module, **WHOLE)["changed"]
    assert len(cloudfront.store["distribution"]) == 3


def test_tags_of_others_stay_unless_they_are_to_go(cloudfront, run) -> None:
    run(module, **WHOLE)
    (tags,) = cloudfront.tags.values()
    tags["Owner"] = "somebody"

    assert not run(module, **WHOLE, purge_tags=False)["changed"]
    assert run(module, **{**WHOLE, "tags": {"Application": "store"}}, purge_tags=False)["changed"]
    assert tags == {"Application": "store", "Owner": "somebody"}
    assert "UpdateDistribution" not in cloudfront.calls
    assert run(module, **{**WHOLE, "tags": {"Application": "store"}})["changed"]
    assert tags == {"Application": "store"}


def test_removal_disables_waits_and_deletes_and_then_finds_nothing(cloudfront, run) -> None:
    run(module, **WHOLE)

    assert run(module, check=True, name="shop-site", state="absent")["changed"]
    assert run(module, name="shop-site", state="absent")["changed"]
    assert cloudfront.store["distribution"] == {}
    assert cloudfront.mutations == ["UpdateDistribution", "DeleteDistribution"]
    assert not run(module, name="shop-site", state="absent")["changed"]


def test_a_new_distribution_needs_origins(cloudfront, run) -> None:
    result = run(module, name="shop-site")

    assert result["failed"]
    assert "without origins and default_cache_behavior it cannot be created" in result["msg"]
    assert cloudfront.mutations == []


def test_what_can_be_turned_on_can_be_turned_off(cloudfront, run) -> None:
    on = {
        "geo_restriction": {"restriction_type": "whitelist", "locations": ["DE", "FR"]},
        "logging": {"bucket": "logs.s3.amazonaws.com"},
        "web_acl_id": "arn:aws:wafv2:us-east-1:111122223333:global/webacl/shop/1",
        "origins": [{**SITE, "origin_shield_region": "eu-central-1"}, LOAD_BALANCER],
    }
    run(module, **{**WHOLE, **on})
    assert not run(module, **{**WHOLE, **on})["changed"]
    (site,) = [origin for origin in config(cloudfront)["Origins"]["Items"] if origin["Id"] == "site"]
    assert site["OriginShield"] == {"Enabled": True, "OriginShieldRegion": "eu-central-1"}

    off = {"geo_restriction": {}, "logging": {}, "web_acl_id": ""}
    assert run(module, **{**WHOLE, **off})["changed"]
    assert not run(module, **{**WHOLE, **off})["changed"]
    (site,) = [origin for origin in config(cloudfront)["Origins"]["Items"] if origin["Id"] == "site"]
    assert site["OriginShield"] == {"Enabled": False}
    assert config(cloudfront)["Restrictions"] == {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}}
    assert config(cloudfront)["Logging"]["Enabled"] is False
