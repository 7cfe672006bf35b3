# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of pulsegrid.aws share: describe a resource, compare it with what is wanted, apply the difference.

A module derives one class from Resource, says how its resource is found, created, updated and deleted, and calls run().
Check mode, diff, the error messages and the result are then the same everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    compare_aws_tags,
)

__all__ = ["TAG_OPTIONS", "Resource", "all_pages", "ansible_dict_to_boto3_tag_list", "boto3_tag_list_to_ansible_dict", "differs"]

# Of the argument_spec of a module with the documentation fragment amazon.aws.tags
TAG_OPTIONS = {
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
    "purge_tags": {"type": "bool", "default": True},
}

# The error codes with which AWS answers that an account's quota is used up, and the quota as Service Quotas names it
QUOTAS = {
    "AddressLimitExceeded": "EC2-VPC Elastic IPs (ec2, L-0263D0A3)",
    "NatGatewayLimitExceeded": "NAT gateways per Availability Zone (vpc, L-FE5A380F)",
    "RulesPerSecurityGroupLimitExceeded": "Inbound or outbound rules per security group (vpc, L-0EA8095F)",
    "SecurityGroupLimitExceeded": "VPC security groups per Region (vpc, L-E79EC296)",
    "TooManyDistributions": "Web distributions per AWS account (cloudfront, L-24B04930)",
    "TooManyLoadBalancers": "Application Load Balancers per Region (elasticloadbalancing, L-53DA6B97)",
    "TooManyTargetGroups": "Target Groups per Region (elasticloadbalancing, L-B22855CB)",
    "VpcEndpointLimitExceeded": "Interface VPC endpoints per VPC (vpc, L-29B6F2EB) or Gateway VPC endpoints per Region (vpc, L-1B52E74A)",
}


def differs(current: Any, wanted: Any) -> bool:
    """Whether wanted asks for anything that current is not.

    A dict is compared by the keys of wanted alone, so that what AWS adds by default is no difference. Lists are compared in order and length.
    """
    if isinstance(wanted, dict):
        return not isinstance(current, dict) or any(differs(current.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return not isinstance(current, (list, tuple)) or len(current) != len(wanted) or any(map(differs, current, wanted))
    return current != wanted


def all_pages(client: Any, operation: str, retry_codes: Sequence[str] = (), **arguments: Any) -> dict[str, Any]:
    """The answer, of all pages where it comes in pages."""

    @AWSRetry.jittered_backoff(retries=8, catch_extra_error_codes=list(retry_codes))
    def answer() -> dict[str, Any]:
        if client.can_paginate(operation):
            return client.get_paginator(operation).paginate(**arguments).build_full_result()
        return getattr(client, operation)(**arguments)

    return answer()


class Resource:
    """One AWS resource, as a module sees it.

    service: boto3's name of the service.
    kind: AWS's term for the resource, as error messages use it.
    result: the key under which the module returns the resource.
    not_found: error codes with which AWS says that the resource is not there.
    retry_codes: error codes that pass by themselves (besides throttling, which every call retries).
    """

    service: str
    kind: str
    result: str
    not_found: tuple[str, ...] = ()
    retry_codes: tuple[str, ...] = ()
    keep_case_of: tuple[str, ...] = ("Tags",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params = module.params
        self.client = self.client_for(self.service)

    def client_for(self, service: str) -> Any:
        return self.module.client(service, retry_decorator=AWSRetry.jittered_backoff(retries=8, catch_extra_error_codes=list(self.retry_codes)))

    # What a module says of its resource

    @property
    def name(self) -> str:
        return self.params["name"]

    def describe(self) -> dict[str, Any] | None:
        """The resource as AWS has it, in the shape of wanted(), with its tags as a dict under Tags; None where there is none."""
        raise NotImplementedError

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        """The properties as they should be; only what is given is compared."""
        raise NotImplementedError

    def create(self, wanted: dict[str, Any]) -> None:
        raise NotImplementedError

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        raise NotImplementedError

    def delete(self, current: dict[str, Any]) -> None:
        raise NotImplementedError

    # What all of them do

    def call(self, operation: str, doing: str | None = None, client: Any = None, **arguments: Any) -> dict[str, Any]:
        """Call the API with retries. An error ends the module and says which resource it was about and what was being done."""
        try:
            return getattr(client or self.client, operation)(aws_retry=True, **arguments)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.fail(error, doing or operation.replace("_", " "))
            raise  # fail does not return

    def call_all(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Like call(), with what all pages of the answer have."""
        try:
            return all_pages(self.client, operation, self.retry_codes, **arguments)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.fail(error, operation.replace("_", " "))
            raise

    def find(self, operation: str, client: Any = None, **arguments: Any) -> dict[str, Any] | None:
        """Like call(), but None where AWS says that there is no such resource (not_found)."""
        try:
            return getattr(client or self.client, operation)(aws_retry=True, **arguments)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in self.not_found:
                return None
            self.fail(error, operation.replace("_", " "))
            raise
        except botocore.exceptions.BotoCoreError as error:
            self.fail(error, operation.replace("_", " "))
            raise

    def fail(self, error: Exception, doing: str) -> None:
        """End the module with what AWS answered, and with the quota where one is used up."""
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        quota = f" (the account's quota is used up: {QUOTAS[code]})" if code in QUOTAS else ""
        self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {doing}{quota}")

    def wanted_tags(self, current: dict[str, Any] | None) -> dict[str, str] | None:
        """The tags as they will be; None where the task says nothing of tags."""
        tags = self.params.get("tags")
        if tags is None:
            return None
        tags = {key: str(value) for key, value in tags.items()}
        have = (current or {}).get("Tags") or {}
        return tags if self.params["purge_tags"] else {**have, **tags}

    def tag_changes(self, current: dict[str, Any], wanted: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
        """Tags to set and tag keys to remove."""
        if wanted.get("Tags") is None:
            return {}, []
        return compare_aws_tags(current.get("Tags") or {}, wanted["Tags"], purge_tags=True)

    def wait_until(self, done: Callable[[], Any], what: str, seconds: int, interval: float = 5) -> Any:
        """Poll until done() answers something true; fail with what was waited for when the time is over."""
        end = time.monotonic() + seconds
        while not (answer := done()):
            if time.monotonic() >= end:
                self.module.fail_json(msg=f"{self.kind} {self.name}: not {what} after {seconds} s")
            time.sleep(interval)
        return answer

    def exit(self, changed: bool, before: dict[str, Any] | None, after: dict[str, Any] | None, resource: dict[str, Any] | None, **more: Any) -> None:
        asked = after or {}
        shown = {key: value for key, value in (before or {}).items() if key in asked} if asked else (before or {})
        self.module.exit_json(
            changed=changed,
            diff={"before": shown, "after": asked} if changed else {},
            **{self.result: camel_dict_to_snake_dict(resource or {}, ignore_list=list(self.keep_case_of))},
            **more,
        )

    def run(self) -> None:
        current = self.describe()
        if self.params.get("state", "present") == "absent":
            if current is not None and not self.module.check_mode:
                self.delete(current)
            self.exit(current is not None, current, None, None)
            return
        wanted = {key: value for key, value in self.wanted(current).items() if value is not None}
        changed = current is None or differs(current, wanted) or any(self.tag_changes(current, wanted))
        if not changed:
            self.exit(False, current, wanted, current)
        elif self.module.check_mode:
            self.exit(True, current, wanted, {**(current or {}), **wanted})
        else:
            if current is None:
                self.create(wanted)
            else:
                self.update(current, wanted)
            self.exit(True, current, wanted, self.describe())
