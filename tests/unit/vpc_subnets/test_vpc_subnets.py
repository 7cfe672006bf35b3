# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.pulsegrid.aws.plugins.filter.vpc_subnets import vpc_subnets
from ansible_collections.pulsegrid.aws.plugins.test.vpc_cidr import vpc_cidr

ZONES = [f"us-east-1{letter}" for letter in "abcdef"]


def as_found(subnets: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"cidr_block": subnet["cidr"], "availability_zone": subnet["zone"]} for subnet in subnets]


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "172.31.64.0/19", "192.168.4.0/22"])
@pytest.mark.parametrize("count", [2, 6])
def test_one_subnet_for_each_tier_and_zone_inside_the_vpc_and_apart(cidr: str, count: int) -> None:
    subnets = vpc_subnets(cidr, ZONES, count)
    networks = [IPv4Network(subnet["cidr"]) for subnet in subnets]

    assert [(subnet["tier"], subnet["zone"]) for subnet in subnets] == [(tier, zone) for tier in ("public", "private", "database") for zone in ZONES[:count]]
    assert all(network.subnet_of(IPv4Network(cidr)) for network in networks)
    assert not any(one.overlaps(other) for one, other in combinations(networks, 2))
    assert {network.prefixlen for network in networks} == {IPv4Network(cidr).prefixlen + 5}


def test_the_blocks_are_the_documented_ones() -> None:
    blocks = [subnet["cidr"] for subnet in vpc_subnets("10.0.0.0/16", ZONES, 2)]

    assert blocks == ["10.0.0.0/21", "10.0.8.0/21", "10.0.64.0/21", "10.0.72.0/21", "10.0.128.0/21", "10.0.136.0/21"]


def test_a_zone_that_is_added_moves_none() -> None:
    before = vpc_subnets("10.0.0.0/16", ZONES, 2)
    after = vpc_subnets("10.0.0.0/16", ZONES, 4, as_found(before))

    assert all(subnet in after for subnet in before)
    assert len(after) == 12


def test_a_zone_that_has_subnets_keeps_its_place_when_aws_lists_others_first() -> None:
    before = vpc_subnets("10.0.0.0/16", ["us-east-1c", "us-east-1b"], 2)

    assert vpc_subnets("10.0.0.0/16", ZONES, 2, as_found(before)) == before
    assert vpc_subnets("10.0.0.0/16", ["us-east-1b", "us-east-1c"], 2, as_found(before)) == before


def test_a_subnet_that_somebody_deleted_comes_back_where_it_was() -> None:
    before = vpc_subnets("10.0.0.0/16", ZONES, 2)

    assert vpc_subnets("10.0.0.0/16", ZONES, 2, as_found(before)[1:]) == before


def test_subnets_that_others_made_in_the_free_quarter_do_not_count() -> None:
    foreign = [{"cidr_block": "10.0.192.0/24", "availability_zone": "us-east-1f"}]

    assert vpc_subnets("10.0.0.0/16", ZONES, 2, foreign) == vpc_subnets("10.0.0.0/16", ZONES, 2)


@pytest.mark.parametrize(("zones", "count"), [(ZONES, 2), (["us-east-1a", "us-east-1b"], 2), (["us-east-1a", "us-east-1b", "us-east-1d"], 3)])
def test_a_zone_in_use_is_not_taken_away(zones: list[str], count: int) -> None:
    with pytest.raises(AnsibleFilterError, match=r"us-east-1c.* cannot be taken away"):
        vpc_subnets("10.0.0.0/16", zones, count, as_found(vpc_subnets("10.0.0.0/16", ZONES, 3)))


def test_more_zones_than_there_are_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="only us-east-1a, us-east-1b"):
        vpc_subnets("10.0.0.0/16", ZONES[:2], 3)


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/23", "10.0.0.1/16", "10.0.0/16", "fd00::/16", "", "ten"])
def test_a_block_that_does_not_fit_is_refused(cidr: str) -> None:
    assert not vpc_cidr(cidr)
    with pytest.raises(AnsibleFilterError, match="vpc_subnets: '"):
        vpc_subnets(cidr, ZONES, 2)


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.0.4.0/22"])
def test_a_block_that_fits(cidr: str) -> None:
    assert vpc_cidr(cidr)
