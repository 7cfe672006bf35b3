# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules that write to Route 53 share: names as people write them, and the public hosted zone."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource

__all__ = ["plain", "public_zone_id"]


def plain(name: str) -> str:
    r"""A name as people write it: Route 53 ends it with a dot, and answers with \052 for an asterisk."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), name).rstrip(".").lower()


def public_zone_id(resource: Resource, client: Any, hosted_zone: str) -> str:
    zone = plain(hosted_zone)
    for found in resource.call("list_hosted_zones_by_name", client=client, DNSName=f"{zone}.")["HostedZones"]:
        if plain(found["Name"]) == zone and not found.get("Config", {}).get("PrivateZone"):
            return found["Id"].rpartition("/")[2]
    resource.module.fail_json(msg=f"hosted_zone is {zone}: there is no public hosted zone of this name in the account.")
    raise AssertionError("unreachable")
