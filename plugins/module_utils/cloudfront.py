# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the CloudFront modules share: lists in pages, writes guarded by ETags, and AWS's spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

try:
    import botocore
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource

__all__ = ["CloudFrontResource", "find_distribution", "to_api"]

STALE = ("PreconditionFailed", "InvalidIfMatchVersion")
TRIES = 3


def to_api(shape: Any, value: Any) -> Any:
    """Options in AWS's spelling, after botocore's model of the API.

    A list becomes the counted structure into which CloudFront wraps its lists; an option that is not given is left out.
    """
    if shape.type_name == "structure":
        if isinstance(value, list):
            return {"Quantity": len(value), "Items": to_api(shape.members["Items"], value)}
        members = {botocore.xform_name(name): name for name in shape.members}
        return {members[key]: to_api(shape.members[members[key]], item) for key, item in value.items() if item is not None}
    if shape.type_name == "list":
        return [to_api(shape.member, item) for item in value]
    return value


def find_distribution(name: str, comment: str, ask: Callable[..., dict[str, Any]]) -> dict[str, Any] | None:
    """The distribution whose caller reference has the name; those with the comment are looked at first, since a list does not tell references.

    ask(operation, **arguments) answers with all pages, or with nothing where a distribution is gone.
    """
    summaries = ask("list_distributions").get("DistributionList", {}).get("Items") or []
    for summary in sorted(summaries, key=lambda item: item["Comment"] != comment):
        distribution = ask("get_distribution", Id=summary["Id"]).get("Distribution")
        if distribution and distribution["DistributionConfig"]["CallerReference"].rpartition("/")[0] == name:
            return distribution
    return None


class CloudFrontResource(Resource):
    service = "cloudfront"
    # What is still attached to a distribution that was deleted a moment ago cannot be deleted yet.
    retry_codes = ("FunctionInUse", "OriginAccessControlInUse", "ResponseHeadersPolicyInUse")
    # What only AWS can say of a resource that check mode would create, in a form that passes where it is used.
    placeholder: Mapping[str, str] = MappingProxyType({})

    def shape(self, name: str) -> Any:
        return self.client.meta.service_model.shape_for(name)

    def listed(self, operation: str, answer: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, str] = {}
        while True:
            page = self.call(operation, **marker)[answer]
            yield from page.get("Items") or []
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    def replace(
        self,
        read: str,
        write: str,
        key: dict[str, str],
        arguments: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: {},
        **reading: str,
    ) -> dict[str, Any]:
        """Write what arguments() makes of the present state. When another writer was quicker (the ETag is stale), read again and repeat."""
        for attempt in range(1, TRIES + 1):
            present = self.call(read, **key, **reading)
            try:
                return getattr(self.client, write)(aws_retry=True, **key, IfMatch=present["ETag"], **arguments(present))
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else ""
                if code not in STALE or attempt == TRIES:
                    self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {write.replace('_', ' ')}")
        raise AssertionError("unreachable")

    def exit(self, changed: bool, before: dict[str, Any] | None, after: dict[str, Any] | None, resource: dict[str, Any] | None, **more: Any) -> None:
        if resource is not None and self.module.check_mode:
            resource = {**self.placeholder, **resource}
        super().exit(changed, before, after, resource, **more)
