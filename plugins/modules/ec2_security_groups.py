#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_security_groups
version_added: 0.1.0
short_description: Manage security groups of a VPC whose rules name each other
description:
  - Several security groups of a VPC with their rules. A rule can name a group that the same task makes.
  - M(amazon.aws.ec2_security_group) makes one group. Groups that name each other need two tasks each then, of which the second names groups that do not exist
    in check mode; and it sleeps for three seconds for each group and each change.
  - A new rule is there before an old one goes, so that a changed rule interrupts nothing.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  groups:
    description: The groups. Those that are not listed are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      description:
        description: Description of the group, which AWS cannot change.
        type: str
        default: ""
      ingress:
        description: The rules for what comes in, and no others. Without it the rules stay as they are.
        type: list
        elements: dict
        suboptions: &rule
          protocol:
            description: V(tcp), V(udp), or V(-1) for all.
            type: str
            choices: [tcp, udp, "-1"]
            default: tcp
          port:
            description: The port; none for all protocols.
            type: int
          group:
            description: Name of the security group of this VPC from which, or to which, the rule lets traffic through.
            type: str
          cidr:
            description: IPv4 CIDR block from which, or to which, the rule lets traffic through.
            type: str
          description:
            description: What the rule is for.
            type: str
            default: ""
      egress:
        description: The rules for what goes out, and no others. Without it the rules stay as they are; AWS lets everything out of a new group.
        type: list
        elements: dict
        suboptions: *rule
  wait_timeout_seconds:
    description:
      - How many seconds it may take until no network interface has a group that is to go. AWS takes up to 20 minutes to take back those of a Lambda function.
    type: int
    default: 1500
  state:
    description: Whether the groups are there.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description:
      - Tags of each group, to which its name is added as the tag C(Name).
      - Without it the tags stay as they are.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description: Whether tags that are not listed are removed.
    type: bool
    default: true
attributes:
  check_mode:
    description: Predicts the change and changes nothing.
    support: full
  diff_mode:
    description: Shows rules and tags before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: Only the load balancer reaches the tasks
  pulsegrid.aws.ec2_security_groups:
    vpc_id: vpc-0123456789abcdef0
    groups:
      - name: pulsegrid-production-alb
        description: Load balancer
        egress: [{port: 8080, group: pulsegrid-production-tasks}]
      - name: pulsegrid-production-tasks
        description: Tasks
        ingress: [{port: 8080, group: pulsegrid-production-alb}]
        egress: [{protocol: "-1", cidr: 0.0.0.0/0}]

- name: The groups are gone
  pulsegrid.aws.ec2_security_groups:
    vpc_id: vpc-0123456789abcdef0
    groups: [{name: pulsegrid-production-alb}, {name: pulsegrid-production-tasks}]
    state: absent
"""

RETURN = r"""
security_groups:
  description: The ID of each group by its name; without those that check mode would make.
  returned: success
  type: dict
  sample: {"pulsegrid-production-alb": "sg-0123456789abcdef0"}
"""

from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.ec2 import Parts, PartsOfVpc
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS

# Protocol, first port, last port, kind of the other side, other side
Rule = tuple[str, int, int, str, str]
WAYS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
# Where a permission has the other side, and under which key
SIDES = {
    "group": ("UserIdGroupPairs", "GroupId"),
    "cidr": ("IpRanges", "CidrIp"),
    "ipv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefix list": ("PrefixListIds", "PrefixListId"),
}


class SecurityGroups(PartsOfVpc):
    kind = "Security groups"
    result = "security_groups"
    identifier = "GroupId"
    # What was made, or taken away, a moment ago is not known everywhere
    retry_codes = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound", "InvalidVpcID.NotFound", "DependencyViolation")

    # What there is

    def parts(self) -> Parts:
        """By their names, and all of them, since a rule can name any"""
        return {group["GroupName"]: group for group in self.in_vpc("describe_security_groups", "SecurityGroups")}

    @staticmethod
    def rules_of(group: dict[str, Any], way: str, names: dict[str, str]) -> dict[Rule, str]:
        """The rules with their descriptions; names are those of the groups by ID."""

        def each() -> Iterator[tuple[Rule, str]]:
            for permission in group.get(WAYS[way], []):
                ports = permission.get("FromPort", -1), permission.get("ToPort", -1)
                for kind, (side, key) in SIDES.items():
                    for other in permission.get(side, []):
                        target = names.get(other[key], other[key]) if kind == "group" else other[key]
                        yield (permission["IpProtocol"], *ports, kind, target), other.get("Description", "")

        return dict(each())

    @staticmethod
    def rules_wanted(rules: list[dict[str, Any]]) -> dict[Rule, str]:
        def each() -> Iterator[tuple[Rule, str]]:
            for rule in rules:
                port = -1 if rule["port"] is None else rule["port"]
                kind = "group" if rule["group"] else "cidr"
                yield (rule["protocol"], port, port, kind, rule[kind]), rule["description"]

        return dict(each())

    def shown(self, parts: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
        names = {group["GroupId"]: name for name, group in parts.items()}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for asked in self.params["groups"]:
            name = asked["name"]
            tags = self.tags_of(parts.get(name, {}))
            wanted = self.wanted_tags({"Tags": tags})
            ways = [way for way in WAYS if asked[way] is not None]
            after[name] = {
                **{way: self.lines(self.rules_wanted(asked[way])) for way in ways},
                "tags": tags if wanted is None else {**wanted, "Name": name},
            }
            if name in parts:
                before[name] = {**{way: self.lines(self.rules_of(parts[name], way, names)) for way in ways}, "tags": tags}
        return before, after

    @staticmethod
    def lines(rules: dict[Rule, str]) -> list[str]:
        return sorted(" ".join(map(str, rule)) + f" ({text})" for rule, text in rules.items())

    # What is done

    def apply(self, before: dict[str, Any], after: dict[str, Any], parts: Parts) -> Parts:
        missing = [asked for asked in self.params["groups"] if asked["name"] not in parts]
        for asked in missing:
            self.call(
                "create_security_group",
                doing=f"create {asked['name']}",
                GroupName=asked["name"],
                Description=asked["description"] or asked["name"],
                VpcId=self.params["vpc_id"],
                **self.new_tags("security-group", after[asked["name"]]["tags"]),
            )
        if missing:
            names = {asked["name"] for asked in missing}
            parts = self.wait_until(lambda: found if names <= (found := self.parts()).keys() else None, "seen", seconds=60, interval=1)
        for asked in self.params["groups"]:
            group = parts[asked["name"]]
            self.set_rules(asked, parts)
            self.set_tags(group["GroupId"], self.tags_of(group), after[asked["name"]]["tags"])
        return parts

    def set_rules(self, asked: dict[str, Any], groups: Parts) -> None:
        names = {group["GroupId"]: name for name, group in groups.items()}
        group = groups[asked["name"]]
        for way in (way for way in WAYS if asked[way] is not None):
            have, want = self.rules_of(group, way, names), self.rules_wanted(asked[way])
            renamed = {rule: text for rule, text in want.items() if rule in have and have[rule] != text}
            for operation, rules in (
                (f"authorize_security_group_{way}", {rule: text for rule, text in want.items() if rule not in have}),
                (f"update_security_group_rule_descriptions_{way}", renamed),
                (f"revoke_security_group_{way}", {rule: text for rule, text in have.items() if rule not in want}),
            ):
                if rules:
                    permissions = [self.permission(rule, text, groups) for rule, text in rules.items()]
                    doing = f"{operation.replace('_', ' ')} of {asked['name']}"
                    self.call(operation, doing=doing, GroupId=group["GroupId"], IpPermissions=permissions)

    def permission(self, rule: Rule, text: str, groups: Parts) -> dict[str, Any]:
        protocol, first, last, kind, other = rule
        side, key = SIDES[kind]
        if kind == "group" and other in groups:
            other = groups[other]["GroupId"]
        ports = {} if protocol == "-1" else {"FromPort": first, "ToPort": last}
        return {"IpProtocol": protocol, **ports, side: [{key: other, **({"Description": text} if text else {})}]}

    def remove(self, found: Parts) -> None:
        """Groups that name each other can only go when none does any more, and no network interface may have one."""
        ids = [group["GroupId"] for group in found.values()]
        self.wait_until(
            lambda: not self.call("describe_network_interfaces", Filters=[{"Name": "group-id", "Values": ids}])["NetworkInterfaces"],
            "free of network interfaces",
            self.params["wait_timeout_seconds"],
            interval=15,
        )
        groups = self.parts()
        for name in found:
            self.set_rules({"name": name, "ingress": [], "egress": []}, groups)
        for name, group in found.items():
            self.call("delete_security_group", doing=f"delete {name}", GroupId=group["GroupId"])

    def run(self) -> None:
        if self.params["state"] == "present":
            super().run()
            return
        parts = self.parts()
        found = {asked["name"]: parts[asked["name"]] for asked in self.params["groups"] if asked["name"] in parts}
        if found and not self.module.check_mode:
            self.remove(found)
        self.end(bool(found), self.shown(parts)[0], {}, {})


def main() -> None:
    rule = {
        "protocol": {"choices": ["tcp", "udp", "-1"], "default": "tcp"},
        "port": {"type": "int"},
        "group": {},
        "cidr": {},
        "description": {"default": ""},
    }
    rules = {
        "type": "list",
        "elements": "dict",
        "options": rule,
        "required_one_of": [("group", "cidr")],
        "mutually_exclusive": [("group", "cidr")],
        "required_if": [("protocol", "tcp", ("port",)), ("protocol", "udp", ("port",))],
    }
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"required": True},
            "groups": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"required": True}, "description": {"default": ""}, "ingress": rules, "egress": rules},
            },
            "wait_timeout_seconds": {"type": "int", "default": 1500},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    SecurityGroups(module).run()


if __name__ == "__main__":
    main()
