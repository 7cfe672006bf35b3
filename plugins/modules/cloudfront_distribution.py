#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudfront_distribution
version_added: 0.1.0
short_description: Manage a CloudFront distribution
description:
  - Creates, updates, waits for and removes a CloudFront distribution.
  - The options are those of CloudFront's C(DistributionConfig) in snake case, with plain lists.
  - M(community.aws.cloudfront_distribution) has no check mode, does not know origin access controls, CloudFront functions and origin request and response
    headers policies, and reports a change where AWS spelt out a default.
  - An option that is not given is left as it is. An origin or a cache behavior that is given is entirely what is given. What AWS adds to it by default is no
    difference, and settings that this module has no option for are kept.
  - A distribution is found by its caller reference, which nobody can change, unlike a tag or a comment. It is I(name), a slash and the time of creation,
    since AWS does not promise that the reference of a deleted distribution may be used again. Distributions whose comment is I(comment) are looked at first,
    which makes the search one request long unless the comment was edited.
options:
  name:
    description: What identifies the distribution in the account, at most 100 letters, digits, hyphens, underscores and dots.
    type: str
    required: true
  comment:
    description: The distribution's comment, at most 128 characters. A new distribution has I(name) by default.
    type: str
  enabled:
    description: Whether the distribution answers. A new distribution does by default.
    type: bool
  aliases:
    description: Alternate domain names.
    type: list
    elements: str
  viewer_certificate:
    description: The certificate for the aliases. An empty dictionary stands for CloudFront's own certificate.
    type: dict
    suboptions:
      acm_certificate_arn:
        description: ARN of a certificate in Certificate Manager, in us-east-1.
        type: str
      minimum_protocol_version:
        description: The oldest TLS version and ciphers (security policy) that viewers may use.
        type: str
        default: TLSv1.2_2021
      ssl_support_method:
        description: How requests for the aliases are told apart.
        type: str
        choices: [sni-only, vip, static-ip]
        default: sni-only
  default_root_object:
    description: The object that answers a request for C(/). An empty string for none.
    type: str
  price_class:
    description: Where in the world the distribution is served from.
    type: str
    choices: [PriceClass_100, PriceClass_200, PriceClass_All]
  http_version:
    description: The newest HTTP versions that viewers may use.
    type: str
    choices: [http1.1, http2, http3, http2and3]
  is_ipv6_enabled:
    description: Whether IPv6 requests are answered.
    type: bool
  web_acl_id:
    description: ARN of a web ACL (WAFv2), of the scope C(CLOUDFRONT) in us-east-1. An empty string for none.
    type: str
  geo_restriction:
    description: The countries that may see the distribution. An empty dictionary stands for all.
    type: dict
    suboptions:
      restriction_type:
        description: Whether I(locations) are the only countries that may (C(whitelist)) or the only ones that may not (C(blacklist)).
        type: str
        choices: [none, whitelist, blacklist]
        default: none
      locations:
        description: Countries, as two upper-case letters (ISO 3166-1).
        type: list
        elements: str
        default: []
  logging:
    description: Where the access log goes (standard logging). An empty dictionary turns it off.
    type: dict
    suboptions:
      bucket:
        description: Domain name of the bucket (C(BUCKET.s3.amazonaws.com)), which must allow ACLs.
        type: str
        default: ""
      prefix:
        description: What the keys of the log's objects begin with.
        type: str
        default: ""
      include_cookies:
        description: Whether cookies are logged too.
        type: bool
        default: false
  origins:
    description: The origins. One without I(custom_origin_config) is an S3 bucket. Required for a new distribution.
    type: list
    elements: dict
    suboptions:
      id:
        description: The name by which cache behaviors refer to it.
        type: str
        required: true
      domain_name:
        description: Its domain name. For a bucket, the regional one (C(BUCKET.s3.REGION.amazonaws.com)).
        type: str
        required: true
      origin_path:
        description: A path that CloudFront puts before the request's, beginning with a slash.
        type: str
        default: ""
      origin_access_control_id:
        description: Id of the origin access control with which CloudFront signs its requests.
        type: str
        default: ""
      custom_headers:
        description: Headers that CloudFront adds to each request to this origin.
        type: list
        elements: dict
        default: []
        suboptions:
          header_name:
            description: The header's name.
            type: str
            required: true
          header_value:
            description: The header's value. It is kept out of logs and results.
            type: str
            required: true
      origin_shield_region:
        description: Region of the cache that stands between all edge locations and the origin (Origin Shield). Empty for none.
        type: str
        default: ""
      connection_attempts:
        description: How often CloudFront tries to connect, 1 to 3 times.
        type: int
        default: 3
      connection_timeout:
        description: How long CloudFront tries to connect, 1 to 10 seconds.
        type: int
        default: 10
      custom_origin_config:
        description: What an origin that is not a bucket needs.
        type: dict
        suboptions:
          origin_protocol_policy:
            description: The protocol that CloudFront uses towards the origin.
            type: str
            choices: [http-only, https-only, match-viewer]
            required: true
          http_port:
            description: The origin's port for HTTP.
            type: int
            default: 80
          https_port:
            description: The origin's port for HTTPS.
            type: int
            default: 443
          origin_ssl_protocols:
            description: The TLS versions that CloudFront may use towards the origin.
            type: list
            elements: str
            choices: [TLSv1, TLSv1.1, TLSv1.2]
            default: [TLSv1.2]
          origin_read_timeout:
            description: How long CloudFront waits for an answer, and between two packets of one, in seconds.
            type: int
            default: 30
          origin_keepalive_timeout:
            description: How long CloudFront keeps an idle connection, in seconds.
            type: int
            default: 5
  default_cache_behavior:
    description: What happens to a request that no other cache behavior matches. Required for a new distribution.
    type: dict
    suboptions: &behavior
      target_origin_id:
        description: The I(origins[].id) that answers.
        type: str
        required: true
      viewer_protocol_policy:
        description: What happens to a request over HTTP.
        type: str
        choices: [allow-all, https-only, redirect-to-https]
        default: redirect-to-https
      allowed_methods:
        description: The methods that are passed to the origin. AWS allows C(GET, HEAD), these with C(OPTIONS), or all seven.
        type: list
        elements: str
        default: [GET, HEAD]
      cached_methods:
        description: The methods whose answers are cached.
        type: list
        elements: str
        default: [GET, HEAD]
      compress:
        description: Whether CloudFront compresses what the viewer accepts compressed.
        type: bool
        default: true
      cache_policy_id:
        description: Id of the cache policy, of AWS's managed ones or an own one.
        type: str
        required: true
      origin_request_policy_id:
        description: Id of the origin request policy. An empty string for none.
        type: str
        default: ""
      response_headers_policy_id:
        description: Id of the response headers policy. An empty string for none.
        type: str
        default: ""
      function_associations:
        description: CloudFront functions to run.
        type: list
        elements: dict
        default: []
        suboptions:
          event_type:
            description: When it runs.
            type: str
            choices: [viewer-request, viewer-response]
            required: true
          function_arn:
            description: ARN of the function.
            type: str
            required: true
  cache_behaviors:
    description: The cache behaviors in their order. The first whose path pattern matches a request decides. Each has the options of
      I(default_cache_behavior) and its pattern.
    type: list
    elements: dict
    suboptions:
      path_pattern:
        description: The paths it is for, such as C(/api/*).
        type: str
        required: true
      <<: *behavior
  wait:
    description: Whether to wait until every edge location has the configuration. Removal always waits, as AWS deletes only what is disabled everywhere.
    type: bool
    default: true
  wait_timeout_seconds:
    description: How long to wait, in seconds. AWS takes some minutes.
    type: int
    default: 1800
  state:
    description: Whether the distribution is there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the configuration before and after.
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
- name: The site is served by CloudFront
  pulsegrid.aws.cloudfront_distribution:
    name: pulsegrid-production-site
    default_root_object: index.html
    http_version: http2and3
    origins:
      - id: site
        domain_name: pulsegrid-production-site-111122223333.s3.eu-central-1.amazonaws.com
        origin_access_control_id: "{{ access_control.origin_access_control.id }}"
      - id: api
        domain_name: "{{ alb_outputs.dns_name }}"
        custom_origin_config: {origin_protocol_policy: http-only}
    default_cache_behavior:
      target_origin_id: site
      cache_policy_id: 658327ea-f89d-4fab-a63d-7e88639e58f6  # CachingOptimized
    cache_behaviors:
      - path_pattern: /api/*
        target_origin_id: api
        allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
        cache_policy_id: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad  # CachingDisabled
        origin_request_policy_id: 216adef6-5c7f-47e4-b989-5492eafa07d3  # AllViewer
    wait: false

- name: The distribution is deployed
  pulsegrid.aws.cloudfront_distribution:
    name: pulsegrid-production-site

- name: The distribution is gone
  pulsegrid.aws.cloudfront_distribution:
    name: pulsegrid-production-site
    state: absent
"""

RETURN = r"""
distribution:
  description: The distribution with its configuration, lists as AWS counts them (C(quantity), C(items)); empty when it is absent. In check mode id, ARN and
    domain name of one that would be created are placeholders.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: E1ABCDEF2GHIJK
    arn:
      description: Its ARN.
      type: str
      sample: arn:aws:cloudfront::111122223333:distribution/E1ABCDEF2GHIJK
    domain_name:
      description: The domain name that AWS gave it.
      type: str
      sample: d111111abcdef8.cloudfront.net
    status:
      description: C(Deployed) when every edge location has the configuration, C(InProgress) before.
      type: str
      sample: Deployed
    aliases:
      description: Alternate domain names.
      type: dict
      sample: {"quantity": 0, "items": []}
    tags:
      description: Its tags.
      type: dict
      sample: {"Application": "pulsegrid"}
"""

import time
from types import MappingProxyType
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.cloudfront import CloudFrontResource, find_distribution, to_api
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, ansible_dict_to_boto3_tag_list, boto3_tag_list_to_ansible_dict, differs

CONFIG_OPTIONS = (
    "aliases",
    "cache_behaviors",
    "comment",
    "default_cache_behavior",
    "default_root_object",
    "enabled",
    "http_version",
    "is_ipv6_enabled",
    "logging",
    "origins",
    "price_class",
    "viewer_certificate",
    "web_acl_id",
)
NONE = {"Quantity": 0, "Items": []}
# What AWS leaves out of its answer when it is not set: of a distribution, of an origin, of a cache behavior (each known by a key it always has).
UNSET = {
    "CallerReference": {
        "Aliases": NONE,
        "CacheBehaviors": NONE,
        "DefaultRootObject": "",
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", **NONE}},
        "WebACLId": "",
    },
    "DomainName": {"CustomHeaders": NONE, "OriginAccessControlId": "", "OriginPath": "", "OriginShield": {"Enabled": False}},
    "TargetOriginId": {"CachePolicyId": "", "FunctionAssociations": NONE, "OriginRequestPolicyId": "", "ResponseHeadersPolicyId": ""},
}
# Settings that go when the one that excludes them is given.
OTHER_CERTIFICATES = ("Certificate", "CertificateSource", "IAMCertificateId")
EXCLUDED = {
    "ACMCertificateArn": ("CloudFrontDefaultCertificate", *OTHER_CERTIFICATES),
    "CachePolicyId": ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"),
    "CloudFrontDefaultCertificate": ("ACMCertificateArn", "MinimumProtocolVersion", "SSLSupportMethod", *OTHER_CERTIFICATES),
    "CustomOriginConfig": ("S3OriginConfig", "VpcOriginConfig"),
    "S3OriginConfig": ("CustomOriginConfig", "VpcOriginConfig"),
}
# AWS takes these only when they have a value.
NEVER_EMPTY = ("CachePolicyId", "OriginRequestPolicyId", "ResponseHeadersPolicyId")


def normalised(value: Any) -> Any:
    """A configuration in which equal settings look equal: defaults spelt out, and an order in every list whose order means nothing."""
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if not isinstance(value, dict):
        return value
    unset = next((defaults for mark, defaults in UNSET.items() if mark in value), {})
    value = {**unset, **{key: normalised(item) for key, item in value.items()}}
    if "Quantity" in value:
        value["Items"] = sorted(value.get("Items") or [], key=rank)
    return value


def rank(item: Any) -> str:
    """What a list is sorted by. Cache behaviors have an order of their own: all rank the same, and sorted() keeps them as they are."""
    if isinstance(item, dict):
        return next((item[key] for key in ("Id", "HeaderName", "EventType") if key in item), "")
    return item


def identity(item: Any) -> str | None:
    return item.get("Id") or item.get("PathPattern") if isinstance(item, dict) else None


def merged(current: Any, wanted: Any) -> Any:
    """What wanted says and, for what it does not speak of, what current has. Origins are matched by id, cache behaviors by path pattern."""
    if isinstance(wanted, list):
        known = {identity(item): item for item in current or [] if identity(item)}
        return [merged(known.get(identity(item)), item) for item in wanted]
    if not isinstance(wanted, dict) or not isinstance(current, dict):
        return wanted
    kept = {key: value for key, value in current.items() if not any(key in EXCLUDED.get(given, ()) for given in wanted)}
    return {**kept, **{key: merged(kept.get(key), value) for key, value in wanted.items()}}


def payload(value: Any) -> Any:
    """The configuration as the API takes it: no empty list of items, no empty policy id, no region of a shield that is off."""
    if isinstance(value, dict):
        left_out = {key for key, item in value.items() if (item == [] and key == "Items") or (item == "" and key in NEVER_EMPTY)}
        if value.get("Enabled") is False:
            left_out.add("OriginShieldRegion")
        return {key: payload(item) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [payload(item) for item in value]
    return value


class Distribution(CloudFrontResource):
    kind = "CloudFront distribution"
    result = "distribution"
    not_found = ("NoSuchDistribution",)
    placeholder = MappingProxyType(
        {
            "Id": "E00000000000000",
            "ARN": "arn:aws:cloudfront::000000000000:distribution/E00000000000000",
            "DomainName": "d00000000000000.cloudfront.net",
            "Status": "InProgress",
        }
    )
    id: str | None = None

    def describe(self) -> dict[str, Any] | None:
        distribution = self._get(self.id) if self.id else self._search()
        if distribution is None:
            return None
        self.id = distribution["Id"]
        config = normalised(distribution["DistributionConfig"])
        for origin in config["Origins"]["Items"]:
            self.module.no_log_values.update(header["HeaderValue"] for header in origin["CustomHeaders"]["Items"])
        tags = self.call("list_tags_for_resource", Resource=distribution["ARN"])["Tags"].get("Items") or []
        about = {key: distribution[key] for key in ("Id", "ARN", "DomainName", "Status")}
        return {**config, **about, "Tags": boto3_tag_list_to_ansible_dict(tags)}

    def _get(self, distribution_id: str) -> dict[str, Any] | None:
        answer = self.find("get_distribution", Id=distribution_id)
        return answer and answer["Distribution"]

    def _search(self) -> dict[str, Any] | None:
        def ask(operation: str, **arguments: str) -> dict[str, Any]:
            if operation == "list_distributions":
                return {"DistributionList": {"Items": list(self.listed(operation, "DistributionList"))}}
            return self.find(operation, **arguments) or {}

        return find_distribution(self.name, self.params["comment"] or self.name, ask)

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        missing = [option for option in ("origins", "default_cache_behavior") if not self.params[option]]
        if current is None and missing and not self.module.check_mode:
            self.module.fail_json(msg=f"{self.kind} {self.name} is not there, and without {' and '.join(missing)} it cannot be created")
        options = {option: self.params[option] for option in CONFIG_OPTIONS if self.params[option] is not None}
        if "viewer_certificate" in options:
            certificate = options["viewer_certificate"]
            options["viewer_certificate"] = certificate if certificate["acm_certificate_arn"] else {"cloud_front_default_certificate": True}
        if self.params["geo_restriction"] is not None:
            restriction = self.params["geo_restriction"]
            locations = {"quantity": len(restriction["locations"]), "items": restriction["locations"]}
            options["restrictions"] = {"geo_restriction": {"restriction_type": restriction["restriction_type"], **locations}}
        if "logging" in options:
            options["logging"] = {**options["logging"], "enabled": bool(options["logging"]["bucket"])}
        if "origins" in options:
            options["origins"] = [self._origin(origin) for origin in options["origins"]]
        if "default_cache_behavior" in options:
            options["default_cache_behavior"] = self._behavior(options["default_cache_behavior"])
        if "cache_behaviors" in options:
            options["cache_behaviors"] = [self._behavior(behavior) for behavior in options["cache_behaviors"]]
        config = to_api(self.shape("DistributionConfig"), options)
        return {**{key: normalised(value) for key, value in config.items()}, "Tags": self.wanted_tags(current)}

    @staticmethod
    def _origin(origin: dict[str, Any]) -> dict[str, Any]:
        shield = origin["origin_shield_region"]
        others = {option: value for option, value in origin.items() if option != "origin_shield_region"}
        others["origin_shield"] = {"enabled": True, "origin_shield_region": shield} if shield else {"enabled": False}
        return others if origin["custom_origin_config"] else {**others, "s3_origin_config": {"origin_access_identity": ""}}

    @staticmethod
    def _behavior(behavior: dict[str, Any]) -> dict[str, Any]:
        """CloudFront keeps the cached methods among the allowed ones."""
        allowed, cached = behavior["allowed_methods"], behavior["cached_methods"]
        others = {option: value for option, value in behavior.items() if option != "cached_methods"}
        return {**others, "allowed_methods": {"quantity": len(allowed), "items": allowed, "cached_methods": cached}}

    @staticmethod
    def _config(wanted: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in wanted.items() if key != "Tags"}

    def create(self, wanted: dict[str, Any]) -> None:
        new = {"CallerReference": f"{self.name}/{int(time.time())}", "Comment": self.name, "Enabled": True, **self._config(wanted)}
        answer = self.call(
            "create_distribution_with_tags",
            "create it",
            DistributionConfigWithTags={"DistributionConfig": payload(new), "Tags": {"Items": ansible_dict_to_boto3_tag_list(wanted.get("Tags") or {})}},
        )
        self.id = answer["Distribution"]["Id"]

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        config = self._config(wanted)
        if differs(current, config):
            self._change(config)
        added, removed = self.tag_changes(current, wanted)
        if added:
            self.call("tag_resource", Resource=current["ARN"], Tags={"Items": ansible_dict_to_boto3_tag_list(added)})
        if removed:
            self.call("untag_resource", Resource=current["ARN"], TagKeys={"Items": removed})

    def _change(self, config: dict[str, Any]) -> None:
        self.replace(
            "get_distribution",
            "update_distribution",
            {"Id": str(self.id)},
            lambda answer: {"DistributionConfig": payload(merged(normalised(answer["Distribution"]["DistributionConfig"]), config))},
        )

    def delete(self, current: dict[str, Any]) -> None:
        if current["Enabled"]:
            self._change({"Enabled": False})
        self._wait()
        self.replace("get_distribution", "delete_distribution", {"Id": current["Id"]})

    def _wait(self) -> None:
        self.wait_until(
            lambda: (self._get(str(self.id)) or {}).get("Status") == "Deployed",
            "deployed",
            seconds=self.params["wait_timeout_seconds"],
            interval=10,
        )

    def exit(self, changed: bool, before: dict[str, Any] | None, after: dict[str, Any] | None, resource: dict[str, Any] | None, **more: Any) -> None:
        if resource is not None and self.params["wait"] and not self.module.check_mode and resource["Status"] != "Deployed":
            self._wait()
            resource = self.describe()
        super().exit(changed, before, after, resource, **more)


def main() -> None:
    text, required = {"type": "str"}, {"type": "str", "required": True}
    behavior = {
        "target_origin_id": required,
        "viewer_protocol_policy": {"type": "str", "choices": ["allow-all", "https-only", "redirect-to-https"], "default": "redirect-to-https"},
        "allowed_methods": {"type": "list", "elements": "str", "default": ["GET", "HEAD"]},
        "cached_methods": {"type": "list", "elements": "str", "default": ["GET", "HEAD"]},
        "compress": {"type": "bool", "default": True},
        "cache_policy_id": required,
        "origin_request_policy_id": {"type": "str", "default": ""},
        "response_headers_policy_id": {"type": "str", "default": ""},
        "function_associations": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"event_type": {**required, "choices": ["viewer-request", "viewer-response"]}, "function_arn": required},
        },
    }
    custom_origin = {
        "origin_protocol_policy": {**required, "choices": ["http-only", "https-only", "match-viewer"]},
        "http_port": {"type": "int", "default": 80},
        "https_port": {"type": "int", "default": 443},
        "origin_ssl_protocols": {"type": "list", "elements": "str", "choices": ["TLSv1", "TLSv1.1", "TLSv1.2"], "default": ["TLSv1.2"]},
        "origin_read_timeout": {"type": "int", "default": 30},
        "origin_keepalive_timeout": {"type": "int", "default": 5},
    }
    origin = {
        "id": required,
        "domain_name": required,
        "origin_path": {"type": "str", "default": ""},
        "origin_access_control_id": {"type": "str", "default": ""},
        "custom_headers": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"header_name": required, "header_value": {**required, "no_log": True}},
        },
        "origin_shield_region": {"type": "str", "default": ""},
        "connection_attempts": {"type": "int", "default": 3},
        "connection_timeout": {"type": "int", "default": 10},
        "custom_origin_config": {"type": "dict", "options": custom_origin},
    }
    certificate = {
        "acm_certificate_arn": text,
        "minimum_protocol_version": {"type": "str", "default": "TLSv1.2_2021"},
        "ssl_support_method": {"type": "str", "choices": ["sni-only", "vip", "static-ip"], "default": "sni-only"},
    }
    restriction = {
        "restriction_type": {"type": "str", "choices": ["none", "whitelist", "blacklist"], "default": "none"},
        "locations": {"type": "list", "elements": "str", "default": []},
    }
    logging = {
        "bucket": {"type": "str", "default": ""},
        "prefix": {"type": "str", "default": ""},
        "include_cookies": {"type": "bool", "default": False},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": required,
            "comment": text,
            "enabled": {"type": "bool"},
            "aliases": {"type": "list", "elements": "str"},
            "viewer_certificate": {"type": "dict", "options": certificate},
            "default_root_object": text,
            "price_class": {"type": "str", "choices": ["PriceClass_100", "PriceClass_200", "PriceClass_All"]},
            "http_version": {"type": "str", "choices": ["http1.1", "http2", "http3", "http2and3"]},
            "is_ipv6_enabled": {"type": "bool"},
            "web_acl_id": text,
            "geo_restriction": {"type": "dict", "options": restriction},
            "logging": {"type": "dict", "options": logging},
            "origins": {"type": "list", "elements": "dict", "options": origin},
            "default_cache_behavior": {"type": "dict", "options": behavior},
            "cache_behaviors": {"type": "list", "elements": "dict", "options": {"path_pattern": required, **behavior}},
            **TAG_OPTIONS,
            "wait": {"type": "bool", "default": True},
            "wait_timeout_seconds": {"type": "int", "default": 1800},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    Distribution(module).run()


if __name__ == "__main__":
    main()
