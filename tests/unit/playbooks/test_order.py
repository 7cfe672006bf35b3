"""What must come before what in a role, where no emulator is slow or strict enough to show it."""

from __future__ import annotations

from typing import Any

import yaml

from ..conftest import CHECKOUT


def tasks(role: str, file: str) -> list[dict[str, Any]]:
    return yaml.safe_load((CHECKOUT / "roles" / role / "tasks" / f"{file}.yml").read_text())


def position(of: str, those: list[dict[str, Any]], **options: str) -> int:
    found = [number for number, task in enumerate(those) if of in task and all((task[of] or {}).get(key) == value for key, value in options.items())]
    assert found, f"there is no task {of} with {options}"
    return found[0]


def test_a_stopped_function_may_run_before_it_shows_that_it_works() -> None:
    present = tasks("lambda_healthcheck", "present")
    limit = position("pulsegrid.aws.lambda_concurrency", present)

    assert limit < position("ansible.builtin.include_tasks", present)
    assert present[limit]["pulsegrid.aws.lambda_concurrency"]["only_existing"] is True


def test_a_log_group_of_the_database_goes_when_aws_writes_it_no_more() -> None:
    wait = tasks("rds", "wait")

    assert position("ansible.builtin.include_tasks", wait) < position("pulsegrid.aws.cloudwatchlogs_log_group", wait, state="absent")
    assert not [task for task in tasks("rds", "present") if task.get("pulsegrid.aws.cloudwatchlogs_log_group", {}).get("state") == "absent"]


def test_the_records_of_traffic_are_the_first_of_a_flow_log_and_the_last_since_they_alone_are_looked_for() -> None:
    group = "pulsegrid.aws.cloudwatchlogs_log_group"
    kinds = ["amazon.aws.iam_managed_policy", "amazon.aws.iam_role", "pulsegrid.aws.ec2_flow_log"]
    present, absent = tasks("vpc", "flow_logs_present"), tasks("vpc", "flow_logs_absent")

    assert all(position(group, present) < position(kind, present) for kind in kinds)
    assert all(position(kind, absent) < position(group, absent) for kind in kinds)


def test_a_playbook_knows_the_outputs_of_each_role_that_has_some() -> None:
    known = yaml.safe_load((CHECKOUT / "playbooks/tasks/environment.yml").read_text())[-1]["ansible.builtin.set_fact"]
    roles = sorted(path.parents[1].name for path in (CHECKOUT / "roles").glob("*/meta/outputs.yml"))

    assert sorted(known) == sorted(["pulsegrid_caller", *(f"{role}_outputs" for role in roles)])
