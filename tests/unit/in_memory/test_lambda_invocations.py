# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import json
import zipfile

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import lambda_concurrency as concurrency
from ansible_collections.pulsegrid.aws.plugins.modules import lambda_event_invoke_config as config

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:failures"


@pytest.fixture
def function(cloud):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = cloud.client("iam").create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    cloud.client("sqs").create_queue(QueueName="failures")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("handler.py", "")
    cloud.client("lambda").create_function(FunctionName="test", Runtime="python3.13", Role=role, Handler="handler.run", Code={"ZipFile": code.getvalue()})
    return "test"


def test_failures_go_to_the_queue(cloud, function) -> None:
    options = {"function_name": function, "maximum_retry_attempts": 0, "maximum_event_age_seconds": 60, "on_failure_arn": QUEUE}
    assert cloud.run(config, check=True, **options)["changed"]
    assert cloud.mutations == []
    assert cloud.run(config, **options)["changed"]
    assert not cloud.run(config, **options)["changed"]
    found = cloud.client("lambda").get_function_event_invoke_config(FunctionName=function)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)
    assert found["DestinationConfig"]["OnFailure"] == {"Destination": QUEUE}

    assert cloud.run(config, function_name=function, state="absent")["changed"]
    assert not cloud.run(config, function_name=function, state="absent")["changed"]


def test_the_queue_is_given_up(cloud, function, monkeypatch) -> None:
    """moto keeps the first configuration for ever: the request is looked at."""
    options = {"function_name": function, "maximum_retry_attempts": 1, "maximum_event_age_seconds": 60}
    cloud.run(config, on_failure_arn=QUEUE, **options)
    requests = []
    monkeypatch.setattr(config.EventInvokeConfig, "call", lambda _self, operation, **arguments: requests.append((operation, arguments)))
    assert cloud.run(config, **options)["changed"]
    [(operation, arguments)] = requests
    assert operation == "put_function_event_invoke_config"
    assert arguments["DestinationConfig"] == {"OnFailure": {}}
    assert arguments["MaximumRetryAttempts"] == 1


def test_a_function_that_is_not_there_yet_has_no_configuration(cloud) -> None:
    assert cloud.run(config, check=True, function_name="none", on_failure_arn=QUEUE)["changed"]
    assert cloud.run(concurrency, check=True, function_name="none", reserved_concurrent_executions=1)["changed"]
    assert not cloud.run(concurrency, function_name="none", state="absent")["changed"]


def test_the_concurrency_of_a_function_that_is_not_there_yet_can_wait(cloud, function) -> None:
    options = {"reserved_concurrent_executions": 2, "only_existing": True}
    left = cloud.run(concurrency, function_name="none", **options)
    assert (left["changed"], left["function_exists"], cloud.mutations) == (False, False, [])
    set_to = cloud.run(concurrency, function_name=function, **options)
    assert (set_to["changed"], set_to["function_exists"]) == (True, True)
    assert cloud.client("lambda").get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"] == 2


def test_concurrency_is_reserved_and_given_back(cloud, function) -> None:
    options = {"function_name": function, "reserved_concurrent_executions": 0}
    assert cloud.run(concurrency, check=True, **options)["changed"]
    assert cloud.mutations == []
    assert cloud.run(concurrency, **options)["changed"]
    assert not cloud.run(concurrency, **options)["changed"]
    assert cloud.client("lambda").get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"] == 0
    assert cloud.run(concurrency, **options | {"reserved_concurrent_executions": 2})["concurrency"] == {"reserved_concurrent_executions": 2}

    assert cloud.run(concurrency, function_name=function, state="absent")["changed"]
    assert "ReservedConcurrentExecutions" not in cloud.client("lambda").get_function_concurrency(FunctionName=function)
    assert not cloud.run(concurrency, function_name=function, state="absent")["changed"]
