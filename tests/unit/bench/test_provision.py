"""What the benchmark computes of provisions, without a cloud."""

from __future__ import annotations

import pytest
from bench import provision
from bench.section import Section, document
from e2e.conftest import Run

OURS, PEER = provision.OURS, provision.PEER


def played(seconds: float, calls: dict[str, float] | None = None, lines: list[tuple[float, str]] | None = None) -> provision.Played:
    calls = calls or {"ec2:DescribeVpcs": 1.0}
    return provision.Played(Run(0, lines or [], seconds), list(calls), [":Describe" in call for call in calls], list(calls.values()))


def test_the_longest_chain_is_what_comes_before_the_database_the_database_and_what_needs_it() -> None:
    run = played(
        50,
        {
            "ec2:DescribeVpcs": 0.5,
            "ec2:CreateVpc": 1.0,
            "rds:CreateDBInstance": 2.0,
            "elasticloadbalancing:CreateLoadBalancer": 5.0,
            "rds:DescribeDBInstances": 32.5,
            "ecs:CreateService": 33.0,
        },
    )
    chain = provision.chain(run, pace=0.05, latency_ms=60)

    assert provision.database_seconds(0.05) == pytest.approx(30)  # roles/local_cloud/files/launcher/pace.py
    assert (chain.network_requests, chain.service_requests) == (2, 1)
    assert chain.seconds == pytest.approx(30 + 3 * 0.06)


def test_a_task_takes_until_the_next_one_begins() -> None:
    run = Run(0, [(1.5, "TASK [pulsegrid.aws.vpc : There is a VPC] ***\n"), (2.0, "ok: [x]\n"), (4.0, "TASK [Again] ***\n"), (4.5, "PLAY RECAP ***\n")], 5.0)

    assert provision.tasks_of(run) == [("start of ansible-playbook", 1.5), ("vpc : There is a VPC", 2.5), ("Again", 0.5), ("end", 0.5)]


def test_a_task_that_runs_twice_has_two_lines_and_the_rest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "SLOWEST", 2)
    lines = [(1.0, "TASK [Twice] ***\n"), (4.0, "TASK [Twice] ***\n"), (6.0, "TASK [Once] ***\n"), (7.0, "PLAY RECAP ***\n")]

    assert provision.profile([played(7.0, lines=lines)])[2:] == ["| Twice | 3.00 s |", "| Twice | 2.00 s |", "| 3 others | 2.00 s |"]


def test_the_bounds_are_ratios_to_the_peer_and_to_the_chain() -> None:
    calls = {OURS: {"sts:DescribeA": 1.0}, PEER: {"sts:DescribeA": 1.0, "sts:DescribeB": 2.0}}
    found = {
        (latency, kind, playbook): [played(seconds, calls[playbook])] * 3
        for latency in provision.LATENCIES
        for kind in provision.KINDS
        for playbook, seconds in ((OURS, 3.0 + latency / 60), (PEER, 10.0))
    }
    held = {bound: (measured, holds) for bound, measured, holds in provision.bounds_again(found)}

    assert held["Second run, 0 ms a request: at most 0.30 of the official modules' time"] == ("0.30: 3.0 s of 10.0 s", True)
    assert held["Plan, 60 ms a request: at most 0.30 of the official modules' time"] == ("0.40: 4.0 s of 10.0 s", False)
    assert held["Plan: at most as many requests as the official modules"] == ("1; theirs 2", True)
    chains = [(played(seconds), provision.Chain(0, 30.0, 0, 60)) for seconds in (33.5, 30.0, 36.0)]
    assert provision.bounds_first(chains) == [("First provision: at most 1.10 of its longest chain", "1.12: 33.5 s of 30.0 s", False)]


def test_a_section_is_written_anew_and_the_others_stay() -> None:
    text = ""
    for title, seconds in (("One", 1), ("Two", 2), ("One", 3)):
        text = document(text, Section(title, [("fast", f"{seconds} s", seconds < 3)], [f"It took {seconds} s.", "", "### Why"]), ["a machine"])

    assert text.count("| Two | fast | 2 s | yes |") == text.count("| One | fast | 3 s | **no** |") == 1
    assert "1 s" not in text
    assert text.index("## Bounds") < text.index("## One\n\nIt took 3 s.\n\n### Why") < text.index("## Two\n\nIt took 2 s.")


def test_the_document_has_a_line_for_each_run_and_the_chain_that_was_computed() -> None:
    lines = [(1.0, "TASK [There is a VPC] ***\n"), (2.5, "PLAY RECAP ***\n")]
    found = {
        (latency, kind, playbook): [played(seconds, lines=lines)]
        for latency in provision.LATENCIES
        for kind in provision.KINDS
        for playbook, seconds in ((OURS, 3.0), (PEER, 12.0))
    }
    text = "\n".join(provision.document_again(found))
    assert f"| 60 ms | plan | `{PEER}` | 1 | 12.0 s | 12.0 - 12.0 s | 0.25 |" in text
    assert "| There is a VPC | 1.50 s |" in text

    text = "\n".join(provision.document_first([(played(36.0, lines=lines), provision.Chain(50, 30.0, 10, 60))]))
    assert "50 changes until the database is" in text
    assert "| 1 | 1 | 36.0 s | 33.6 s | 1.07 |" in text
