# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The preflight of the role alb: what is wrong with an input is said with the variable, its value and what is allowed."""

from __future__ import annotations

from pathlib import Path

from ..conftest import refused_by

RIGHT = {
    "pulsegrid_name": "shop-dev",
    "pulsegrid_tags": {},
    "pulsegrid_backend_port": 8080,
    "pulsegrid_backend_health_path": "/health",
    "vpc_outputs": {"vpc_id": "vpc-1", "public_subnet_ids": ["subnet-1", "subnet-2"], "alb_security_group_id": "sg-1"},
}
ONE = {"name": "reports", "port": 8081, "paths": ["/reports/*"], "priority": 1}
WRONG = [
    ({"alb_domain_names": ["https://example.com"], "alb_hosted_zone": "example.com"}, "alb_domain_names is ['https://example.com']"),
    ({"alb_domain_names": ["example.com"]}, "alb_hosted_zone is '' while alb_domain_names is ['example.com']"),
    ({"alb_domain_names": ["badexample.com"], "alb_hosted_zone": "example.com"}, "allowed are names in alb_hosted_zone, which is 'example.com'"),
    ({"alb_aliases": ["api.example.org"], "alb_hosted_zone": "example.com"}, "alb_aliases is ['api.example.org']"),
    ({"alb_hosted_zone": "Z0123456789"}, "alb_hosted_zone is 'Z0123456789'"),
    ({"alb_web_acl_arn": "arn:aws:wafv2:us-east-1:111122223333:global/webacl/a/1"}, "of the scope REGIONAL"),
    ({"alb_access_log_retention_days": 0}, "alb_access_log_retention_days is 0"),
    ({"alb_services": [{**ONE, "name": "re_ports"}]}, "alb_services has the names ['re_ports']"),
    ({"alb_services": [ONE, {**ONE, "priority": 2}]}, "each name once"),
    ({"alb_services": [ONE, {**ONE, "name": "admin"}]}, "alb_services has the priorities [1, 1]"),
    ({"alb_services": [{**ONE, "priority": 50000}]}, "allowed are 1 to 49999"),
    ({"alb_services": [{**ONE, "port": 0}]}, "alb_services has the ports [0]"),
    ({"alb_services": [{"name": "reports", "port": 8081, "priority": 1}]}, "each needs paths or hosts, at most 4 together"),
    ({"alb_services": [{**ONE, "paths": ["/a", "/b", "/c", "/d", "/e"]}]}, "each needs paths or hosts, at most 4 together"),
    ({"alb_services": [{**ONE, "health_check_path": "health"}]}, "each health_check_path begins with /"),
    ({"alb_services": [{"name": "reports", "paths": ["/a"], "priority": 1}]}, "missing required arguments: port"),
]


def test_wrong_inputs_are_refused_and_explained(api, tmp_path: Path) -> None:
    refused_by("alb", RIGHT, WRONG, api, tmp_path)
