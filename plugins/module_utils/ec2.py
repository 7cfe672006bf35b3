# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules for EC2's resources share: tags, what a VPC has, and the run of those that keep several parts of a VPC."""

from __future__ import annotations

from typing import Any

from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)


class Ec2Resource(Resource):
    service = "ec2"

    def in_vpc(self, operation: str, key: str, filters: str = "Filters") -> list[dict[str, Any]]:
        """What is described of the VPC."""
        return self.call_all(operation, **{filters: [{"Name": "vpc-id", "Values": [self.params["vpc_id"]]}]})[key]

    @staticmethod
    def tags_of(resource: dict[str, Any]) -> dict[str, str]:
        return boto3_tag_list_to_ansible_dict(resource.get("Tags") or [])

    def tags_with(self, current: dict[str, str], **own: str) -> dict[str, str]:
        """The tags as they will be, with those that tell the resource from others."""
        wanted = self.wanted_tags({"Tags": current})
        return {**(current if wanted is None else wanted), **own}

    @staticmethod
    def new_tags(kind: str, tags: dict[str, str]) -> dict[str, Any]:
        """The argument with which a new resource has its tags from the beginning."""
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": ansible_dict_to_boto3_tag_list(tags)}]} if tags else {}

    def set_tags(self, identifier: str, current: dict[str, str], wanted: dict[str, str] | None) -> None:
        tags, removed = self.tag_changes({"Tags": current}, {"Tags": wanted})
        if removed:
            self.call("delete_tags", Resources=[identifier], Tags=[{"Key": key} for key in removed])
        if tags:
            self.call("create_tags", Resources=[identifier], Tags=ansible_dict_to_boto3_tag_list(tags))


Parts = dict[str, dict[str, Any]]


class PartsOfVpc(Ec2Resource):
    """Several parts of a VPC, each found by a key of its own. Those that are not asked for are left alone.

    identifier: where a part as AWS describes it has its ID.
    """

    identifier: str

    @property
    def name(self) -> str:
        return f"of {self.params['vpc_id']}"

    def parts(self) -> Parts:
        """All that the VPC has, by their keys."""
        raise NotImplementedError

    def shown(self, parts: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
        """What there is and what there should be of the parts that are asked for, in a form to compare and to show."""
        raise NotImplementedError

    def apply(self, before: dict[str, Any], after: dict[str, Any], parts: Parts) -> Parts:
        """Make it so; all parts that the VPC has then."""
        raise NotImplementedError

    def run(self) -> None:
        parts = self.parts()
        before, after = self.shown(parts)
        changed = before != after
        if changed and not self.module.check_mode:
            parts = self.apply(before, after, parts)
        self.end(changed, before, after, parts)

    def end(self, changed: bool, before: dict[str, Any], after: dict[str, Any], parts: Parts) -> None:
        self.module.exit_json(
            changed=changed,
            diff={"before": before, "after": after} if changed else {},
            **{self.result: {key: parts[key][self.identifier] for key in after if key in parts}},
        )
