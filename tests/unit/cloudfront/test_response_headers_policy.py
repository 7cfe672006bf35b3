# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import cloudfront_response_headers_policy as module

POLICY: dict[str, Any] = {
    "name": "shop",
    "security_headers_config": {
        "content_security_policy": {"content_security_policy": "default-src 'self'"},
        "content_type_options": {},
        "strict_transport_security": {"access_control_max_age_sec": 31536000},
    },
    "custom_headers_config": [{"header": "X-B", "value": "2"}, {"header": "X-A", "value": "1"}],
}


def config(cloudfront) -> dict[str, Any]:
    (item,) = cloudfront.store["policy"].values()
    return item["config"]


def test_it_is_created_and_then_left_alone(cloudfront, run) -> None:
    assert run(module, check=True, **POLICY)["response_headers_policy"]["id"] == "00000000-0000-0000-0000-000000000000"
    assert run(module, **POLICY)["changed"]
    assert not run(module, **POLICY)["changed"]
    assert not run(module, **{**POLICY, "custom_headers_config": POLICY["custom_headers_config"][::-1]})["changed"]
    assert set(config(cloudfront)["SecurityHeadersConfig"]) == {"ContentSecurityPolicy", "ContentTypeOptions", "StrictTransportSecurity"}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"security_headers_config": {"content_type_options": {}}}, {"ContentTypeOptions": {"Override": True}}),
        ({"security_headers_config": {"frame_options": {"frame_option": "DENY"}}}, {"FrameOptions": {"FrameOption": "DENY", "Override": True}}),
    ],
)
def test_a_header_that_is_no_longer_named_is_taken_away(cloudfront, run, change: dict[str, Any], left: dict[str, Any]) -> None:
    run(module, **POLICY)

    assert run(module, check=True, **{**POLICY, **change})["changed"]
    assert run(module, **{**POLICY, **change})["changed"]
    assert config(cloudfront)["SecurityHeadersConfig"] == left
    assert not run(module, **{**POLICY, **change})["changed"]


def test_custom_headers_can_go(cloudfront, run) -> None:
    run(module, **POLICY)

    assert run(module, **{**POLICY, "custom_headers_config": []})["changed"]
    assert config(cloudfront)["CustomHeadersConfig"]["Quantity"] == 0


def test_removal(cloudfront, run) -> None:
    run(module, **POLICY)

    assert run(module, name="shop", state="absent")["changed"]
    assert cloudfront.store["policy"] == {}
    assert not run(module, name="shop", state="absent")["changed"]


def test_where_cloudfront_has_no_such_policies_there_is_none_to_remove(cloudfront, run, monkeypatch) -> None:
    def unknown(**_marker: str) -> None:
        raise LookupError("404")

    monkeypatch.setattr(cloudfront, "list_response_headers_policies", unknown)
    assert not run(module, name="shop", state="absent")["changed"]
