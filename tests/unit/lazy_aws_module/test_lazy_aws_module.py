# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.exceptions
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule, aws_argument_spec
from ansible_collections.pulsegrid.aws.plugins.module_utils.lazy_aws_module import CONNECTION_OPTIONS, LazyAWSModule

OPTIONS = {"region": "eu-central-1", "access_key": "nobody", "secret_key": "nobody", "endpoint_url": "http://127.0.0.1:9", "name": "x"}


@contextmanager
def made(**options: Any) -> Iterator[LazyAWSModule]:
    with patch_module_args({**OPTIONS, **options}):
        yield LazyAWSModule({"name": {"type": "str"}}, supports_check_mode=True)


def test_the_options_are_those_of_amazon_aws() -> None:
    assert aws_argument_spec() == CONNECTION_OPTIONS


def test_clients_are_those_of_amazon_aws() -> None:
    with made() as module:
        client = module.client("s3")

    assert module.params["name"] == "x"
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-central-1", "http://127.0.0.1:9")
    assert AnsibleAWSModule.default_settings["module_class"] is not None
    assert isinstance(module.aws, AnsibleAWSModule)
    assert module.aws.params is module.params


def test_an_error_of_aws_is_told_as_amazon_aws_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    error = botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
    with made() as module, pytest.raises(SystemExit):
        module.fail_json_aws(error, msg="could not publish")
    result = json.loads(capsys.readouterr().out)

    assert result["failed"]
    assert result["error"] == {"code": "AccessDenied", "message": "no"}
    assert result["msg"].startswith("could not publish: ")


def test_with_logs_of_botocore_the_result_has_the_actions(capsys: pytest.CaptureFixture[str]) -> None:
    with made(debug_botocore_endpoint_logs=True) as module, pytest.raises(SystemExit):
        module.exit_json(changed=False)

    assert json.loads(capsys.readouterr().out)["resource_actions"] == []
