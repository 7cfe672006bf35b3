#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_parameter_group
version_added: 0.1.0
short_description: Manage a DB parameter group and its parameters
description:
  - A DB parameter group with exactly the given parameters; every other one has the engine's default.
  - A dynamic parameter is applied at once. A static one, and any whose kind AWS does not say, waits for the next reboot of the instances.
  - M(amazon.aws.rds_instance_param_group) does not predict changed parameters in check mode, answers ok when a parameter does not exist, sends the same apply
    method for static and dynamic parameters, and never resets one that is no longer given.
options:
  name:
    description: Name of the group.
    type: str
    required: true
  family:
    description: The group's family, such as C(postgres17). Required when O(state=present). It cannot be changed.
    type: str
  description:
    description: What the group is for. It cannot be changed, and is only used for a new group.
    type: str
    default: Managed by Ansible
  parameters:
    description: Values by name of the parameter, as the engine writes them (C(1) for on).
    type: dict
    default: {}
  state:
    description: Whether the group is there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the parameters before and after.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Connections without TLS are refused and slow statements are logged
  pulsegrid.aws.rds_parameter_group:
    name: pulsegrid-production-postgres17
    family: postgres17
    parameters:
      rds.force_ssl: 1
      log_min_duration_statement: 500
"""

RETURN = r"""
parameter_group:
  description: The group; empty when it is absent.
  returned: success
  type: dict
  contains:
    arn:
      description: Its ARN; missing in check mode for one that is not there yet.
      type: str
      sample: arn:aws:rds:us-east-1:123456789012:pg:pulsegrid-production-postgres17
    family:
      description: Its family.
      type: str
      sample: postgres17
    parameters:
      description: The parameters that differ from the engine's default by a user's wish.
      type: dict
      sample: {"rds.force_ssl": "1"}
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

# What one call takes
MOST_PARAMETERS = 20


def text(value: Any) -> str:
    """A parameter's value as AWS writes it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


class ParameterGroup(Resource):
    service = "rds"
    kind = "DB parameter group"
    result = "parameter_group"
    not_found = ("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault")
    # An instance that was just deleted may still have the group for a moment
    retry_codes = ("InvalidDBParameterGroupState",)
    keep_case_of = ("Tags", "Parameters")

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_db_parameter_groups", DBParameterGroupName=self.name)
        groups = (found or {}).get("DBParameterGroups")
        if not groups:
            return None
        arn = groups[0]["DBParameterGroupArn"]
        return {
            "Arn": arn,
            "Family": groups[0]["DBParameterGroupFamily"],
            "Parameters": {it["ParameterName"]: it["ParameterValue"] for it in self.parameters(Source="user") if "ParameterValue" in it},
            "Tags": boto3_tag_list_to_ansible_dict(self.call("list_tags_for_resource", ResourceName=arn)["TagList"]),
        }

    def parameters(self, **arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self.call("describe_db_parameters", DBParameterGroupName=self.name, **arguments, **more)
            found += page["Parameters"]
            if not page.get("Marker"):
                return found
            more = {"Marker": page["Marker"]}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        wanted = {name: text(value) for name, value in self.params["parameters"].items()}
        # differs() compares the keys of what is wanted: a parameter to reset is one that is wanted as nothing
        reset = dict.fromkeys((current or {}).get("Parameters", {}))
        return {"Family": self.params["family"], "Parameters": {**reset, **wanted}, "Tags": self.wanted_tags(current)}

    def create(self, wanted: dict[str, Any]) -> None:
        self.call(
            "create_db_parameter_group",
            DBParameterGroupName=self.name,
            DBParameterGroupFamily=wanted["Family"],
            Description=self.params["description"],
            Tags=ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {}),
        )
        self.set_parameters({}, wanted["Parameters"])

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if current["Family"] != wanted["Family"]:
            self.module.fail_json(msg=f"{self.kind} {self.name} is of the family {current['Family']}; to have {wanted['Family']}, give another name.")
        self.set_parameters(current["Parameters"], wanted["Parameters"])
        tags, removed = self.tag_changes(current, wanted)
        if removed:
            self.call("remove_tags_from_resource", ResourceName=current["Arn"], TagKeys=removed)
        if tags:
            self.call("add_tags_to_resource", ResourceName=current["Arn"], Tags=ansible_dict_to_boto3_tag_list(tags))

    def set_parameters(self, current: dict[str, str], wanted: dict[str, str | None]) -> None:
        changes = {name: value for name, value in wanted.items() if current.get(name) != value}
        if not changes:
            return
        kinds = {parameter["ParameterName"]: parameter.get("ApplyType") for parameter in self.parameters()}
        for operation, chosen in (
            ("modify_db_parameter_group", {name: {"ParameterValue": value} for name, value in changes.items() if value is not None}),
            ("reset_db_parameter_group", {name: {} for name, value in changes.items() if value is None}),
        ):
            entries = [
                {"ParameterName": name, "ApplyMethod": "immediate" if kinds.get(name) == "dynamic" else "pending-reboot", **more}
                for name, more in chosen.items()
            ]
            for start in range(0, len(entries), MOST_PARAMETERS):
                self.call(operation, DBParameterGroupName=self.name, Parameters=entries[start : start + MOST_PARAMETERS])

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_db_parameter_group", DBParameterGroupName=self.name)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "family": {},
            "description": {"default": "Managed by Ansible"},
            "parameters": {"type": "dict", "default": {}},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ["family"])],
        supports_check_mode=True,
    )
    ParameterGroup(module).run()


if __name__ == "__main__":
    main()
