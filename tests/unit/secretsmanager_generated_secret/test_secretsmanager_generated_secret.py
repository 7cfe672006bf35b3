# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import string
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.modules import secretsmanager_generated_secret as module
from moto import mock_aws

NAME = "pulsegrid-test/secret"
MUTATING = ("Create", "Update", "Put", "Delete", "Restore", "Tag", "Untag")


class Exit(Exception):
    pass


class Cloud:
    """Secrets Manager in memory; calls holds the operations that the module made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = boto3.client("secretsmanager", region_name="eu-central-1")
        self.calls: list[str] = []
        self.monkeypatch = monkeypatch
        client_for = module.Secret.client_for

        def recording(secret: module.Secret, service: str) -> Any:
            client = client_for(secret, service)
            client.client.meta.events.register("before-call", lambda model, **more: self.calls.append(model.name))
            return client

        monkeypatch.setattr(module.Secret, "client_for", recording)

    def run(self, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        outcome: dict[str, Any] = {}

        def end(_module: Any, **result: Any) -> None:
            outcome.update(result)
            raise Exit

        self.calls.clear()
        with self.monkeypatch.context() as patched, patch_module_args({"name": NAME, "region": "eu-central-1", "_ansible_check_mode": check, **options}):
            patched.setattr(basic.AnsibleModule, "fail_json" if fails else "exit_json", end)
            with pytest.raises(Exit):
                module.main()
        return outcome

    @property
    def mutations(self) -> list[str]:
        return [call for call in self.calls if call.startswith(MUTATING)]

    @property
    def value(self) -> str:
        return self.client.get_secret_value(SecretId=NAME)["SecretString"]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for variable, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(variable, value)
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        yield Cloud(monkeypatch)


def test_a_value_is_generated_once(cloud: Cloud) -> None:
    first = cloud.run(length=40)
    value = cloud.value
    second = cloud.run(length=20)

    assert (first["changed"], second["changed"]) == (True, False)
    assert len(value) == 40
    assert cloud.value == value
    assert first["arn"] == second["arn"] == cloud.client.describe_secret(SecretId=NAME)["ARN"]
    assert first["name"] == NAME


def test_the_value_is_returned_only_when_asked_for(cloud: Cloud) -> None:
    silent = cloud.run()
    assert cloud.value not in json.dumps(silent)
    assert "GetSecretValue" not in cloud.calls

    assert cloud.run(return_value=True)["secret_string"] == cloud.value


def test_json_with_a_generated_key_and_plain_ones(cloud: Cloud) -> None:
    cloud.run(key="password", static={"username": "pulsegrid"})

    value = json.loads(cloud.value)
    assert value["username"] == "pulsegrid"
    assert len(value.pop("password")) == 32
    assert list(value) == ["username"]


def test_a_rotated_value_stays(cloud: Cloud) -> None:
    cloud.run(key="password", static={"username": "pulsegrid"})
    cloud.client.put_secret_value(SecretId=NAME, SecretString="rotated")

    assert cloud.run(key="password", static={"username": "other"})["changed"] is False
    assert cloud.value == "rotated"


def test_a_secret_without_a_value_gets_one(cloud: Cloud) -> None:
    cloud.client.create_secret(Name=NAME)

    assert cloud.run(check=True, return_value=True)["changed"] is True
    assert cloud.mutations == []
    assert cloud.run()["changed"] is True
    assert len(cloud.value) == 32
    assert cloud.run()["changed"] is False


def test_a_removed_secret_is_restored_with_its_value(cloud: Cloud) -> None:
    cloud.run()
    value = cloud.value
    assert cloud.run(state="absent", recovery_window_days=7)["changed"] is True
    assert cloud.run(state="absent")["changed"] is False

    predicted = cloud.run(check=True, return_value=True)
    assert predicted["changed"] is True
    assert "secret_string" not in predicted
    assert cloud.run(return_value=True)["secret_string"] == value
    assert cloud.mutations == ["RestoreSecret"]


def test_force_delete_removes_at_once_and_also_what_is_scheduled(cloud: Cloud) -> None:
    cloud.run()
    cloud.run(state="absent")

    assert cloud.run(state="absent", force_delete=True)["changed"] is True
    assert cloud.client.list_secrets(IncludePlannedDeletion=True)["SecretList"] == []
    assert cloud.run(state="absent", force_delete=True)["changed"] is False


def test_description_key_and_tags_change_in_place(cloud: Cloud) -> None:
    cloud.run(description="old", tags={"Application": "a", "Environment": "test"})
    value = cloud.value
    cloud.client.tag_resource(SecretId=NAME, Tags=[{"Key": "Owner", "Value": "somebody"}])

    options = {"description": "new", "kms_key_id": "1234abcd", "tags": {"Application": "b"}}
    assert cloud.run(**options, purge_tags=False)["secret"]["tags"] == {"Application": "b", "Environment": "test", "Owner": "somebody"}
    assert cloud.run(**options, purge_tags=False)["changed"] is False
    assert cloud.run(**options)["secret"]["tags"] == {"Application": "b"}
    described = cloud.client.describe_secret(SecretId=NAME)
    assert (described["Description"], described["KmsKeyId"]) == ("new", "1234abcd")
    assert cloud.value == value


def test_the_id_of_the_key_that_aws_names_by_arn_is_no_change(cloud: Cloud) -> None:
    cloud.run(kms_key_id="arn:aws:kms:eu-central-1:123456789012:key/1234abcd")

    assert cloud.run(kms_key_id="1234abcd")["changed"] is False


def test_check_mode_predicts_and_writes_nothing(cloud: Cloud) -> None:
    created = cloud.run(check=True, return_value=True, description="d")
    assert cloud.mutations == []
    assert cloud.calls == ["DescribeSecret"]
    assert created["changed"] is True
    assert created["arn"].startswith("arn:aws:secretsmanager:eu-central-1:000000000000:secret:pulsegrid-test/secret-")
    assert "secret_string" not in created
    assert created["diff"]["after"]["Description"] == "d"

    cloud.run(description="d")
    assert cloud.run(check=True, description="d", return_value=True)["secret_string"] == cloud.value
    assert cloud.run(check=True, description="other")["changed"] is True
    assert cloud.mutations == []
    assert cloud.run(check=True, state="absent")["changed"] is True
    assert cloud.mutations == []


@pytest.mark.parametrize("options", [{"length": 7}, {"length": 4097}, {"recovery_window_days": 31}, {"static": {"a": "b"}}])
def test_bad_options_are_refused_before_the_first_call(cloud: Cloud, options: dict[str, Any]) -> None:
    assert next(iter(options)) in cloud.run(fails=True, **options)["msg"]
    assert cloud.calls == []


def test_nothing_to_generate_from_is_refused(cloud: Cloud) -> None:
    assert "exclude_characters" in cloud.run(fails=True, exclude_characters=string.printable)["msg"]


def test_generated_characters() -> None:
    values = [module.generate(8, module.RESERVED) for _time in range(300)]

    assert set("".join(values)) <= set(string.ascii_letters + string.digits + "-._~")
    assert all(set(value) & set(kind) for value in values for kind in module.CLASSES)
    assert len(set(values)) == 300
    assert set(module.generate(64, string.ascii_letters + string.punctuation)) <= set(string.digits)
