#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: route53_alias_records
version_added: 0.1.0
short_description: Manage the alias records of a hosted zone that lead to one target
description:
  - The names under which a distribution or a load balancer is found, as alias records of the types A and AAAA in a public hosted zone.
  - The module owns the alias records of the zone whose target is I(target), and no others, so that a name that is no longer listed goes without anybody
    having to remember it. M(amazon.aws.route53) manages one record at a time and removes only what is named to it.
  - A name that has a record of its own already is refused, not overwritten.
options:
  hosted_zone:
    description: Domain name of the public hosted zone.
    type: str
    required: true
  names:
    description: The full names that lead to the target; none removes them all. A wildcard is allowed.
    type: list
    elements: str
    default: []
  target:
    description: The domain name that AWS gave to the target.
    type: str
    required: true
  target_hosted_zone_id:
    description: The hosted zone that AWS keeps the target's name in, Z2FDTNDATAQYW2 for CloudFront and one for each region for load balancers.
    type: str
    required: true
  wait:
    description: Whether to wait until all of Route 53's servers answer with the change.
    type: bool
    default: true
  wait_timeout_seconds:
    description: How long to wait, in seconds. AWS takes a minute.
    type: int
    default: 300
attributes:
  check_mode:
    description: Predicts the change and changes nothing.
    support: full
  diff_mode:
    description: Shows the records before and after.
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
- name: The site's names lead to the distribution
  pulsegrid.aws.route53_alias_records:
    hosted_zone: example.com
    names: [example.com, www.example.com]
    target: "{{ static_site_outputs.domain_name }}"
    target_hosted_zone_id: Z2FDTNDATAQYW2

- name: No name leads to it any more
  pulsegrid.aws.route53_alias_records:
    hosted_zone: example.com
    target: "{{ static_site_outputs.domain_name }}"
    target_hosted_zone_id: Z2FDTNDATAQYW2
"""

RETURN = r"""
alias_records:
  description: The records that lead to the target.
  returned: success
  type: dict
  contains:
    hosted_zone_id:
      description: Id of the hosted zone.
      type: str
      sample: Z0123456789ABCDEFGHIJ
    records:
      description: Names and types, sorted.
      type: list
      elements: str
      sample: [example.com A, example.com AAAA]
"""

from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource
from ansible_collections.pulsegrid.aws.plugins.module_utils.route53 import plain, public_zone_id

TYPES = ("A", "AAAA")


class AliasRecords(Resource):
    service = "route53"
    kind = "Alias records for"
    result = "alias_records"
    retry_codes = ("PriorRequestNotComplete",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.zone_id = public_zone_id(self, self.client, self.params["hosted_zone"])
        self.others: dict[str, str] = {}

    @property
    def name(self) -> str:
        return self.params["target"]

    def describe(self) -> dict[str, Any]:
        self.found: dict[str, dict[str, Any]] = {}
        self.others = {}
        for record in self._all_records():
            key = f"{plain(record['Name'])} {record['Type']}"
            target = plain((record.get("AliasTarget") or {}).get("DNSName", ""))
            # One of several of a name (weighted, by latency) is no record of ours
            if target == plain(self.params["target"]) and record["Type"] in TYPES and "SetIdentifier" not in record:
                self.found[key] = record
            else:
                self.others[key] = target or ", ".join(value["Value"] for value in record.get("ResourceRecords") or [])
        return {"HostedZoneId": self.zone_id, "Records": sorted(self.found)}

    def _all_records(self) -> Iterator[dict[str, Any]]:
        start: dict[str, str] = {}
        while True:
            page = self.call("list_resource_record_sets", HostedZoneId=self.zone_id, **start)
            yield from page["ResourceRecordSets"]
            if not page.get("IsTruncated"):
                return
            keys = {"StartRecordName": "NextRecordName", "StartRecordType": "NextRecordType", "StartRecordIdentifier": "NextRecordIdentifier"}
            start = {key: page[following] for key, following in keys.items() if page.get(following)}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        names = sorted({plain(name) for name in self.params["names"]})
        for name in names:
            taken = next((f"{name} {kind}" for kind in (*TYPES, "CNAME") if f"{name} {kind}" in self.others), None)
            if taken:
                self.module.fail_json(msg=f"The record {taken} is there already and leads to {self.others[taken]}: remove it, or use another name.")
        return {"HostedZoneId": self.zone_id, "Records": sorted(f"{name} {kind}" for name in names for kind in TYPES)}

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        # Route 53 deletes a record that is given exactly as it is
        changes = [{"Action": "DELETE", "ResourceRecordSet": self.found[record]} for record in current["Records"] if record not in wanted["Records"]]
        changes += [self._created(record) for record in wanted["Records"] if record not in current["Records"]]
        answer = self.call("change_resource_record_sets", HostedZoneId=self.zone_id, ChangeBatch={"Changes": changes})
        if self.params["wait"]:
            change = answer["ChangeInfo"]["Id"]
            self.wait_until(lambda: self.call("get_change", Id=change)["ChangeInfo"]["Status"] == "INSYNC", "in sync", self.params["wait_timeout_seconds"])

    def _created(self, record: str) -> dict[str, Any]:
        name, kind = record.split()
        target = {"HostedZoneId": self.params["target_hosted_zone_id"], "DNSName": self.params["target"], "EvaluateTargetHealth": False}
        return {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": kind, "AliasTarget": target}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "hosted_zone": {"required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "target": {"required": True},
            "target_hosted_zone_id": {"required": True},
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    AliasRecords(module).run()


if __name__ == "__main__":
    main()
