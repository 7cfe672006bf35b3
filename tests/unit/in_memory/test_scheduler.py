# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import botocore.exceptions
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import scheduler_schedule as schedule
from ansible_collections.pulsegrid.aws.plugins.modules import scheduler_schedule_group as group

ROLE = "arn:aws:iam::123456789012:role/schedule"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:failures"


@pytest.fixture
def options():
    return {
        "name": "test",
        "schedule_expression": "rate(5 minutes)",
        "target": {
            "arn": "arn:aws:lambda:eu-central-1:123456789012:function:test",
            "role_arn": ROLE,
            "input": {"b": [1, 2], "a": "x"},
            "dead_letter_arn": QUEUE,
            "maximum_retry_attempts": 2,
            "maximum_event_age_seconds": 300,
        },
    }


def found(cloud):
    return cloud.client("scheduler").get_schedule(Name="test", GroupName="default")


def test_a_schedule_is_created_once(cloud, options) -> None:
    assert cloud.run(schedule, check=True, **options)["changed"]
    assert cloud.mutations == []

    first = cloud.run(schedule, **options)
    assert first["changed"]
    assert not cloud.run(schedule, **options)["changed"]
    assert cloud.mutations == []
    it = found(cloud)
    assert first["schedule"]["arn"] == it["Arn"]
    assert (it["State"], it["FlexibleTimeWindow"], it["ScheduleExpressionTimezone"]) == ("ENABLED", {"Mode": "OFF"}, "UTC")
    assert json.loads(it["Target"]["Input"]) == {"a": "x", "b": [1, 2]}
    assert it["Target"]["DeadLetterConfig"] == {"Arn": QUEUE}
    assert it["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 300}


def test_an_input_is_compared_by_its_meaning(cloud, options) -> None:
    target = options["target"]
    cloud.run(schedule, **options | {"target": target | {"input": '{"a":   "x", "b": [1, 2]}'}})
    assert not cloud.run(schedule, **options | {"target": target | {"input": '{"b": [1,2], "a": "x"}'}})["changed"]
    assert cloud.run(schedule, **options | {"target": target | {"input": '{"b": [2,1], "a": "x"}'}})["changed"]


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"schedule_expression": "cron(0 8 * * ? *)"}, "ScheduleExpression", "cron(0 8 * * ? *)"),
        ({"enabled": False}, "State", "DISABLED"),
        ({"schedule_expression_timezone": "Europe/Berlin"}, "ScheduleExpressionTimezone", "Europe/Berlin"),
        ({"flexible_time_window_minutes": 5}, "FlexibleTimeWindow", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
    ],
)
def test_a_schedule_is_changed_in_place(cloud, options, change, key, value) -> None:
    cloud.run(schedule, **options)
    assert cloud.run(schedule, check=True, **options | change)["changed"]
    assert cloud.mutations == []
    assert cloud.run(schedule, **options | change)["changed"]
    assert found(cloud)[key] == value
    assert not cloud.run(schedule, **options | change)["changed"]


def test_what_is_no_longer_given_goes(cloud, options) -> None:
    cloud.run(schedule, **options)
    for key in ("input", "dead_letter_arn"):
        del options["target"][key]
    assert cloud.run(schedule, **options)["changed"]
    assert not {"Input", "DeadLetterConfig"} & found(cloud)["Target"].keys()
    assert not cloud.run(schedule, **options)["changed"]


def refusing(monkeypatch, message: str, times: int):
    """EventBridge Scheduler refuses the first times calls with this message."""
    left = [times]
    put_once = schedule.Schedule.put_once

    def put(self, operation, arguments):
        if left[0]:
            left[0] -= 1
            with monkeypatch.context() as patched:
                error = botocore.exceptions.ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)

                def refuse(**_arguments):
                    raise error

                patched.setattr(self, "client", type("Client", (), {operation: staticmethod(refuse)}))
                return put_once(self, operation, arguments)
        return put_once(self, operation, arguments)

    monkeypatch.setattr(schedule.Schedule, "put_once", put)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def test_a_role_that_is_not_known_yet_is_waited_for(cloud, options, monkeypatch) -> None:
    refusing(monkeypatch, "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.", 2)
    assert cloud.run(schedule, **options)["changed"]
    assert found(cloud)["Target"]["RoleArn"] == ROLE


def test_another_refusal_fails_at_once(cloud, options, monkeypatch) -> None:
    refusing(monkeypatch, "Invalid Schedule Expression rate(5 minute).", 1)
    outcome = cloud.run(schedule, fails=True, **options)
    assert outcome["msg"].startswith("Schedule test: could not create schedule")
    assert "Invalid Schedule Expression" in outcome["msg"]


def test_a_schedule_is_removed_once(cloud, options) -> None:
    cloud.run(schedule, **options)
    assert cloud.run(schedule, check=True, name="test", state="absent")["changed"]
    assert cloud.mutations == []
    assert cloud.run(schedule, name="test", state="absent")["changed"]
    assert cloud.client("scheduler").list_schedules()["Schedules"] == []
    assert not cloud.run(schedule, name="test", state="absent")["changed"]


def test_a_group_is_created_tagged_and_removed_with_its_schedules(cloud, options) -> None:
    tagged = {"name": "group", "tags": {"a": "1"}, "purge_tags": False}
    assert cloud.run(group, check=True, **tagged)["changed"]
    assert cloud.mutations == []
    arn = cloud.run(group, **tagged)["schedule_group"]["arn"]
    assert not cloud.run(group, **tagged)["changed"]
    cloud.run(schedule, group_name="group", **options)

    assert cloud.run(group, **tagged | {"tags": {"b": "2"}})["schedule_group"]["tags"] == {"a": "1", "b": "2"}
    assert cloud.run(group, **tagged | {"tags": {"b": "2"}, "purge_tags": True})["schedule_group"]["tags"] == {"b": "2"}
    assert cloud.client("scheduler").list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]

    assert cloud.run(group, name="group", state="absent")["changed"]
    assert not cloud.run(group, name="group", state="absent")["changed"]
    assert [it["Name"] for it in cloud.client("scheduler").list_schedule_groups()["ScheduleGroups"]] == ["default"]
