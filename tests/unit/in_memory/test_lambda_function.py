# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import io
import json
import zipfile

import botocore.client
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import lambda_function as module

NAME = "test"


def package(path, content: str) -> str:
    with zipfile.ZipFile(path, "w") as it:
        it.writestr("handler.py", content)
    return str(path)


@pytest.fixture
def options(cloud, tmp_path):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = cloud.client("iam").create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return {
        "name": NAME,
        "zip_file": package(tmp_path / "one.zip", "one"),
        "runtime": "python3.13",
        "handler": "handler.run",
        "role_arn": role,
        "environment": {"A": "1", "B": "2"},
        "verify_input": {"dry": True},
        "tags": {"a": "1"},
        "purge_tags": False,
    }


@pytest.fixture
def invocations(cloud, monkeypatch):
    """What new versions are invoked with; they answer what answers says, and work when it is empty."""
    seen = type("Seen", (), {"requests": [], "answers": []})()
    call = botocore.client.BaseClient._make_api_call

    def answering(client, operation, parameters):
        if operation != "Invoke":
            return call(client, operation, parameters)
        seen.requests.append(parameters)
        error = seen.answers.pop(0) if seen.answers else None
        answer = {"LogResult": base64.b64encode(b"START\nlast words").decode()}
        return answer | ({"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(error).encode())} if error else {})

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answering)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return seen


def live(cloud) -> str:
    return cloud.client("lambda").get_alias(FunctionName=NAME, Name="live")["FunctionVersion"]


def versions(cloud) -> list[str]:
    return [it["Version"] for it in cloud.client("lambda").list_versions_by_function(FunctionName=NAME)["Versions"]]


def test_a_function_is_created_once_verified_and_released(cloud, options, invocations) -> None:
    assert cloud.run(module, check=True, **options)["changed"]
    assert cloud.mutations == []

    first = cloud.run(module, **options)
    assert first["changed"]
    assert (first["function"]["live_version"], first["function"]["is_live"], first["function"]["tags"]) == ("1", True, {"a": "1"})
    [request] = invocations.requests
    assert (request["Qualifier"], json.loads(request["Payload"])) == ("1", {"dry": True})

    assert not cloud.run(module, **options)["changed"]
    assert cloud.mutations == []


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"timeout_seconds": 30}, "Timeout", 30),
        ({"memory_mib": 256}, "MemorySize", 256),
        ({"description": "x"}, "Description", "x"),
        ({"environment": {"A": "1"}}, "Environment", {"Variables": {"A": "1"}}),
        ({"environment": {}}, "Environment", {"Variables": {}}),
    ],
)
def test_a_changed_configuration_is_a_new_version(cloud, options, invocations, change, key, value) -> None:
    cloud.run(module, **options)
    assert cloud.run(module, check=True, **options | change)["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, **options | change)["changed"]
    assert live(cloud) == "2"
    found = cloud.client("lambda").get_function(FunctionName=NAME, Qualifier="live")["Configuration"]
    assert found.get(key, {"Variables": {}}) == value
    assert not cloud.run(module, **options | change)["changed"]


def test_changed_code_is_a_new_version(cloud, options, invocations, tmp_path) -> None:
    cloud.run(module, **options)
    changed = options | {"zip_file": package(tmp_path / "two.zip", "two")}
    assert cloud.run(module, check=True, **changed)["changed"]
    assert cloud.run(module, **changed)["function"]["live_version"] == "2"
    assert not cloud.run(module, **changed)["changed"]


def test_tags_alone_are_no_new_version_and_those_of_others_stay(cloud, options, invocations) -> None:
    cloud.run(module, **options)
    assert cloud.run(module, **options | {"tags": {"b": "2"}})["function"]["tags"] == {"a": "1", "b": "2"}
    assert live(cloud) == "1"
    assert len(invocations.requests) == 1
    assert cloud.run(module, **options | {"tags": {"b": "2"}, "purge_tags": True})["function"]["tags"] == {"b": "2"}


def test_a_version_that_fails_is_not_released(cloud, options, invocations) -> None:
    cloud.run(module, **options)
    changed = options | {"timeout_seconds": 9}
    for _run in range(2):  # the second run does not take it for released either
        invocations.answers = [{"errorType": "ImportError", "errorMessage": "no module"}]
        outcome = cloud.run(module, fails=True, **changed)
        assert outcome["msg"] == "Function test: version 2 fails, alias live stays at version 1: ImportError: no module"
        assert outcome["log"] == ["START", "last words"]
        assert live(cloud) == "1"
        assert cloud.run(module, check=True, **changed)["changed"]

    assert cloud.run(module, **changed)["function"]["live_version"] == "2"
    assert not cloud.run(module, **changed)["changed"]


def test_a_failed_change_can_be_taken_back(cloud, options, invocations) -> None:
    cloud.run(module, **options)
    invocations.answers = [{"errorMessage": "bad"}]
    cloud.run(module, fails=True, **options | {"timeout_seconds": 9})
    assert cloud.run(module, **options)["changed"]
    assert cloud.client("lambda").get_function(FunctionName=NAME, Qualifier="live")["Configuration"]["Timeout"] == 3
    assert not cloud.run(module, **options)["changed"]


def test_a_first_version_that_fails_has_no_alias(cloud, options, invocations) -> None:
    invocations.answers = [{"errorMessage": "bad"}]
    assert "there is no released version yet: Unhandled: bad" in cloud.run(module, fails=True, **options)["msg"]
    assert cloud.client("lambda").list_aliases(FunctionName=NAME)["Aliases"] == []
    assert cloud.run(module, **options)["function"]["is_live"]


def test_rights_that_are_not_everywhere_yet_are_waited_for(cloud, options, invocations) -> None:
    invocations.answers = [{"errorType": "ClientError", "errorMessage": "An error occurred (AccessDeniedException)"}]
    assert cloud.run(module, **options)["changed"]
    assert len(invocations.requests) == 2


def test_a_role_that_is_not_known_yet_is_waited_for(cloud, options, invocations, monkeypatch) -> None:
    left = [2]
    call = botocore.client.BaseClient._make_api_call

    def refusing(client, operation, parameters):
        if operation == "CreateFunction" and left[0]:
            left[0] -= 1
            message = "The role defined for the function cannot be assumed by Lambda."
            raise botocore.exceptions.ClientError({"Error": {"Code": "InvalidParameterValueException", "Message": message}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refusing)
    assert cloud.run(module, **options)["changed"]
    assert left == [0]


def test_without_an_input_no_version_is_invoked(cloud, options, invocations) -> None:
    del options["verify_input"]
    assert cloud.run(module, **options)["function"]["is_live"]
    assert invocations.requests == []


def test_old_versions_go(cloud, options, invocations) -> None:
    for seconds in (3, 4, 5):
        cloud.run(module, keep_versions=1, **options | {"timeout_seconds": seconds})
    # The one before is kept for as long as the alias may still be on its way
    assert versions(cloud) == ["$LATEST", "2", "3"]


def test_a_zip_file_does_not_become_an_image(cloud, options, invocations) -> None:
    cloud.run(module, **options)
    for key in ("zip_file", "runtime", "handler"):
        del options[key]
    assert "is made of a zip file and cannot become one of an image" in cloud.run(module, fails=True, image_uri="x:1", **options)["msg"]


def test_a_function_is_removed_once(cloud, options, invocations) -> None:
    cloud.run(module, **options)
    assert cloud.run(module, check=True, name=NAME, state="absent")["changed"]
    assert cloud.mutations == []
    assert cloud.run(module, name=NAME, state="absent")["changed"]
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert not cloud.run(module, name=NAME, state="absent")["changed"]


def test_a_function_from_an_image_changes_when_its_uri_does(cloud, options, invocations, monkeypatch) -> None:
    ecr = cloud.client("ecr")
    registry = ecr.create_repository(repositoryName="checks")["repository"]["repositoryUri"]
    for tag in ("1", "2"):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"digest": f"sha256:{tag}"},
            "layers": [],
        }
        ecr.put_image(repositoryName="checks", imageManifest=json.dumps(manifest), imageTag=tag)
    for key in ("zip_file", "runtime", "handler"):
        del options[key]
    image = options | {"image_uri": f"{registry}:1"}
    assert cloud.run(module, check=True, **image)["changed"]
    assert cloud.run(module, **image)["function"]["image_uri"] == f"{registry}:1"
    assert not cloud.run(module, **image)["changed"]
    assert cloud.mutations == []

    assert cloud.run(module, check=True, **image | {"image_uri": f"{registry}:2"})["changed"]
    # moto keeps the first image: the request is looked at
    requests = []
    monkeypatch.setattr(module.Function, "put", lambda _self, operation, **arguments: requests.append((operation, arguments)))
    cloud.run(module, **image | {"image_uri": f"{registry}:2"})
    assert requests == [("update_function_code", {"Architectures": ["x86_64"], "ImageUri": f"{registry}:2"})]
