"""The stand-in answers what a real AWX 24.6.1 answered."""

from __future__ import annotations

from .stand_in import Awx, Json, recorded


def whole(answer: object, shown: dict[str, Json]) -> object:
    """The recording names an object by its URL alone where it was shown before and is the same."""
    if isinstance(answer, dict) and "results" in answer:
        return {**answer, "results": [shown[it] if isinstance(it, str) else it for it in answer["results"]]}
    return answer


def comparable(answer: object) -> object:
    """Without the numbers of roles, and what the recording has no more of."""
    if isinstance(answer, dict) and "results" in answer:
        return {**answer, "results": [comparable(it) for it in answer["results"]]}
    if isinstance(answer, dict) and "url" in answer:
        roles = {name: role["name"] for name, role in answer["summary_fields"].get("object_roles", {}).items()}
        dated = {"scm_revision", "dtstart", "next_run", "status"}
        return {key: value for key, value in answer.items() if key not in dated} | {"summary_fields": roles}
    return answer


def test_each_recorded_request_gets_the_recorded_answer() -> None:
    awx = Awx(playbooks=("site.yml", "deploy_backend.yml", "deploy_frontend.yml"), polls=0)
    shown: dict[str, Json] = {}
    compared = 0
    for exchange in recorded():
        target = exchange["path"] + ("?" + exchange["query"] if "query" in exchange else "")
        status, answer = awx.answer(exchange["method"], target, exchange.get("request"))
        expected = whole(exchange.get("response"), shown)
        if isinstance(expected, dict):
            shown |= {it["url"]: it for it in expected.get("results", [expected]) if "url" in it}
        assert status == exchange["status"], (target, answer)
        assert comparable(answer) == comparable(expected), target
        compared += 1
    assert compared > 80
