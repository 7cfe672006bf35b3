# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long AWS takes, and where a resource is on its way.

MiniStack finishes everything at once, and its records say so. What is under way is known here alone, and only until MiniStack ends: after a restart, what was
on its way has arrived.

Durations are what people saw on AWS. "Logs" are Terraform's messages ("Creation complete after 2m4s") in public GitHub repositories.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

FACTOR = float(os.environ.get("PULSEGRID_PACE", "0"))


@dataclass(frozen=True)
class Way:
    """The states in order, each with AWS's seconds. After the last one, the resource is what MiniStack's record says."""

    states: tuple[tuple[str, float], ...]
    source: str


WAYS = {
    "database created": Way(
        (("creating", 360), ("backing-up", 240)),
        "5 to 8.5 minutes in 7 logs, of instances without a standby; up to 10 minutes in govuk-paas/paas-cf#445. The first backup follows, during which the "
        "endpoint is known: hashicorp/terraform#1097",
    ),
    "database modified": Way(
        (("available", 10), ("modifying", 110)),
        "an estimate. The status follows the answer late",
    ),
    "database deleted": Way((("deleting", 195),), "3 min 15 s in 2 logs; more than 11 minutes in binbashar/le-tf-infra-aws#359"),
    "NAT gateway created": Way((("pending", 120),), "85 to 125 s in 8 logs"),
    "NAT gateway deleted": Way((("deleting", 60),), "37 to 79 s in 9 logs"),
    "interface endpoint created": Way((("pending", 60),), "an estimate"),
    "interface endpoint deleted": Way((("deleting", 60),), "an estimate"),
    "load balancer created": Way((("provisioning", 170),), "135 to 176 s in 7 logs"),
    "load balancer deleted": Way((("releasing", 60),), "an estimate. It is gone at once, its network interfaces are not"),
    "distribution deployed": Way((("InProgress", 200),), "3 min 15 s: binbashar/le-tf-infra-aws#408. Every change is deployed anew"),
    "invalidation created": Way((("InProgress", 60),), "60 to 300 s: thequickadvisor.com/?p=1455694"),
    "certificate requested": Way(
        (("REQUESTED", 5), ("PENDING_VALIDATION", 60)),
        "1 min 1 s in a log, once the DNS record was there. At first the record to make is unknown: dylburger/create-and-validate-acm-certificate#11",
    ),
    "task started": Way((("PROVISIONING", 15), ("PENDING", 15)), "an estimate, of Fargate; the states: ECS Developer Guide, task lifecycle"),
    "task stopped": Way((("DEACTIVATING", 5), ("DEPROVISIONING", 15)), "an estimate, of Fargate; the states: ECS Developer Guide, task lifecycle"),
}


def now() -> float:
    return time.monotonic()


@dataclass
class UnderWay:
    states: tuple[tuple[str, float], ...]
    began: float = field(default_factory=now)
    of: dict[str, Any] = field(default_factory=dict)  # the record of a resource that MiniStack has forgotten

    def state(self) -> str | None:
        elapsed = time.monotonic() - self.began
        for state, duration in self.states:
            elapsed -= seconds(duration)
            if elapsed < 0:
                return state
        return None


_under_way: dict[str, UnderWay] = {}


def seconds(of_aws: float) -> float:
    return of_aws * FACTOR


def begin(resource: str, way: str, of: dict[str, Any] | None = None) -> None:
    _under_way[resource] = UnderWay(WAYS[way].states, of=of or {})


def drain(target: str, delay: float, of: dict[str, Any]) -> None:
    """A target's deregistration delay is the user's own."""
    _under_way[target] = UnderWay((("draining", delay),), of=of)


def end(resource: str) -> None:
    _under_way.pop(resource, None)


def state(resource: str, arrived: str) -> str:
    """What AWS would say; `arrived` is what MiniStack says."""
    on_its_way = _under_way.get(resource)
    found = on_its_way.state() if on_its_way else None
    if found is None:
        _under_way.pop(resource, None)
    return arrived if found is None else found


def leaving(*states: str) -> list[dict[str, Any]]:
    """The records of what is in one of these states on its way out."""
    return [it.of for it in list(_under_way.values()) if it.of and it.state() in states]


def forget() -> None:
    _under_way.clear()
