# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The preflight of the role static_site: what is wrong with an input is said with the variable, its value and what is allowed."""

from __future__ import annotations

from pathlib import Path

from ..conftest import refused_by

RIGHT = {"pulsegrid_name": "shop-dev", "pulsegrid_region": "eu-central-1", "pulsegrid_tags": {}}
WRONG = [
    ({"static_site_name": "Shop"}, "static_site_name is 'Shop': allowed are 3 to 45"),
    ({"static_site_aliases": ["www.example.com"]}, "static_site_certificate_arn and static_site_hosted_zone are ''"),
    ({"static_site_aliases": ["www.example.com"], "static_site_hosted_zone": "example.org"}, "allowed are names in static_site_hosted_zone"),
    ({"static_site_aliases": ["badexample.com"], "static_site_hosted_zone": "example.com"}, "static_site_aliases is ['badexample.com']"),
    ({"static_site_aliases": [f"{n}.example.com" for n in range(11)], "static_site_hosted_zone": "example.com"}, "static_site_aliases has 11 names"),
    ({"static_site_hosted_zone": "Z0123456789"}, "static_site_hosted_zone is 'Z0123456789'"),
    ({"static_site_allowed_countries": ["Germany"]}, "static_site_allowed_countries is ['Germany']"),
    ({"static_site_allowed_countries": ["DE"], "static_site_denied_countries": ["FR"]}, "CloudFront has one list"),
    ({"static_site_web_acl_arn": "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/a/1"}, "of the scope CLOUDFRONT"),
    ({"static_site_response_headers_policy_id": "SecurityHeaders"}, "static_site_response_headers_policy_id is 'SecurityHeaders'"),
    ({"static_site_origin_shield_region": "eu-west-3"}, "value of static_site_origin_shield_region must be one of"),
    ({"static_site_region": "eu-south-1"}, "static_site_access_logs is true while static_site_region is eu-south-1"),
    ({"static_site_access_log_retention_days": 0}, "static_site_access_log_retention_days is 0"),
    ({"static_site_hsts_max_age_seconds": -1}, "static_site_hsts_max_age_seconds is -1"),
]


def test_wrong_inputs_are_refused_and_explained(api, tmp_path: Path) -> None:
    refused_by("static_site", RIGHT, WRONG, api, tmp_path)
