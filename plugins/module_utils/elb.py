# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How target groups are found by their tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import boto3_tag_list_to_ansible_dict

AT_ONCE = 20  # DescribeTags takes no more


def target_groups_with(tags: dict[str, str], ask: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """The region's target groups that carry all of the tags, sorted by name. ask(operation, **arguments) answers with all pages."""
    names = {group["TargetGroupArn"]: group["TargetGroupName"] for group in ask("describe_target_groups").get("TargetGroups", [])}
    arns = list(names)
    described = [each for start in range(0, len(arns), AT_ONCE) for each in ask("describe_tags", ResourceArns=arns[start : start + AT_ONCE])["TagDescriptions"]]
    found = {each["ResourceArn"]: boto3_tag_list_to_ansible_dict(each["Tags"]) for each in described}
    groups = [{"target_group_name": names[arn], "target_group_arn": arn, "tags": found[arn]} for arn in found if tags.items() <= found[arn].items()]
    return sorted(groups, key=lambda group: group["target_group_name"])
