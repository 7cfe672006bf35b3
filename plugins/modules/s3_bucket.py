#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket
version_added: 0.1.0
short_description: Manage an S3 bucket with its policy and its lifecycle
description:
  - A private bucket with its ownership, versioning, encryption, policy, lifecycle rules and access logging.
  - M(amazon.aws.s3_bucket) is skipped in check mode where the bucket is not there yet, and M(community.aws.s3_lifecycle) fails there, so that a check says
    nothing of a new environment; both together read and write the same bucket twice.
options:
  name:
    description: Name of the bucket, 3 to 63 lower-case letters, digits, hyphens and dots. All accounts of AWS share one name space.
    type: str
    required: true
  public_access_block:
    description: What is blocked, whatever a policy or an ACL says.
    type: dict
    default: {}
    suboptions:
      block_public_acls:
        description: Whether an ACL that opens the bucket or an object to the public is refused.
        type: bool
        default: true
      ignore_public_acls:
        description: Whether such an ACL has no effect.
        type: bool
        default: true
      block_public_policy:
        description: Whether a policy that opens the bucket to the public is refused.
        type: bool
        default: true
      restrict_public_buckets:
        description: Whether such a policy has an effect inside the account alone.
        type: bool
        default: true
  object_ownership:
    description: Who owns an object that another account wrote. C(BucketOwnerEnforced) turns ACLs off.
    type: str
    choices: [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter]
    default: BucketOwnerEnforced
  versioning:
    description: Whether objects that are replaced or deleted stay as old versions. V(false) suspends it. Without it the versioning is left alone.
    type: bool
  kms_key_id:
    description: ID, ARN or alias of the KMS key that encrypts new objects, through a bucket key. Empty for the key of S3 itself (C(AES256)).
    type: str
    default: ""
  policy:
    description: The bucket policy; an empty dict removes it. Without it the policy is left alone. It is compared by its meaning.
    type: json
  lifecycle_rules:
    description: All lifecycle rules of the bucket; an empty list removes them. Without it the rules are left alone.
    type: list
    elements: dict
    suboptions:
      id:
        description: The rule's name, at most 255 characters.
        type: str
        required: true
      prefix:
        description: The rule is for the objects whose key begins with it. Empty for all.
        type: str
        default: ""
      expiration_days:
        description: Objects are deleted after so many days.
        type: int
      noncurrent_version_expiration_days:
        description: Old versions are deleted after so many days.
        type: int
      newer_noncurrent_versions:
        description: So many old versions of an object, 1 to 100, the newest, are kept longer. Needs O(lifecycle_rules[].noncurrent_version_expiration_days).
        type: int
      expired_object_delete_marker:
        description: Whether the marker of a deleted object goes with its last version. Not together with O(lifecycle_rules[].expiration_days).
        type: bool
        default: false
      abort_incomplete_multipart_upload_days:
        description: The parts of an upload that was never completed are deleted after so many days.
        type: int
  logging:
    description: Where the access log goes; an empty dict turns it off. Without it the logging is left alone.
    type: dict
    suboptions:
      target_bucket:
        description: Name of the bucket for the log, in the same region and account. Its policy has to allow C(logging.s3.amazonaws.com) to write.
        type: str
      target_prefix:
        description: What the keys of the log's objects begin with.
        type: str
        default: ""
  force:
    description: Whether O(state=absent) also removes a bucket that has objects, with all their versions.
    type: bool
    default: false
  state:
    description: Whether the bucket is there.
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
- name: The site has a private bucket that keeps old versions for a month
  pulsegrid.aws.s3_bucket:
    name: pulsegrid-production-site-111122223333
    versioning: true
    lifecycle_rules:
      - id: old-versions
        noncurrent_version_expiration_days: 30
        abort_incomplete_multipart_upload_days: 7

- name: The load balancer can write its access log
  pulsegrid.aws.s3_bucket:
    name: pulsegrid-production-alb-logs-111122223333
    lifecycle_rules:
      - {id: old-logs, expiration_days: 90}
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Service: logdelivery.elasticloadbalancing.amazonaws.com}
          Action: s3:PutObject
          Resource: arn:aws:s3:::pulsegrid-production-alb-logs-111122223333/*

- name: The bucket is gone with everything in it
  pulsegrid.aws.s3_bucket:
    name: pulsegrid-production-site-111122223333
    force: true
    state: absent
"""

RETURN = r"""
bucket:
  description: The bucket; empty when it is absent.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    arn:
      description: Its ARN.
      type: str
    region:
      description: The region it is in.
      type: str
    versioning:
      description: Whether old versions are kept.
      type: bool
    policy:
      description: Its policy as JSON; empty where there is none.
      type: str
    lifecycle_rules:
      description: Its lifecycle rules, sorted by id; a setting that a rule does not have is null.
      type: list
      elements: dict
    tags:
      description: Its tags.
      type: dict
  sample:
    name: pulsegrid-production-site-111122223333
    arn: arn:aws:s3:::pulsegrid-production-site-111122223333
    region: eu-central-1
    versioning: true
    policy: ""
    lifecycle_rules: [{"id": "old-versions", "prefix": "", "noncurrent_version_expiration_days": 30}]
    tags: {"Environment": "production"}
"""

import json
import time
from collections.abc import Iterator
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import (
    Resource,
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    differs,
)

BLOCKED = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}
# Of a lifecycle rule: this module's options, and where AWS has them
RULE = {
    "expiration_days": ("Expiration", "Days"),
    "expired_object_delete_marker": ("Expiration", "ExpiredObjectDeleteMarker"),
    "noncurrent_version_expiration_days": ("NoncurrentVersionExpiration", "NoncurrentDays"),
    "newer_noncurrent_versions": ("NoncurrentVersionExpiration", "NewerNoncurrentVersions"),
    "abort_incomplete_multipart_upload_days": ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
}
# IAM and S3 need some seconds until S3 knows a principal that was made a moment ago.
PRINCIPAL_TRIES = 10
# A log can be delivered between the last deletion and the bucket's.
EMPTYING_TRIES = 5


class Bucket(Resource):
    service = "s3"
    kind = "S3 bucket"
    result = "bucket"
    not_found = (
        "404",
        "NoSuchBucket",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchTagSet",
    )
    retry_codes = ("OperationAborted",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        # A bucket that was made a moment ago is not known everywhere.
        retry = AWSRetry.jittered_backoff(retries=8, catch_extra_error_codes=["NoSuchBucket", *self.retry_codes])
        self.writer = module.client("s3", retry_decorator=retry)

    def describe(self) -> dict[str, Any] | None:
        head = self._head()
        if head is None:
            return None
        self._is_in_region(head)
        block = self._read("get_public_access_block", "PublicAccessBlockConfiguration", {})
        ownership = self._read("get_bucket_ownership_controls", "OwnershipControls", {"Rules": [{}]})
        encryption = self._read("get_bucket_encryption", "ServerSideEncryptionConfiguration", {"Rules": [{}]})
        policy = self._read("get_bucket_policy", "Policy", "")
        return {
            **self._identity(),
            "PublicAccessBlock": {key: block.get(key, False) for key in BLOCKED.values()},
            "ObjectOwnership": ownership["Rules"][0].get("ObjectOwnership", "ObjectWriter"),
            "Versioning": self._read("get_bucket_versioning", "Status", "") == "Enabled",
            "Encryption": encryption["Rules"][0],
            "Policy": self._text(json.loads(policy)) if policy else "",
            "LifecycleRules": self._sorted(map(self._rule, self._read("get_bucket_lifecycle_configuration", "Rules", []))),
            "Logging": self._logging(self._read("get_bucket_logging", "LoggingEnabled", {})),
            "Tags": boto3_tag_list_to_ansible_dict(self._read("get_bucket_tagging", "TagSet", [])),
        }

    def _head(self) -> dict[str, Any] | None:
        try:
            return self.client.head_bucket(aws_retry=True, Bucket=self.name)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code in self.not_found:
                return None
            if code in ("403", "AccessDenied"):
                self.module.fail_json_aws(
                    error, msg=f"{self.kind} {self.name}: it belongs to another account, or s3:ListBucket is missing. All accounts share one name space"
                )
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not look whether it is there")
        except botocore.exceptions.BotoCoreError as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not look whether it is there")
        raise AssertionError("unreachable")

    def _is_in_region(self, head: dict[str, Any]) -> None:
        region = head.get("BucketRegion") or self.client.meta.region_name
        if region != self.client.meta.region_name:
            self.module.fail_json(msg=f"{self.kind} {self.name}: it is in {region}, not in {self.client.meta.region_name}, and a bucket cannot move")

    def _identity(self) -> dict[str, str]:
        region = self.client.meta.region_name
        return {"Name": self.name, "Arn": f"arn:{self.client.meta.partition}:s3:::{self.name}", "Region": region}

    def _read(self, operation: str, key: str, otherwise: Any) -> Any:
        return (self.find(operation, Bucket=self.name) or {}).get(key) or otherwise

    @staticmethod
    def _text(policy: dict[str, Any]) -> str:
        return json.dumps(policy, indent=2, sort_keys=True) if policy else ""

    @staticmethod
    def _sorted(rules: Any) -> list[dict[str, Any]]:
        return sorted(rules, key=lambda rule: rule["Id"])

    @staticmethod
    def _logging(enabled: dict[str, Any]) -> dict[str, str]:
        return {key: enabled.get(key) or "" for key in ("TargetBucket", "TargetPrefix")}

    @staticmethod
    def _rule(rule: dict[str, Any]) -> dict[str, Any]:
        """A rule of AWS's as this module's options; under Other is what they cannot express."""
        options = {option: (rule.get(part) or {}).get(key) for option, (part, key) in RULE.items()}
        spoken_of = {**{part: {} for part, key in RULE.values()}, "ID": "", "Prefix": "", "Status": "", "Filter": {}}
        other = {key: value for key, value in rule.items() if key not in spoken_of}
        for part in ("Expiration", "NoncurrentVersionExpiration"):
            keys = {key for a_part, key in RULE.values() if a_part == part}
            other.update({key: value for key, value in (rule.get(part) or {}).items() if key not in keys})
        chosen = {key: value for key, value in (rule.get("Filter") or {}).items() if key != "Prefix"}
        prefix = (rule.get("Filter") or {}).get("Prefix") or rule.get("Prefix") or ""
        options["expired_object_delete_marker"] = bool(options["expired_object_delete_marker"])
        return {"Id": rule["ID"], "Prefix": prefix, "Enabled": rule["Status"] == "Enabled", **options, "Other": {**other, **chosen} or None}

    @staticmethod
    def _api_rule(rule: dict[str, Any]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for option, (part, key) in RULE.items():
            if rule[option]:
                parts.setdefault(part, {})[key] = rule[option]
        return {"ID": rule["Id"], "Status": "Enabled", "Filter": {"Prefix": rule["Prefix"]}, **parts}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        block = self.params["public_access_block"]
        rules, logging = self.params["lifecycle_rules"], self.params["logging"]
        return {
            **self._identity(),
            "PublicAccessBlock": {key: block[option] for option, key in BLOCKED.items()},
            "ObjectOwnership": self.params["object_ownership"],
            "Versioning": self.params["versioning"],
            "Encryption": self._wanted_encryption(),
            "Policy": self._wanted_policy((current or {}).get("Policy", "")),
            "LifecycleRules": None if rules is None else self._sorted(map(self._wanted_rule, rules)),
            "Logging": None if logging is None else {"TargetBucket": logging["target_bucket"] or "", "TargetPrefix": logging["target_prefix"]},
            "Tags": self.wanted_tags(current),
        }

    def _wanted_encryption(self) -> dict[str, Any]:
        key = self.params["kms_key_id"]
        if not key:
            return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}

    def _wanted_policy(self, current: str) -> str | None:
        """The current policy where it means the same as the given one."""
        if self.params["policy"] is None:
            return None
        policy = json.loads(self.params["policy"])
        if current and policy and not compare_policies(json.loads(current), policy):
            return current
        return self._text(policy)

    @staticmethod
    def _wanted_rule(rule: dict[str, Any]) -> dict[str, Any]:
        return {"Id": rule["id"], "Prefix": rule["prefix"], "Enabled": True, **{option: rule[option] for option in RULE}, "Other": None}

    def create(self, wanted: dict[str, Any]) -> None:
        region = self.client.meta.region_name
        # us-east-1 is said by saying nothing.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.client.create_bucket(aws_retry=True, Bucket=self.name, ObjectOwnership=wanted["ObjectOwnership"], **place)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketAlreadyExists":
                self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: another account has a bucket of this name; use another name")
            if code != "BucketAlreadyOwnedByYou":  # a retry, or somebody was quicker
                self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not create bucket")
        except botocore.exceptions.BotoCoreError as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not create bucket")
        self.wait_until(self._head, "there", seconds=120, interval=2)
        self.update(self.describe() or {}, wanted)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        writes = {
            "PublicAccessBlock": self._put_public_access_block,  # first: it decides which policies are accepted
            "ObjectOwnership": self._put_object_ownership,
            "Versioning": self._put_versioning,
            "Encryption": self._put_encryption,
            "Policy": self._put_policy,
            "LifecycleRules": self._put_lifecycle_rules,
            "Logging": self._put_logging,
        }
        for key, write in writes.items():
            if key in wanted and differs(current.get(key), wanted[key]):
                write(wanted[key])
        if any(self.tag_changes(current, wanted)):
            self._put_tags(current.get("Tags") or {}, wanted["Tags"])

    def _write(self, operation: str, **arguments: Any) -> None:
        self.call(operation, client=self.writer, Bucket=self.name, **arguments)

    def _put_public_access_block(self, block: dict[str, bool]) -> None:
        self._write("put_public_access_block", PublicAccessBlockConfiguration=block)

    def _put_object_ownership(self, ownership: str) -> None:
        self._write("put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})

    def _put_versioning(self, enabled: bool) -> None:
        self._write("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled" if enabled else "Suspended"})

    def _put_encryption(self, rule: dict[str, Any]) -> None:
        self._write("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _put_lifecycle_rules(self, rules: list[dict[str, Any]]) -> None:
        if rules:
            self._write("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [self._api_rule(rule) for rule in rules]})
        else:
            self._write("delete_bucket_lifecycle")

    def _put_logging(self, logging: dict[str, str]) -> None:
        self._write("put_bucket_logging", BucketLoggingStatus={"LoggingEnabled": logging} if logging["TargetBucket"] else {})

    def _put_tags(self, current: dict[str, str], tags: dict[str, str]) -> None:
        # The tags of a bucket are written as a whole, and those of AWS itself must be among them.
        tags = {**{key: value for key, value in current.items() if key.startswith("aws:")}, **tags}
        if tags:
            self._write("put_bucket_tagging", Tagging={"TagSet": ansible_dict_to_boto3_tag_list(tags)})
        else:
            self._write("delete_bucket_tagging")

    def _put_policy(self, policy: str) -> None:
        if not policy:
            self._write("delete_bucket_policy")
            return
        for attempt in range(1, PRINCIPAL_TRIES + 1):
            try:
                self.writer.put_bucket_policy(aws_retry=True, Bucket=self.name, Policy=policy)
                return
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                if "Invalid principal" not in str(error) or attempt == PRINCIPAL_TRIES:
                    self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not put bucket policy")
            time.sleep(3)

    def delete(self, current: dict[str, Any]) -> None:
        for attempt in range(1, EMPTYING_TRIES + 1):
            if self.params["force"]:
                self._empty()
            try:
                self.client.delete_bucket(aws_retry=True, Bucket=self.name)
                break
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else ""
                if code == "BucketNotEmpty" and not self.params["force"]:
                    self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: it has objects, and force is false")
                if code != "BucketNotEmpty" or attempt == EMPTYING_TRIES:
                    self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not delete bucket")
        self.wait_until(lambda: self._head() is None, "gone", seconds=120, interval=2)

    def _empty(self) -> None:
        for objects in self._versions():
            answer = self.call("delete_objects", "delete its objects", Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
            for error in answer.get("Errors") or []:
                self.module.fail_json(msg=f"{self.kind} {self.name}: could not delete {error.get('Key')}: {error.get('Code')} {error.get('Message')}")

    def _versions(self) -> Iterator[list[dict[str, str]]]:
        """All versions and delete markers, in pages of at most 1000, as many as one deletion takes."""
        more: dict[str, str] = {}
        while True:
            page = self.call("list_object_versions", Bucket=self.name, **more)
            found = (page.get("Versions") or []) + (page.get("DeleteMarkers") or [])
            if found:
                yield [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]
            if not page.get("IsTruncated"):
                return
            more = {f"{key}Marker": page[f"Next{key}Marker"] for key in ("Key", "VersionId") if page.get(f"Next{key}Marker")}


def main() -> None:
    yes = {"type": "bool", "default": True}
    rule = {
        "id": {"required": True},
        "prefix": {"default": ""},
        "expiration_days": {"type": "int"},
        "noncurrent_version_expiration_days": {"type": "int"},
        "newer_noncurrent_versions": {"type": "int"},
        "expired_object_delete_marker": {"type": "bool", "default": False},
        "abort_incomplete_multipart_upload_days": {"type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "public_access_block": {"type": "dict", "default": {}, "options": dict.fromkeys(BLOCKED, yes)},
            "object_ownership": {"choices": ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"], "default": "BucketOwnerEnforced"},
            "versioning": {"type": "bool"},
            "kms_key_id": {"default": "", "no_log": False},
            "policy": {"type": "json"},
            "lifecycle_rules": {"type": "list", "elements": "dict", "options": rule},
            "logging": {"type": "dict", "options": {"target_bucket": {}, "target_prefix": {"default": ""}}},
            "force": {"type": "bool", "default": False},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": yes,
        },
        supports_check_mode=True,
    )
    for given in module.params["lifecycle_rules"] or []:
        if given["expired_object_delete_marker"] and given["expiration_days"]:
            module.fail_json(msg=f"lifecycle_rules: {given['id']} has expiration_days and expired_object_delete_marker: AWS allows one of them in a rule.")
        if given["newer_noncurrent_versions"] and not (given["noncurrent_version_expiration_days"] and 1 <= given["newer_noncurrent_versions"] <= 100):
            module.fail_json(
                msg=f"lifecycle_rules: {given['id']} has newer_noncurrent_versions {given['newer_noncurrent_versions']}: "
                "allowed are 1 to 100, together with noncurrent_version_expiration_days."
            )
    Bucket(module).run()


if __name__ == "__main__":
    main()
