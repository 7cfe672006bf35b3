"""The benchmark's own code, with a small site."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import __main__ as bench
from bench import rollout
from bench.section import Section, document
from bench.site import OTHERS, build

FILES = 60


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bench.Bench]:
    if not shutil.which("go"):
        pytest.skip("the endpoint is written in Go")
    monkeypatch.setenv("PYTHONPATH", str(bench.CHECKOUT / ".collections"))
    subprocess.run(["go", "build", "-o", tmp_path / "endpoint", "."], cwd=bench.CHECKOUT / "tests/bench/endpoint", check=True)
    made = bench.Bench(tmp_path, tmp_path / "endpoint")
    yield made
    made.endpoint.end()


def test_the_module_publishes_to_the_endpoint_in_as_many_requests_as_are_allowed(small: bench.Bench, tmp_path: Path) -> None:
    for tool in (bench.OURS, bench.COLD):
        bucket = bench.bucket_of(tool)
        small.endpoint.ask("PUT", f"/{bucket}")
        for name, changed, most in (("first", 0, FILES + 5), ("again", 0, 3), ("changed", 5, 5 + 5)):
            build(tmp_path / name, FILES, 400_000, changed)
            run = small.run(tool, tmp_path / name, bucket)

            assert 0 < run.requests <= most
            assert 10 < run.mib < 150
            assert 0 < run.cpu < 20


def test_the_memory_is_the_commands_and_not_the_benchs(tmp_path: Path) -> None:
    ballast = b"x" * (300 << 20)
    line = [*bench.TIMED, tmp_path / "took.json", sys.executable, "-c", "held = b'x' * (50 << 20)"]
    subprocess.run(line, check=True)

    assert len(ballast) > 300e6
    assert 50 < json.loads((tmp_path / "took.json").read_text())["mib"] < 100


def test_what_is_missing_in_the_bucket_is_noticed(small: bench.Bench, tmp_path: Path) -> None:
    build(tmp_path / "site", FILES, 400_000)
    small.endpoint.ask("PUT", "/bucket")
    with pytest.raises(SystemExit, match="nobody did not upload"):
        small.prove("nobody", tmp_path / "site", "bucket")


def test_a_build_is_the_same_again_and_has_as_many_changes_as_were_asked_for(tmp_path: Path) -> None:
    files = []
    for changed in (0, 0, 5):
        build(tmp_path / "site", FILES, 400_000, changed)
        files.append({str(path.relative_to(tmp_path)): path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()})

    assert len(files[0]) == FILES
    assert OTHERS.keys() <= {Path(name).name for name in files[0]}
    assert files[0] == files[1]
    assert len(files[2].items() - files[0].items()) == 5


def test_the_document_says_which_bounds_do_not_hold() -> None:
    found = {
        (delay, situation, tool): [] if delay and tool == bench.ONE_BY_ONE else [bench.Run(2.0 if tool == bench.OURS else 1.5, 1.0, 100, 3)]
        for delay, situations in bench.DELAYS.items()
        for situation in situations
        for tool in bench.COMMANDS
    }
    many = dict.fromkeys(("first", "unchanged"), bench.Run(9.0, 9.0, 149, 3))
    rolled = dict.fromkeys((rollout.OURS, rollout.PEER), [rollout.Rollout(4.5, 2.0, ["ecs:DescribeServices", rollout.UPDATE], [], 9)])
    publication = Section("Publication", bench.bounds(found, many), bench.publication_document(found, many, {"Python": [0.02]}))
    text = document(document("", Section("Rollout", rollout.bounds(rolled, [5.5]), rollout.document(rolled, [5.5])), []), publication, ["a machine"])

    assert "| Publication | First upload, 40 ms: no slower than the fastest peer | 2.00 s (1.50 s with the start of Python); s5cmd 1.50 s | **no** |" in text
    assert "| Rollout | A deploy that has nothing to change: under 5 s | 5.50 s | **no** |" in text
    assert "| Rollout | Rollout: at most 6 calls of ECS besides polling | 2; ecs-deploy 2 | yes |" in text
    assert "| Rollout | Rollout: under 3 s of its own time until UpdateService | 2.50 s; ecs-deploy 2.50 s | yes |" in text
    assert "one request after the other takes" in text


def test_requests_at_the_same_time_are_waited_for_once() -> None:
    assert rollout.union([[2, 4], [1, 3], [5, 6], [7, 9], [11, 12]], 8) == 5
