from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.pulsegrid.aws.plugins.filter.short_name import short_name

# What AWS allows: a load balancer and a target group, a role and a function, a bucket and a database
LIMITS = [32, 63, 64]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_name_within_the_limit_stays(limit: int) -> None:
    assert short_name("p" * limit, limit) == "p" * limit


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("extra", [1, 2, 9, 200])
def test_a_longer_name_fits_and_is_always_the_same(limit: int, extra: int) -> None:
    name = "shop-production-" + "x" * (limit - 16 + extra)

    assert len(short_name(name, limit)) == limit
    assert short_name(name, limit) == short_name(name, limit)
    assert short_name(name, limit).startswith("shop-production-")


@pytest.mark.parametrize("limit", LIMITS)
def test_names_that_differ_beyond_the_limit_do_not_collide(limit: int) -> None:
    names = ["p" * limit + end for end in ("", "-api", "-web", "-worker-1", "-worker-2")]

    assert len({short_name(name, limit) for name in names}) == len(names)


def test_no_hyphen_is_doubled_where_the_cut_is() -> None:
    assert "--" not in short_name("a" * 23 + "--" + "b" * 30, 32)


def test_the_sample_of_the_documentation() -> None:
    assert short_name("a-product-with-a-long-name-production", 32) == "a-product-with-a-long-nam-30d1e1"


def test_a_limit_that_leaves_no_name_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="12 or more"):
        short_name("name", 11)
