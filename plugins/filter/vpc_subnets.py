# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The subnets of a VPC, computed from its CIDR block."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vpc_subnets
version_added: 0.1.0
short_description: The subnets of a VPC, computed from its CIDR block
description:
  - The block is cut into quarters. The first is the public tier's, the second the private tier's, the third the database tier's, the last stays free.
  - Each quarter is cut into eight blocks, and the n-th availability zone has the n-th of them, so that a zone can be added without moving another. A VPC of
    C(/16) has subnets of C(/21), and one of C(/22) has subnets of C(/27), the smallest in which a load balancer fits.
  - A zone that has subnets keeps its place, whatever zones there are now.
positional: zones, count, existing
options:
  _input:
    description: The VPC's IPv4 CIDR block, C(/16) to C(/22).
    type: str
    required: true
  zones:
    description: Names of the availability zones to choose from, in order of preference.
    type: list
    elements: str
    required: true
  count:
    description: How many zones are wanted, at most 6.
    type: int
    required: true
  existing:
    description: The VPC's subnets as M(amazon.aws.ec2_vpc_subnet_info) returns them.
    type: list
    elements: dict
    default: []
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The public subnets of three zones
  ansible.builtin.debug:
    msg: "{{ '10.0.0.0/16' | pulsegrid.aws.vpc_subnets(['us-east-1a', 'us-east-1b', 'us-east-1c'], 3) | selectattr('tier', 'eq', 'public') }}"
"""

RETURN = r"""
_value:
  description: One dictionary for each subnet, by tier and then by zone.
  type: list
  elements: dict
  sample: [{"tier": "public", "zone": "us-east-1a", "cidr": "10.0.0.0/21"}]
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from ansible.errors import AnsibleFilterError

TIERS = ("public", "private", "database")
LONGEST = 22
SHORTEST = 16


def network(cidr: str) -> IPv4Network:
    """The block, if a VPC of this layout can have it; ValueError with the reason if not."""
    try:
        block = IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"'{cidr}' is no IPv4 CIDR block: {error}") from error
    if not SHORTEST <= block.prefixlen <= LONGEST:
        raise ValueError(f"'{cidr}' is not between /{SHORTEST} and /{LONGEST}")
    return block


def vpc_subnets(cidr: str, zones: Iterable[str], count: int, existing: Iterable[Mapping[str, str]] = ()) -> list[dict[str, str]]:
    try:
        quarters = list(network(cidr).subnets(prefixlen_diff=2))
    except ValueError as error:
        raise AnsibleFilterError(f"vpc_subnets: {error}") from error
    blocks = {tier: [str(block) for block in quarter.subnets(prefixlen_diff=3)] for tier, quarter in zip(TIERS, quarters, strict=False)}
    taken = {subnet["cidr_block"]: subnet["availability_zone"] for subnet in existing}
    kept = [taken[block] for block in blocks["public"] if block in taken]
    candidates = list(zones)
    fresh = iter([zone for zone in candidates if zone not in kept])
    chosen = [zone for block in blocks["public"][:count] if (zone := taken.get(block) or next(fresh, ""))]
    if gone := [zone for zone in kept if zone not in chosen or (len(candidates) == count and zone not in candidates)]:
        raise AnsibleFilterError(f"vpc_subnets: the VPC has subnets in {', '.join(gone)}, and a zone in use cannot be taken away")
    if len(chosen) < count:
        raise AnsibleFilterError(f"vpc_subnets: {count} availability zones are wanted, and there are only {', '.join(chosen)}")
    return [{"tier": tier, "zone": zone, "cidr": block} for tier in TIERS for zone, block in zip(chosen, blocks[tier], strict=False)]


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"vpc_subnets": vpc_subnets}
