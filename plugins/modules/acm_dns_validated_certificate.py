#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: acm_dns_validated_certificate
version_added: 0.1.0
short_description: Manage a certificate that is validated by DNS in Route 53
description:
  - Requests a certificate of AWS Certificate Manager, adds the records with which it is validated to a public hosted zone in the same account, and waits
    until it is issued. AWS renews it by itself as long as the records are there.
  - M(community.aws.acm_certificate) imports certificates and requests none.
  - A certificate cannot be changed. With other domain names a new one is requested, and the old one stays until O(state=absent), so that what uses it can be
    given the new one first.
  - A certificate is found by its tag C(Name).
  - The records stay when the certificate goes, since the same record validates every certificate of the account for a name, in each region.
options:
  name:
    description: What identifies the certificate in its region, at most 256 characters.
    type: str
    required: true
  domain_names:
    description: The names that the certificate is for, all in I(hosted_zone). A wildcard is allowed. Required with O(state=present).
    type: list
    elements: str
  hosted_zone:
    description: Domain name of the public hosted zone. Required with O(state=present).
    type: str
  keep_domain_names:
    description: With O(state=absent), the certificate for exactly these names stays, and those that it took the place of go.
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait until the certificate is issued.
    type: bool
    default: true
  wait_timeout_seconds:
    description: How long to wait until it is issued, and until what is to be removed is no longer used, in seconds.
    type: int
    default: 1800
  state:
    description: Whether the certificate is there.
    type: str
    choices: [present, absent]
    default: present
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
- name: The site's names have a certificate where CloudFront looks for it
  pulsegrid.aws.acm_dns_validated_certificate:
    name: pulsegrid-production-site
    domain_names: [example.com, www.example.com]
    hosted_zone: example.com
    region: us-east-1
  register: certificate

- name: Certificates for the names of earlier are gone
  pulsegrid.aws.acm_dns_validated_certificate:
    name: pulsegrid-production-site
    keep_domain_names: [example.com, www.example.com]
    region: us-east-1
    state: absent

- name: The certificate is gone
  pulsegrid.aws.acm_dns_validated_certificate:
    name: pulsegrid-production-site
    region: us-east-1
    state: absent
"""

RETURN = r"""
certificate:
  description: The certificate; empty when it is absent. In check mode the ARN of one that would be requested is a placeholder.
  returned: success
  type: dict
  contains:
    certificate_arn:
      description: Its ARN.
      type: str
      sample: arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012
    domain_names:
      description: The names that it is for, sorted.
      type: list
      elements: str
      sample: [example.com, www.example.com]
    status:
      description: C(ISSUED), or C(PENDING_VALIDATION) before.
      type: str
      sample: ISSUED
    tags:
      description: Its tags.
      type: dict
      sample: {"Name": "pulsegrid-production-site"}
"""

import uuid
from collections.abc import Iterator
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    TAG_OPTIONS,
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)
from ansible_collections.pulsegrid.aws.plugins.module_utils.route53 import plain, public_zone_id

USABLE = ("ISSUED", "PENDING_VALIDATION")
PLACEHOLDER = "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000"
RECORD_TTL_SECONDS = 300


class Certificate(Resource):
    service = "acm"
    kind = "Certificate"
    result = "certificate"
    not_found = ("ResourceNotFoundException",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.names = sorted({plain(name) for name in self.params["domain_names"] or []})

    def describe(self) -> dict[str, Any] | None:
        own = list(self._own())
        if self.params["state"] == "absent":
            kept = sorted(map(plain, self.params["keep_domain_names"]))
            arns = [one["CertificateArn"] for one in own if one["DomainNames"] != kept]
            return {"CertificateArns": arns} if arns else None
        fitting = [one for one in own if one["DomainNames"] == self.names and one["Status"] in USABLE]
        return min(fitting, key=lambda one: USABLE.index(one["Status"]), default=None)

    def _own(self) -> Iterator[dict[str, Any]]:
        for summary in self.call_all("list_certificates")["CertificateSummaryList"]:
            arn = summary["CertificateArn"]
            found = self.find("list_tags_for_certificate", CertificateArn=arn)
            tags = boto3_tag_list_to_ansible_dict((found or {}).get("Tags") or [])
            details = self.find("describe_certificate", CertificateArn=arn) if tags.get("Name") == self.name else None
            # An imported one with this name is somebody else's, and its private key would go with it.
            if details and details["Certificate"].get("Type", "AMAZON_ISSUED") == "AMAZON_ISSUED":
                certificate = details["Certificate"]
                names = sorted(map(plain, certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]]))
                yield {"CertificateArn": arn, "DomainNames": names, "Status": certificate["Status"], "Tags": tags}

    def wanted_tags(self, current: dict[str, Any] | None) -> dict[str, str] | None:
        tags = super().wanted_tags(current)
        return None if tags is None else {**tags, "Name": self.name}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "CertificateArn": current["CertificateArn"] if current else PLACEHOLDER,
            "DomainNames": self.names,
            "Status": "ISSUED" if self.params["wait"] else None,
            "Tags": self.wanted_tags(current),
        }

    def create(self, wanted: dict[str, Any]) -> None:
        arn = self.call(
            "request_certificate",
            DomainName=self.names[0],
            SubjectAlternativeNames=self.names,
            ValidationMethod="DNS",
            IdempotencyToken=uuid.uuid4().hex,
            Tags=ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {"Name": self.name}),
        )["CertificateArn"]
        self._validate(arn)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        arn = current["CertificateArn"]
        if current["Status"] != "ISSUED":
            self._validate(arn)
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("add_tags_to_certificate", CertificateArn=arn, Tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("remove_tags_from_certificate", CertificateArn=arn, Tags=[{"Key": key} for key in to_remove])

    def _certificate(self, arn: str) -> dict[str, Any]:
        found = self.find("describe_certificate", CertificateArn=arn)
        if found is None:  # requested a moment ago: AWS knows it some seconds later
            return {"Status": "PENDING_VALIDATION"}
        certificate = found["Certificate"]
        if certificate["Status"] not in USABLE:
            reason = certificate.get("FailureReason", certificate["Status"])
            self.module.fail_json(msg=f"{self.kind} {self.name}: AWS did not issue it for {', '.join(self.names)}: {reason}")
        return certificate

    def _validate(self, arn: str) -> None:
        """Answer AWS's question whether the names are ours, and wait until it has seen the answer."""
        records = self.wait_until(lambda: self._records(arn), "told its validation records", self.params["wait_timeout_seconds"], interval=2)
        route53 = self.client_for("route53")
        # The account's other certificates for a name have the same record.
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record} for record in records]
        zone = public_zone_id(self, route53, self.params["hosted_zone"])
        self.call("change_resource_record_sets", "add the validation records", client=route53, HostedZoneId=zone, ChangeBatch={"Changes": changes})
        if self.params["wait"]:
            self.wait_until(lambda: self._certificate(arn)["Status"] == "ISSUED", "issued", self.params["wait_timeout_seconds"])

    def _records(self, arn: str) -> list[dict[str, Any]]:
        """The records that validate the certificate; none until AWS has made all of them. A name and its wildcard share one."""
        options = self._certificate(arn).get("DomainValidationOptions") or []
        if not options or not all(option.get("ResourceRecord") for option in options):
            return []
        records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"] for option in options}
        return [
            {"Name": name, "Type": record["Type"], "TTL": RECORD_TTL_SECONDS, "ResourceRecords": [{"Value": record["Value"]}]}
            for name, record in sorted(records.items())
        ]

    def delete(self, current: dict[str, Any]) -> None:
        for arn in current["CertificateArns"]:
            # A distribution or a load balancer has given a certificate up some minutes before AWS believes it.
            self.wait_until(lambda arn=arn: self._deleted(arn), "free of use", self.params["wait_timeout_seconds"], interval=10)

    def _deleted(self, arn: str) -> bool:
        try:
            self.client.delete_certificate(aws_retry=True, CertificateArn=arn)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else ""
            if code == "ResourceInUseException":
                return False
            if code not in self.not_found:
                self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not delete {arn}")
        return True


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "domain_names": {"type": "list", "elements": "str"},
            "hosted_zone": {},
            "keep_domain_names": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 1800},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        required_if=[("state", "present", ("domain_names", "hosted_zone"))],
        supports_check_mode=True,
    )
    Certificate(module).run()


if __name__ == "__main__":
    main()
