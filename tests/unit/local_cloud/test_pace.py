"""The local cloud's pace and distance: durations and clock, without MiniStack (the scenario pace has it)."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

LAUNCHER = Path(__file__).parents[3] / "roles/local_cloud/files/launcher"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"launcher_{name}", LAUNCHER / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def pace(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("PULSEGRID_PACE", "0.5")
    return module("pace")


def test_a_database_passes_through_its_states(pace: ModuleType, clock: list[float]) -> None:
    pace.begin("db", "database created")
    seen = []
    for clock[0] in (1000.0, 1179.0, 1181.0, 1299.0, 1301.0):  # half of 360 s, then half of 240 s
        seen.append(pace.state("db", "available"))
    assert seen == ["creating", "creating", "backing-up", "backing-up", "available"]


def test_a_change_begins_anew(pace: ModuleType, clock: list[float]) -> None:
    pace.begin("it", "distribution deployed")
    clock[0] += 99
    pace.begin("it", "distribution deployed")
    clock[0] += 99
    assert pace.state("it", "Deployed") == "InProgress"
    clock[0] += 2
    assert pace.state("it", "Deployed") == "Deployed"


def test_what_is_deleted_is_leaving_until_it_is_gone(pace: ModuleType, clock: list[float]) -> None:
    pace.begin("nat", "NAT gateway deleted", {"name": "nat"})
    pace.drain("target", 300, {"name": "target"})
    assert [it["name"] for it in pace.leaving("deleting")] == ["nat"]
    clock[0] += 31
    assert pace.leaving("deleting") == []
    assert [it["name"] for it in pace.leaving("deleting", "draining")] == ["target"]


def test_nothing_is_pending_for_ever(pace: ModuleType, clock: list[float]) -> None:
    """A wall clock that is set, or MiniStack started anew: what the record says counts."""
    pace.begin("lb", "load balancer created")
    pace.forget()
    assert pace.state("lb", "active") == "active"


def test_without_a_pace_everything_is_immediate(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    monkeypatch.delenv("PULSEGRID_PACE", raising=False)
    pace = module("pace")
    for way in pace.WAYS:
        pace.begin("it", way, {"name": "it"})
        assert pace.state("it", "there") == "there"


def test_each_duration_has_a_source(pace: ModuleType) -> None:
    for way in pace.WAYS.values():
        assert way.source
        assert all(duration > 0 for _state, duration in way.states)


def test_like_aws_the_main_ones_take_minutes(pace: ModuleType) -> None:
    lasting = {name: sum(duration for _state, duration in way.states) for name, way in pace.WAYS.items()}
    assert lasting["database created"] == 600
    assert lasting["NAT gateway created"] == 120
    assert lasting["load balancer created"] == 170
    assert lasting["distribution deployed"] == 200


def test_signed_requests_are_delayed_together() -> None:
    async def answer(scope, receive, send) -> None:
        answered.append(time.monotonic() - began)

    answered: list[float] = []
    application = module("latency").far_away(answer, 0.2)
    signed = {"type": "http", "headers": [(b"authorization", b"AWS4-HMAC-SHA256 Credential=...")]}

    async def twenty() -> None:
        await asyncio.gather(*(application(signed, None, None) for _number in range(20)), application({"type": "http", "headers": []}, None, None))

    began = time.monotonic()
    asyncio.run(twenty())
    assert answered[0] < 0.1  # a viewer's
    assert all(it >= 0.19 for it in answered[1:])
    assert time.monotonic() - began < 2  # one after the other: 4 s
