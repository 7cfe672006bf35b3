# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a module against moto in this process, and know which operations it called."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import botocore.client
import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from moto import mock_aws

REGION = "eu-central-1"
READING = ("Get", "List", "Describe")


class Exit(Exception):
    pass


class Cloud:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.calls: list[str] = []
        call = botocore.client.BaseClient._make_api_call

        def recording(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append(operation)
            return call(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recording)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)

    def run(self, module: ModuleType, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        """What the module exits with; with fails, what it fails with."""
        outcome: dict[str, Any] = {}

        def end(_module: Any, **result: Any) -> None:
            outcome.update(result)
            raise Exit

        self.calls.clear()
        with self.monkeypatch.context() as patched, patch_module_args({"_ansible_check_mode": check, **options}):
            patched.setattr(basic.AnsibleModule, "fail_json" if fails else "exit_json", end)
            with pytest.raises(Exit):
                module.main()
        return outcome

    @property
    def mutations(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(READING)]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    # Another test may have loaded the controller's side of Ansible, in which a module's warnings are shown and are no part of its result.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "in-memory")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_REGION", REGION)
    with mock_aws():
        yield Cloud(monkeypatch)
