#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: elb_load_balancer
version_added: 0.1.0
short_description: Manage an Application Load Balancer with its listeners and their rules
description:
  - An Application Load Balancer, wholly as described. Listeners, rules and actions that are not described are removed.
  - A rule may demand a secret header. M(amazon.aws.elb_application_lb) returns such a secret with the rule, so that a task needs C(no_log) and cannot even say
    why it failed; it has no diff, and M(amazon.aws.elb_application_lb_info) fails for a load balancer that is not there. This module hides the header's value
    and nothing else.
options:
  name:
    description: Name of the load balancer, at most 32 letters, digits and hyphens.
    type: str
    required: true
  subnet_ids:
    description:
      - IDs of its subnets, at least two, each in an availability zone of its own.
      - Required with O(state=present).
    type: list
    elements: str
  security_group_ids:
    description:
      - IDs of its security groups.
      - Required with O(state=present).
    type: list
    elements: str
  scheme:
    description: Whether it has public addresses. It can be changed by replacement only.
    type: str
    choices: [internet-facing, internal]
    default: internet-facing
  attributes:
    description:
      - Its attributes by AWS's names, such as C(idle_timeout.timeout_seconds). Others stay as they are.
      - With O(state=absent), C(deletion_protection.enabled) as V(false) turns off a protection that is on; otherwise a protected load balancer is not removed.
    type: dict
    default: {}
  listeners:
    description:
      - Its listeners.
      - Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      port:
        description: The port on which it listens.
        type: int
        required: true
      protocol:
        description: The protocol of the clients.
        type: str
        choices: [HTTP, HTTPS]
        required: true
      certificate_arn:
        description: ARN of the certificate, with V(HTTPS).
        type: str
      ssl_policy:
        description: The security policy, which says what TLS versions and ciphers are accepted, with V(HTTPS).
        type: str
      default_action:
        description: What happens to a request to which no rule applies.
        type: dict
        required: true
        suboptions: &action
          forward:
            description: ARN of the target group to which the request is forwarded.
            type: str
          redirect:
            description: Where the client is sent, in the API's names (C(Protocol), C(Port), C(Host), C(Path), C(Query), C(StatusCode)).
            type: dict
          fixed_response:
            description: The answer, in the API's names (C(StatusCode), C(ContentType), C(MessageBody)).
            type: dict
      rules:
        description: Rules, which are tried by their priority. All conditions of a rule must hold.
        type: list
        elements: dict
        default: []
        suboptions:
          priority:
            description: The lowest is tried first, 1 to 50000.
            type: int
            required: true
          path_patterns:
            description: Patterns of the path, of which one must match.
            type: list
            elements: str
          host_headers:
            description: Patterns of the host name, of which one must match.
            type: list
            elements: str
          http_header:
            description: A header that the request must have.
            type: dict
            suboptions:
              name:
                description: Its name.
                type: str
                required: true
              value:
                description: Its value, which is never shown.
                type: str
                required: true
          action:
            description: What happens to the request.
            type: dict
            required: true
            suboptions: *action
  state:
    description: Whether the load balancer is there.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout_seconds:
    description: How long a removal may take.
    type: int
    default: 600
notes:
  - A new load balancer is known by its DNS name at once and answers after some minutes. The module does not wait for that.
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
- name: Requests with the header are forwarded
  pulsegrid.aws.elb_load_balancer:
    name: pulsegrid-production
    subnet_ids: [subnet-0123456789abcdef0, subnet-0fedcba9876543210]
    security_group_ids: [sg-0123456789abcdef0]
    attributes:
      idle_timeout.timeout_seconds: 120
      deletion_protection.enabled: true
    listeners:
      - port: 80
        protocol: HTTP
        default_action:
          fixed_response: {StatusCode: "403", ContentType: text/plain, MessageBody: Forbidden}
        rules:
          - priority: 1
            http_header: {name: X-Origin-Verify, value: "{{ secret }}"}
            action:
              forward: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pulsegrid-production/6d0ecf831eec9f09

- name: The load balancer is gone, protected or not
  pulsegrid.aws.elb_load_balancer:
    name: pulsegrid-production
    attributes:
      deletion_protection.enabled: false
    state: absent
"""

RETURN = r"""
load_balancer:
  description: The load balancer; empty when it is absent. In check mode one that would be created has no ARN.
  returned: success
  type: dict
  contains:
    load_balancer_name:
      description: Its name.
      type: str
      sample: pulsegrid-production
    load_balancer_arn:
      description: Its ARN.
      type: str
      sample: arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/pulsegrid-production/50dc6c495c0c9188
    dns_name:
      description: Its DNS name.
      type: str
      sample: pulsegrid-production-1234567890.us-east-1.elb.amazonaws.com
    canonical_hosted_zone_id:
      description: The hosted zone of its DNS name, which a Route 53 alias needs.
      type: str
      sample: Z35SXDOTRQ7X7K
    state:
      description: C(provisioning), C(active) or C(failed).
      type: dict
      sample: {"code": "active"}
    subnet_ids:
      description: IDs of its subnets, sorted.
      type: list
      elements: str
      sample: [subnet-0123456789abcdef0, subnet-0fedcba9876543210]
    security_groups:
      description: IDs of its security groups, sorted.
      type: list
      elements: str
      sample: [sg-0123456789abcdef0]
    attributes:
      description: Its attributes by AWS's names.
      type: dict
      sample: {"idle_timeout.timeout_seconds": "120"}
    listeners:
      description: Its listeners by their ports, with their rules. The value of a header that a rule demands is shown as a part of its checksum.
      type: list
      elements: dict
      sample: [{"listener_arn": "arn:aws:elasticloadbalancing:...", "port": 80, "protocol": "HTTP", "rules": []}]
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

import hashlib
import time
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
    differs,
)

# S3 takes some seconds until a new bucket's policy is known everywhere, and the load balancer tries to write when its log is turned on.
BUCKET_SECONDS = 60
PROTECTION = "deletion_protection.enabled"
LISTENER = ("Port", "Protocol", "SslPolicy", "Certificates", "DefaultActions")


def checksum(value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"


def attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def actions(action: dict[str, Any]) -> list[dict[str, Any]]:
    if action["forward"]:
        return [{"Type": "forward", "TargetGroupArn": action["forward"]}]
    if action["redirect"]:
        return [{"Type": "redirect", "RedirectConfig": action["redirect"]}]
    return [{"Type": "fixed-response", "FixedResponseConfig": action["fixed_response"]}]


def conditions(rule: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if rule["host_headers"]:
        found.append({"Field": "host-header", "HostHeaderConfig": {"Values": sorted(rule["host_headers"])}})
    if rule["http_header"]:
        header = rule["http_header"]
        found.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": header["name"], "Values": [header["value"]]}})
    if rule["path_patterns"]:
        found.append({"Field": "path-pattern", "PathPatternConfig": {"Values": sorted(rule["path_patterns"])}})
    return found


def listener(options: dict[str, Any]) -> dict[str, Any]:
    """A listener in the API's shape, with its rules."""
    properties = {"Port": options["port"], "Protocol": options["protocol"], "DefaultActions": actions(options["default_action"])}
    if options["protocol"] == "HTTPS":
        properties |= {"SslPolicy": options["ssl_policy"], "Certificates": [{"CertificateArn": options["certificate_arn"]}]}
    rules = [{"Priority": it["priority"], "Conditions": conditions(it), "Actions": actions(it["action"])} for it in options["rules"]]
    return properties | {"Rules": sorted(rules, key=lambda it: it["Priority"])}


def comparable(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule in a form that can be compared and shown: what has no order is sorted, what is secret is a checksum."""
    found = []
    for it in sorted(rule["Conditions"], key=lambda it: it["Field"]):
        config = next((value for key, value in it.items() if key.endswith("Config")), {"Values": it.get("Values", [])})
        values = config.get("Values", [])
        shown = [checksum(value) for value in values] if it["Field"] == "http-header" else values
        found.append({"Field": it["Field"], "HttpHeaderName": config.get("HttpHeaderName"), "Values": sorted(shown, key=str)})
    return {**rule, "Priority": int(rule["Priority"]), "Conditions": found}


class LoadBalancer(Resource):
    service = "elbv2"
    kind = "Load balancer"
    result = "load_balancer"
    not_found = ("LoadBalancerNotFound",)
    retry_codes = ("CertificateNotFound",)  # a certificate that was issued just now
    keep_case_of = ("Attributes", "Tags")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.began = time.monotonic()

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_load_balancers", Names=[self.name])
        if not found:
            return None
        balancer = found["LoadBalancers"][0]
        arn = balancer["LoadBalancerArn"]
        attributes = boto3_tag_list_to_ansible_dict(self.call("describe_load_balancer_attributes", LoadBalancerArn=arn)["Attributes"])
        if self.params["state"] == "absent" and attributes.get(PROTECTION) == "true" and not self.unprotects():
            self.module.fail_json(msg=f"Load balancer {self.name}: its deletion protection is on. It is turned off by attributes with {PROTECTION}: false.")
        tags = self.call("describe_tags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        return {
            "LoadBalancerName": self.name,
            "LoadBalancerArn": arn,
            "DnsName": balancer["DNSName"],
            "CanonicalHostedZoneId": balancer["CanonicalHostedZoneId"],
            "State": balancer["State"],
            "Scheme": balancer["Scheme"],
            "SubnetIds": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
            "SecurityGroups": sorted(balancer["SecurityGroups"]),
            "Attributes": attributes,
            "Listeners": sorted(map(self.with_rules, self.pages("describe_listeners", "Listeners", LoadBalancerArn=arn)), key=lambda it: it["Port"]),
            "Tags": boto3_tag_list_to_ansible_dict(tags),
        }

    def unprotects(self) -> bool:
        return attribute(self.params["attributes"].get(PROTECTION)) == "false"

    def pages(self, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self.call(operation, **arguments, **more)
            found += page[key]
            if not page.get("NextMarker"):
                return found
            more = {"Marker": page["NextMarker"]}

    def with_rules(self, found: dict[str, Any]) -> dict[str, Any]:
        rules = self.pages("describe_rules", "Rules", ListenerArn=found["ListenerArn"])
        shown = sorted((comparable(rule) for rule in rules if not rule["IsDefault"]), key=lambda it: it["Priority"])
        return {key: found[key] for key in ("ListenerArn", *LISTENER) if key in found} | {"Rules": shown}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        if current and current["Scheme"] != self.params["scheme"]:
            self.module.fail_json(
                msg=f"Load balancer {self.name}: AWS cannot change scheme from {current['Scheme']} to {self.params['scheme']} in place. "
                "Make a load balancer with another name, or remove this one, and run again."
            )
        listeners = sorted(map(listener, self.params["listeners"]), key=lambda it: it["Port"])
        return {
            "LoadBalancerName": self.name,
            "Scheme": self.params["scheme"],
            "SubnetIds": sorted(self.params["subnet_ids"]),
            "SecurityGroups": sorted(self.params["security_group_ids"]),
            "Attributes": {key: attribute(value) for key, value in self.params["attributes"].items()},
            "Listeners": [{**it, "Rules": list(map(comparable, it["Rules"]))} for it in listeners],
            "Tags": self.wanted_tags(current),
        }

    def create(self, wanted: dict[str, Any]) -> None:
        tags = {"Tags": ansible_dict_to_boto3_tag_list(wanted["Tags"])} if wanted.get("Tags") else {}
        created = self.call(
            "create_load_balancer",
            Name=self.name,
            Type="application",
            Scheme=wanted["Scheme"],
            Subnets=wanted["SubnetIds"],
            SecurityGroups=wanted["SecurityGroups"],
            **tags,
        )
        arn = created["LoadBalancers"][0]["LoadBalancerArn"]
        self.set_attributes(arn, wanted["Attributes"])
        self.set_listeners(arn, [])

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        arn = current["LoadBalancerArn"]
        if current["SubnetIds"] != wanted["SubnetIds"]:
            self.call("set_subnets", LoadBalancerArn=arn, Subnets=wanted["SubnetIds"])
        if current["SecurityGroups"] != wanted["SecurityGroups"]:
            self.call("set_security_groups", LoadBalancerArn=arn, SecurityGroups=wanted["SecurityGroups"])
        if differs(current["Attributes"], wanted["Attributes"]):
            self.set_attributes(arn, wanted["Attributes"])
        self.set_listeners(arn, current["Listeners"])
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("add_tags", ResourceArns=[arn], Tags=ansible_dict_to_boto3_tag_list(to_set))
        if to_remove:
            self.call("remove_tags", ResourceArns=[arn], TagKeys=to_remove)

    def set_attributes(self, arn: str, attributes: dict[str, str]) -> None:
        if attributes:
            self.wait_until(lambda: self.has_attributes(arn, attributes), "allowed to write its access log", BUCKET_SECONDS)

    def has_attributes(self, arn: str, attributes: dict[str, str]) -> bool:
        try:
            self.client.modify_load_balancer_attributes(aws_retry=True, LoadBalancerArn=arn, Attributes=ansible_dict_to_boto3_tag_list(attributes))
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            refused = error.response["Error"] if isinstance(error, botocore.exceptions.ClientError) else {}
            if refused.get("Code") == "InvalidConfigurationRequest" and "bucket" in refused.get("Message", "").lower() and self.has_time():
                return False
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not set its attributes")
        return True

    def has_time(self) -> bool:
        return time.monotonic() < self.began + BUCKET_SECONDS

    def set_listeners(self, arn: str, current: list[dict[str, Any]]) -> None:
        present = {it["Port"]: it for it in current}
        for options in self.params["listeners"]:
            wanted = listener(options)
            rules = wanted.pop("Rules")
            found = present.pop(wanted["Port"], None)
            if found is None:
                created = self.call("create_listener", LoadBalancerArn=arn, **wanted)["Listeners"][0]
                self.set_rules(created["ListenerArn"], [], rules)
                continue
            # The rules come first: no request that is allowed before and after is refused in between.
            self.set_rules(found["ListenerArn"], found["Rules"], rules)
            if differs(found, wanted):
                self.call("modify_listener", ListenerArn=found["ListenerArn"], **wanted)
        for unwanted in present.values():
            self.call("delete_listener", ListenerArn=unwanted["ListenerArn"])

    def set_rules(self, listener_arn: str, current: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
        present = {it["Priority"]: it for it in current}
        for rule in wanted:
            found = present.pop(rule["Priority"], None)
            if found is None:
                self.call("create_rule", ListenerArn=listener_arn, **rule)
            elif differs(found, comparable(rule)):
                self.call("modify_rule", RuleArn=found["RuleArn"], Conditions=rule["Conditions"], Actions=rule["Actions"])
        for unwanted in present.values():
            self.call("delete_rule", RuleArn=unwanted["RuleArn"])

    def delete(self, current: dict[str, Any]) -> None:
        arn = current["LoadBalancerArn"]
        if current["Attributes"].get(PROTECTION) == "true":
            self.set_attributes(arn, {PROTECTION: "false"})
        self.call("delete_load_balancer", LoadBalancerArn=arn)
        self.wait_until(lambda: self.is_gone(arn), "gone", self.params["wait_timeout_seconds"])

    def is_gone(self, arn: str) -> bool:
        return self.find("describe_load_balancers", LoadBalancerArns=[arn]) is None


ACTION = {
    "type": "dict",
    "required": True,
    "options": {"forward": {}, "redirect": {"type": "dict"}, "fixed_response": {"type": "dict"}},
    "mutually_exclusive": [("forward", "redirect", "fixed_response")],
    "required_one_of": [("forward", "redirect", "fixed_response")],
}
RULE = {
    "priority": {"type": "int", "required": True},
    "path_patterns": {"type": "list", "elements": "str"},
    "host_headers": {"type": "list", "elements": "str"},
    "http_header": {"type": "dict", "options": {"name": {"required": True}, "value": {"required": True, "no_log": True}}},
    "action": ACTION,
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "scheme": {"choices": ["internet-facing", "internal"], "default": "internet-facing"},
            "attributes": {"type": "dict", "default": {}},
            "listeners": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"choices": ["HTTP", "HTTPS"], "required": True},
                    "certificate_arn": {},
                    "ssl_policy": {},
                    "default_action": ACTION,
                    "rules": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": RULE,
                        "required_one_of": [("path_patterns", "host_headers", "http_header")],
                    },
                },
                "required_if": [("protocol", "HTTPS", ("certificate_arn", "ssl_policy"))],
            },
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
            "wait_timeout_seconds": {"type": "int", "default": 600},
        },
        required_if=[("state", "present", ("subnet_ids", "security_group_ids", "listeners"))],
        supports_check_mode=True,
    )
    LoadBalancer(module).run()


if __name__ == "__main__":
    main()
