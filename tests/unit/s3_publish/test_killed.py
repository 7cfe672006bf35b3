# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Killed with SIGKILL at each of its requests, before and after S3 executes it: what a browser sees is one release, and the next run completes it."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from .conftest import MANIFEST, Site


def build(release: str, **more: str) -> dict[str, str]:
    """As a React build makes it: a page, hashed assets that refer to others, and a few files of fixed names."""
    return {
        "index.html": f'<p>{release}<script src="/assets/app-{release}.js"></script><link href="/favicon.svg"><link href="/assets/same.css">',
        f"assets/app-{release}.js": f'{release} "/assets/chunk-{release}.js"',
        f"assets/chunk-{release}.js": release,
        "assets/same.css": "p {}",
        "favicon.svg": f"icon {release}",
        **more,
    }


A = build("A", **{"old.html": "old A"})
B = build("B", **{"new.html": "new B"})
C = build("C")


def look(served: dict[str, str], *releases: dict[str, str]) -> str:
    """What a browser sees: everything that the page refers to is there and of its release; a file of a fixed name is of one of the releases."""
    page = served["index.html"]
    release = next(it for it in releases if it["index.html"] == page)
    todo, seen = ["index.html"], set()
    while todo:
        path = todo.pop()
        assert path in served, f"the page refers to {path}"
        seen.add(path)
        assert served[path] in [it[path] for it in releases if path in it]
        if path.startswith("assets/"):
            assert served[path] == release[path]
        todo += [it for it in re.findall(r'"/([^"]+)"', served[path]) if it not in seen]
    return page


def publish(site: Site, release: dict[str, str], name: str, **options: Any) -> None:
    site.replace(release)
    assert "failed" not in site.publish(name=name, **options)


def states(site: Site, scenario: dict[str, Any]) -> Any:
    """The state before each kill, again and again."""
    for name, files in scenario["before"]:
        publish(site, files, name, releases=scenario.get("releases", 5))
    if scenario["files"]:
        site.replace(scenario["files"])
    return copy.deepcopy(site.s3.bucket.objects)


SCENARIOS = {
    "first": {"before": [], "files": A, "seen": [A], "after": A},
    "update": {"before": [("A", A)], "files": B, "seen": [A, B], "after": {**A, **B}},
    "update and purge": {"before": [("A", A), ("C", C)], "files": B, "seen": [C, B], "after": {**C, **B}, "releases": 2},
    "rollback": {"before": [("A", A), ("B", B)], "files": None, "seen": [A, B], "after": {**B, **A}},
}


@pytest.mark.parametrize(("concurrency", "executed"), [(4, False), (1, True)])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_site_is_one_release_and_the_next_run_completes_it(site: Site, scenario: dict[str, Any], concurrency: int, executed: bool) -> None:
    before = states(site, scenario)
    options = {"releases": scenario.get("releases", 5), "concurrency": concurrency}
    options |= {"release": {"name": "new"}} if scenario["files"] else {"restore": "previous"}
    kills = 0
    while True:
        site.s3.bucket.objects = copy.deepcopy(before)
        kills += 1
        was_killed = site.killed(kills, executed, **options)
        if "index.html" in site.served:
            look(site.served, *scenario["seen"])
        if was_killed:
            site.publish(**options)
        assert site.served == scenario["after"], f"killed at request {kills}"
        if scenario["files"]:
            assert not site.publish(**options)["changed"]
        assert look(site.served, *scenario["seen"]) == (scenario["files"] or A)["index.html"]
        if not was_killed:
            break
    assert kills > 8


@pytest.mark.parametrize("executed", [False, True])
def test_after_an_interrupted_publication_another_release_leaves_nothing_of_it_to_be_served(site: Site, executed: bool) -> None:
    publish(site, A, "A")
    before = copy.deepcopy(site.s3.bucket.objects)
    kills = 0
    while True:
        site.s3.bucket.objects = copy.deepcopy(before)
        kills += 1
        site.replace(B)
        was_killed = site.killed(kills, executed, release={"name": "B"}, concurrency=1)
        if not was_killed:
            break
        look(site.served, A, B)
        publish(site, C, "C")
        pages = {path: content for path, content in site.served.items() if not path.startswith("assets/")}
        finished = any(release["name"] == "B" for release in site.manifest["releases"])
        assert pages == {
            **{path: A[path] for path in ("old.html",)},
            **{path: C[path] for path in ("index.html", "favicon.svg")},
            **({"new.html": "new B"} if finished else {}),
        }
        assert look(site.served, C) == C["index.html"]
        assert not site.publish(name="C")["changed"]
        assert site.restore()["release"]["name"] == ("B" if finished else "A")
        assert look(site.served, B if finished else A)
    assert kills > 8


@pytest.mark.parametrize("executed", [False, True])
def test_a_rollback_undoes_what_an_interrupted_publication_did(site: Site, executed: bool) -> None:
    publish(site, C, "C")
    publish(site, A, "A")
    before = copy.deepcopy(site.s3.bucket.objects)
    for number in range(1, 100):
        site.s3.bucket.objects = copy.deepcopy(before)
        site.replace(B)
        if not site.killed(number, executed, release={"name": "B"}, concurrency=1):
            break
        served, name = site.served, site.manifest["releases"][0]["name"]
        touched = name == "A" and any(served[path] != A[path] for path in A)
        expected = "C" if name == "A" and not touched else "A"
        assert site.restore()["release"]["name"] == expected
        assert look(site.served, A if expected == "A" else C)
    assert number > 8


def test_at_no_request_of_a_run_is_it_a_mixture(site: Site) -> None:
    publish(site, A, "A")
    seen = set()
    site.s3.after = lambda number: seen.add(look(site.served, A, B))
    publish(site, B, "B")
    site.s3.after = lambda number: seen.add(look(site.served, A, B))
    site.restore()
    assert seen == {A["index.html"], B["index.html"]}
    assert MANIFEST in site.s3.bucket.listed()
