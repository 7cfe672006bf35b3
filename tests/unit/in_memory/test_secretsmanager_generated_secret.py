# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import string
from typing import Any

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import secretsmanager_generated_secret as module

NAME = "pulsegrid-test/secret"


class Secret:
    """One secret of the cloud."""

    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.client = cloud.client("secretsmanager")

    def run(self, **options: Any) -> dict[str, Any]:
        return self.cloud.run(module, name=NAME, **options)

    @property
    def calls(self) -> list[str]:
        return self.cloud.calls

    @property
    def mutations(self) -> list[str]:
        return self.cloud.mutations

    @property
    def value(self) -> str:
        calls = list(self.calls)
        value = self.client.get_secret_value(SecretId=NAME)["SecretString"]
        self.cloud.calls[:] = calls
        return value


@pytest.fixture
def secret(cloud) -> Secret:
    return Secret(cloud)


def test_a_value_is_generated_once(secret: Secret) -> None:
    first = secret.run(length=40)
    value = secret.value
    second = secret.run(length=20)

    assert (first["changed"], second["changed"]) == (True, False)
    assert len(value) == 40
    assert secret.value == value
    assert first["arn"] == second["arn"] == secret.client.describe_secret(SecretId=NAME)["ARN"]
    assert first["name"] == NAME


def test_the_value_is_returned_only_when_asked_for(secret: Secret) -> None:
    silent = secret.run()
    assert secret.value not in json.dumps(silent)
    assert "GetSecretValue" not in secret.calls

    assert secret.run(return_value=True)["secret_string"] == secret.value


def test_json_with_a_generated_key_and_plain_ones(secret: Secret) -> None:
    secret.run(key="password", static={"username": "pulsegrid"})

    value = json.loads(secret.value)
    assert value["username"] == "pulsegrid"
    assert len(value.pop("password")) == 32
    assert list(value) == ["username"]


def test_a_rotated_value_stays(secret: Secret) -> None:
    secret.run(key="password", static={"username": "pulsegrid"})
    secret.client.put_secret_value(SecretId=NAME, SecretString="rotated")

    assert secret.run(key="password", static={"username": "other"})["changed"] is False
    assert secret.value == "rotated"


def test_a_secret_without_a_value_gets_one(secret: Secret) -> None:
    secret.client.create_secret(Name=NAME)

    assert secret.run(check=True, return_value=True)["changed"] is True
    assert secret.mutations == []
    assert secret.run()["changed"] is True
    assert len(secret.value) == 32
    assert secret.run()["changed"] is False


def test_a_removed_secret_is_restored_with_its_value(secret: Secret) -> None:
    secret.run()
    value = secret.value
    assert secret.run(state="absent", recovery_window_days=7)["changed"] is True
    assert secret.run(state="absent")["changed"] is False

    predicted = secret.run(check=True, return_value=True)
    assert predicted["changed"] is True
    assert "secret_string" not in predicted
    assert secret.run(return_value=True)["secret_string"] == value
    assert secret.mutations == ["RestoreSecret"]


def test_force_delete_removes_at_once_and_also_what_is_scheduled(secret: Secret) -> None:
    secret.run()
    secret.run(state="absent")

    assert secret.run(state="absent", force_delete=True)["changed"] is True
    assert secret.client.list_secrets(IncludePlannedDeletion=True)["SecretList"] == []
    assert secret.run(state="absent", force_delete=True)["changed"] is False


def test_description_key_and_tags_change_in_place(secret: Secret) -> None:
    secret.run(description="old", tags={"Application": "a", "Environment": "test"})
    value = secret.value
    secret.client.tag_resource(SecretId=NAME, Tags=[{"Key": "Owner", "Value": "somebody"}])

    options = {"description": "new", "kms_key_id": "1234abcd", "tags": {"Application": "b"}}
    assert secret.run(**options, purge_tags=False)["secret"]["tags"] == {"Application": "b", "Environment": "test", "Owner": "somebody"}
    assert secret.run(**options, purge_tags=False)["changed"] is False
    assert secret.run(**options)["secret"]["tags"] == {"Application": "b"}
    described = secret.client.describe_secret(SecretId=NAME)
    assert (described["Description"], described["KmsKeyId"]) == ("new", "1234abcd")
    assert secret.value == value


def test_the_id_of_the_key_that_aws_names_by_arn_is_no_change(secret: Secret) -> None:
    secret.run(kms_key_id="arn:aws:kms:eu-central-1:123456789012:key/1234abcd")

    assert secret.run(kms_key_id="1234abcd")["changed"] is False


def test_check_mode_predicts_and_writes_nothing(secret: Secret) -> None:
    created = secret.run(check=True, return_value=True, description="d")
    assert secret.mutations == []
    assert secret.calls == ["DescribeSecret"]
    assert created["changed"] is True
    assert created["arn"].startswith("arn:aws:secretsmanager:eu-central-1:000000000000:secret:pulsegrid-test/secret-")
    assert "secret_string" not in created
    assert created["diff"]["after"]["Description"] == "d"

    secret.run(description="d")
    assert secret.run(check=True, description="d", return_value=True)["secret_string"] == secret.value
    assert secret.run(check=True, description="other")["changed"] is True
    assert secret.mutations == []
    assert secret.run(check=True, state="absent")["changed"] is True
    assert secret.mutations == []


@pytest.mark.parametrize("options", [{"length": 7}, {"length": 4097}, {"recovery_window_days": 31}, {"static": {"a": "b"}}])
def test_bad_options_are_refused_before_the_first_call(secret: Secret, options: dict[str, Any]) -> None:
    assert next(iter(options)) in secret.run(fails=True, **options)["msg"]
    assert secret.calls == []


def test_nothing_to_generate_from_is_refused(secret: Secret) -> None:
    assert "exclude_characters" in secret.run(fails=True, exclude_characters=string.printable)["msg"]


def test_generated_characters() -> None:
    values = [module.generate(8, module.RESERVED) for _time in range(300)]

    assert set("".join(values)) <= set(string.ascii_letters + string.digits + "-._~")
    assert all(set(value) & set(kind) for value in values for kind in module.CLASSES)
    assert len(set(values)) == 300
    assert set(module.generate(64, string.ascii_letters + string.punctuation)) <= set(string.digits)
