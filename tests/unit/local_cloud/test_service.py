"""The local cloud's deployments, without MiniStack: its own functions stand aside, and what the mend of one decides is seen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

LAUNCHER = Path(__file__).parents[3] / "roles/local_cloud/files/launcher"


@pytest.fixture
def ecs() -> Any:
    """Three deployments of one service, of which the newest rolls back to what the oldest runs; an address says how its target is."""
    deployments = [{"id": "rollback", "rolloutState": "IN_PROGRESS"}, {"id": "failed"}, {"id": "good"}]
    service = {"serviceName": "api", "clusterArn": "cluster", "deployments": deployments, "loadBalancers": [{"targetGroupArn": "group"}]}
    stopped: list[str] = []
    return SimpleNamespace(
        _PRE_STOP_STATUSES=("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"),
        _services={"cluster/api": service},
        _tasks={},
        _primary_deployment=lambda svc: svc["deployments"][0],
        _deployment_for_task=lambda svc, task: next(it for it in svc["deployments"] if it["id"] == task["deployment"]),
        _task_ip=lambda task: task["address"],
        _stop_task=lambda request: stopped.append(request["task"]),
        stopped=stopped,
    )


@pytest.fixture
def service(ecs: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    alb = SimpleNamespace(_tgs={"group": {"TargetGroupArn": "group"}})
    health = SimpleNamespace(state_of=lambda _group, target: SimpleNamespace(state=target["Id"]))
    monkeypatch.syspath_prepend(str(LAUNCHER))
    for name, stand_in in {"ministack": SimpleNamespace(), "ministack.services": SimpleNamespace(alb=alb, ecs=ecs), "health": health}.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    spec = importlib.util.spec_from_file_location("launcher_service", LAUNCHER / "service.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_room_for_a_rollback_is_made_by_tasks_that_serve_nobody(ecs: Any, service: ModuleType) -> None:
    of_the_failed = [("failed", "RUNNING", "initial"), ("failed", "ACTIVATING", None), ("failed", "STOPPED", None)]
    tasks = [("good", "RUNNING", "healthy"), *of_the_failed, ("rollback", "PENDING", None)]
    for deployment, status, address in tasks:
        name = f"{deployment} {status}"
        its = {"deployment": deployment, "lastStatus": status, "address": address}
        ecs._tasks[name] = {"taskArn": name, "group": "service:api", "clusterArn": "cluster", **its}

    service.unhealthy_tasks_make_room_first(lambda *_arguments: None)("cluster", "cluster/api")

    assert ecs.stopped == ["failed RUNNING", "failed ACTIVATING"]
