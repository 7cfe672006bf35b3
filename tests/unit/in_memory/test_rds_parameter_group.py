# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import rds_parameter_group as module
from botocore.stub import Stubber

NAME = "test-postgres17"
ARN = "arn:aws:rds:eu-central-1:123456789012:pg:test-postgres17"
GROUP = {"DBParameterGroupName": NAME, "DBParameterGroupFamily": "postgres17", "DBParameterGroupArn": ARN}


def option(name: str, value: str | None = None, kind: str = "dynamic") -> dict[str, str]:
    return {"ParameterName": name, "ApplyType": kind, **({"ParameterValue": value} if value is not None else {})}


class Api:
    """RDS as a Stubber plays it: moto knows no reset and no kinds of parameters."""

    def __init__(self, cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        client = boto3.client("rds", region_name="eu-central-1")
        self.stub = Stubber(client)

        class Client:
            def __getattr__(self, operation: str) -> Any:
                return lambda aws_retry=False, **arguments: getattr(client, operation)(**arguments)

        monkeypatch.setattr(module.ParameterGroup, "client_for", lambda *_: Client())

    def is_there(self, *parameters: dict[str, str], tags: dict[str, str] | None = None) -> None:
        self.stub.add_response("describe_db_parameter_groups", {"DBParameterGroups": [GROUP]}, {"DBParameterGroupName": NAME})
        self.stub.add_response("describe_db_parameters", {"Parameters": list(parameters)}, {"DBParameterGroupName": NAME, "Source": "user"})
        self.stub.add_response(
            "list_tags_for_resource", {"TagList": [{"Key": key, "Value": value} for key, value in (tags or {}).items()]}, {"ResourceName": ARN}
        )

    def is_not_there(self) -> None:
        self.stub.add_client_error("describe_db_parameter_groups", "DBParameterGroupNotFound")

    def knows(self, *parameters: dict[str, str]) -> None:
        """All parameters of the family, on two pages."""
        self.stub.add_response("describe_db_parameters", {"Parameters": list(parameters[:1]), "Marker": "2"}, {"DBParameterGroupName": NAME})
        self.stub.add_response("describe_db_parameters", {"Parameters": list(parameters[1:])}, {"DBParameterGroupName": NAME, "Marker": "2"})

    def expects(self, operation: str, **arguments: Any) -> None:
        self.stub.add_response(operation, {}, arguments)

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"name": NAME, "family": "postgres17", **options}
        with self.stub:
            result = self.cloud.run(module, check=check, **given)
            self.stub.assert_no_pending_responses()
        return result


@pytest.fixture
def api(cloud, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(cloud, monkeypatch)


def changes(*entries: tuple[str, str | None, str]) -> dict[str, Any]:
    return {
        "DBParameterGroupName": NAME,
        "Parameters": [{"ParameterName": name, "ApplyMethod": method, **({"ParameterValue": value} if value else {})} for name, value, method in entries],
    }


def test_a_new_group_gets_its_parameters_static_ones_at_the_next_reboot(api: Api) -> None:
    api.is_not_there()
    api.expects("create_db_parameter_group", DBParameterGroupName=NAME, DBParameterGroupFamily="postgres17", Description="d", Tags=[{"Key": "a", "Value": "1"}])
    api.knows(option("rds.force_ssl"), option("max_connections", kind="static"))
    api.expects("modify_db_parameter_group", **changes(("rds.force_ssl", "1", "immediate"), ("max_connections", "200", "pending-reboot")))
    api.is_there(option("rds.force_ssl", "1"), option("max_connections", "200"), tags={"a": "1"})

    result = api.run(description="d", parameters={"rds.force_ssl": True, "max_connections": 200}, tags={"a": "1"})

    assert result["changed"]
    assert result["parameter_group"]["parameters"] == {"rds.force_ssl": "1", "max_connections": "200"}


def test_a_second_run_changes_nothing(api: Api) -> None:
    api.is_there(option("rds.force_ssl", "1"), tags={"a": "1", "other": "2"})

    assert not api.run(parameters={"rds.force_ssl": 1}, tags={"a": "1"}, purge_tags=False)["changed"]


def test_a_value_changes_and_one_that_is_no_longer_given_is_reset(api: Api) -> None:
    api.is_there(option("rds.force_ssl", "0"), option("work_mem", "8192"))
    api.knows(option("rds.force_ssl"), option("work_mem"))
    api.expects("modify_db_parameter_group", **changes(("rds.force_ssl", "1", "immediate")))
    api.expects("reset_db_parameter_group", **changes(("work_mem", None, "immediate")))
    api.is_there(option("rds.force_ssl", "1"))

    assert api.run(parameters={"rds.force_ssl": "1"})["changed"]


def test_more_than_twenty_parameters_are_sent_in_parts(api: Api) -> None:
    names = [f"parameter_{n:02}" for n in range(21)]
    api.is_there()
    api.knows(*map(option, names))
    api.expects("modify_db_parameter_group", **changes(*((name, "1", "immediate") for name in names[:20])))
    api.expects("modify_db_parameter_group", **changes((names[20], "1", "immediate")))
    api.is_there(*(option(name, "1") for name in names))

    assert api.run(parameters=dict.fromkeys(names, 1))["changed"]


def test_tags_change(api: Api) -> None:
    api.is_there(tags={"a": "1", "b": "2"})
    api.expects("remove_tags_from_resource", ResourceName=ARN, TagKeys=["b"])
    api.expects("add_tags_to_resource", ResourceName=ARN, Tags=[{"Key": "a", "Value": "3"}])
    api.is_there(tags={"a": "3"})

    assert api.run(tags={"a": "3"})["changed"]


def test_check_mode_predicts_and_writes_nothing(api: Api) -> None:
    # An operation that the Stubber does not expect fails
    api.is_there(option("rds.force_ssl", "0"))
    assert api.run(check=True, parameters={"rds.force_ssl": 1})["changed"]
    api.is_not_there()
    assert api.run(check=True, parameters={"rds.force_ssl": 1})["changed"]
    api.is_there()
    assert api.run(check=True, state="absent")["changed"]


def test_another_family_is_refused(api: Api) -> None:
    api.is_there()
    with api.stub:
        assert "give another name" in api.cloud.run(module, fails=True, name=NAME, family="postgres16")["msg"]


def test_it_is_removed_once(api: Api) -> None:
    api.is_there()
    api.expects("delete_db_parameter_group", DBParameterGroupName=NAME)
    assert api.run(state="absent")["changed"]
    api.is_not_there()
    assert not api.run(state="absent")["changed"]
