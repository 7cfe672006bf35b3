#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_function
version_added: 0.1.0
short_description: Manage a Lambda function and release its versions behind an alias
description:
  - Code and configuration that changed are published as a version, the version is invoked once, and only when that succeeds the alias points to it.
    Otherwise the alias stays at the version that it had, and the module fails with the function's error and its last log lines.
  - What the alias serves is compared with what is wanted, so a version that failed is tried again by the next run, and never passes for released.
  - M(amazon.aws.lambda) publishes code alone and no configuration, sends an image anew and says I(changed) each time, does not wait until a change is in
    force, and knows nothing of a version that does not work. M(amazon.aws.lambda_alias) needs the number of a version, which check mode cannot know.
  - A function keeps its kind of package for life. To replace a zip file by an image, or the other way round, remove the function first.
options:
  name:
    description: Name of the function, at most 64 letters, digits, hyphens and underscores.
    type: str
    required: true
  zip_file:
    description: Path of the zip file with the code, on the host on which the module runs.
    type: path
  image_uri:
    description: URI of the container image in ECR. A tag that was moved to another image is not seen; name the digest, or keep tags immutable.
    type: str
  runtime:
    description: Lambda's runtime, with O(zip_file).
    type: str
  handler:
    description: The function in the code that Lambda calls, with O(zip_file).
    type: str
  role_arn:
    description:
      - ARN of the role with which the function runs.
      - Required with O(state=present).
    type: str
  architecture:
    description: The processor on which the function runs.
    type: str
    choices: [x86_64, arm64]
    default: x86_64
  description:
    description: What the function does, at most 256 characters.
    type: str
    default: ""
  timeout_seconds:
    description: For how many seconds an invocation may run, 1 to 900.
    type: int
    default: 3
  memory_mib:
    description: Memory of the function in MiB, 128 to 10240.
    type: int
    default: 128
  environment:
    description: Environment variables of the function.
    type: dict
    default: {}
  subnet_ids:
    description: IDs of the subnets in which the function runs; none is outside a VPC.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: IDs of the function's security groups, with O(subnet_ids).
    type: list
    elements: str
    default: []
  tracing_mode:
    description: Whether X-Ray traces every invocation, or those alone that are already traced.
    type: str
    choices: [Active, PassThrough]
    default: PassThrough
  alias:
    description: Name of the alias that points to the released version.
    type: str
    default: live
  verify_input:
    description: What a new version is invoked with before the alias points to it, as a dictionary or as JSON. Without it the version is not invoked.
    type: json
  keep_versions:
    description: How many of the newest versions are kept, besides those to which an alias points. Older ones are removed after a release.
    type: int
    default: 3
  wait_timeout_seconds:
    description: How long Lambda may take to put a change into force.
    type: int
    default: 300
  state:
    description: Whether the function is there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Right after a role was created Lambda may not be able to assume it yet; the module tries again for about a minute.
attributes:
  diff_mode:
    description: Shows the properties before and after, with the environment variables.
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
- name: The function runs the code at hand, if that works
  pulsegrid.aws.lambda_function:
    name: pulsegrid-production-healthcheck
    zip_file: /tmp/healthcheck.zip
    runtime: python3.13
    handler: handler.lambda_handler
    role_arn: arn:aws:iam::123456789012:role/pulsegrid-production-healthcheck
    verify_input: {targets: []}

- name: The function is gone
  pulsegrid.aws.lambda_function:
    name: pulsegrid-production-healthcheck
    state: absent
"""

RETURN = r"""
function:
  description: The function as it is in its newest code and configuration; empty when it is absent. In check mode one that would be created has no ARN.
  returned: success
  type: dict
  contains:
    function_arn:
      description: Its ARN, without a version.
      type: str
      sample: arn:aws:lambda:us-east-1:123456789012:function:pulsegrid-production-healthcheck
    live_version:
      description: The version to which the alias points; missing where there is none.
      type: str
      sample: "7"
    is_live:
      description: Whether that version has this code and configuration.
      type: bool
      sample: true
    code_sha256:
      description: Checksum of the code, of a zip file.
      type: str
      sample: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
    image_uri:
      description: URI of the code, of an image.
      type: str
      sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/healthcheck:1
    tags:
      description: Its tags.
      type: dict
      sample: {"Environment": "production"}
"""

import base64
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, Resource, differs

CODE = ("CodeSha256", "ImageUri", "Architectures")
CONFIGURATION = ("Role", "Description", "Timeout", "MemorySize", "Environment", "VpcConfig", "TracingConfig", "Runtime", "Handler")
# A role that was made or changed just now: IAM is eventually consistent.
ROLE_NOT_READY = re.compile(r"cannot be assumed by Lambda|execution role does not have permissions", re.IGNORECASE)
MAY_NOT_YET = re.compile(r"AccessDenied|not authorized", re.IGNORECASE)


class Function(Resource):
    service = "lambda"
    kind = "Function"
    result = "function"
    not_found = ("ResourceNotFoundException",)
    retry_codes = ("ResourceConflictException",)
    keep_case_of = ("Tags", "Variables")

    def describe(self) -> dict[str, Any] | None:
        function = self.find("get_function", FunctionName=self.name)
        if function is None:
            return None
        properties = self.properties(function)
        alias = self.find("get_alias", FunctionName=self.name, Name=self.params["alias"])
        live = self.find("get_function", FunctionName=self.name, Qualifier=alias["FunctionVersion"]) if alias else None
        return properties | {
            "FunctionArn": function["Configuration"]["FunctionArn"],
            "PackageType": function["Configuration"].get("PackageType", "Zip"),
            "Tags": function.get("Tags") or {},
            "LiveVersion": alias and alias["FunctionVersion"],
            "IsLive": live is not None and self.properties(live) == properties,
        }

    @staticmethod
    def properties(function: dict[str, Any]) -> dict[str, Any]:
        configuration = function["Configuration"]
        vpc = configuration.get("VpcConfig") or {}
        return {
            "CodeSha256": configuration.get("CodeSha256"),
            "ImageUri": function.get("Code", {}).get("ImageUri"),
            "Architectures": configuration.get("Architectures") or ["x86_64"],
            "Role": configuration["Role"],
            "Description": configuration.get("Description", ""),
            "Timeout": configuration["Timeout"],
            "MemorySize": configuration["MemorySize"],
            "Environment": {"Variables": configuration.get("Environment", {}).get("Variables") or {}},
            "VpcConfig": {key: sorted(vpc.get(key) or []) for key in ("SubnetIds", "SecurityGroupIds")},
            "TracingConfig": {"Mode": (configuration.get("TracingConfig") or {}).get("Mode", "PassThrough")},
            "Runtime": configuration.get("Runtime"),
            "Handler": configuration.get("Handler"),
        }

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        image_uri = self.params["image_uri"]
        if current and (current["PackageType"] == "Image") != bool(image_uri):
            kinds = ("a zip file", "an image") if image_uri else ("an image", "a zip file")
            self.module.fail_json(msg=f"{self.kind} {self.name} is made of {kinds[0]} and cannot become one of {kinds[1]}: remove it first")
        return {
            "CodeSha256": None if image_uri else base64.b64encode(hashlib.sha256(self.code()).digest()).decode(),
            "ImageUri": image_uri,
            "Architectures": [self.params["architecture"]],
            "Role": self.params["role_arn"],
            "Description": self.params["description"],
            "Timeout": self.params["timeout_seconds"],
            "MemorySize": self.params["memory_mib"],
            "Environment": {"Variables": self.wanted_variables(current)},
            "VpcConfig": {"SubnetIds": sorted(self.params["subnet_ids"]), "SecurityGroupIds": sorted(self.params["security_group_ids"])},
            "TracingConfig": {"Mode": self.params["tracing_mode"]},
            "Runtime": None if image_uri else self.params["runtime"],
            "Handler": None if image_uri else self.params["handler"],
            "IsLive": True,
            "Tags": self.wanted_tags(current),
        }

    def wanted_variables(self, current: dict[str, Any] | None) -> dict[str, str | None]:
        """The environment variables; those that are no longer given show as None, so that their removal is a difference."""
        gone = dict.fromkeys(current["Environment"]["Variables"] if current else {})
        return gone | {key: str(value) for key, value in self.params["environment"].items()}

    @staticmethod
    def configuration(wanted: dict[str, Any]) -> dict[str, Any]:
        variables = {key: value for key, value in wanted["Environment"]["Variables"].items() if value is not None}
        return {key: wanted[key] for key in CONFIGURATION if key in wanted} | {"Environment": {"Variables": variables}}

    def code(self) -> bytes:
        try:
            return Path(self.params["zip_file"]).read_bytes()
        except OSError as error:
            self.module.fail_json(msg=f"{self.kind} {self.name}: zip_file {self.params['zip_file']} cannot be read: {error}")
            raise  # fail_json does not return

    def code_arguments(self) -> dict[str, Any]:
        return {"ImageUri": self.params["image_uri"]} if self.params["image_uri"] else {"ZipFile": self.code()}

    def create(self, wanted: dict[str, Any]) -> None:
        arguments = self.configuration(wanted)
        if not wanted["VpcConfig"]["SubnetIds"]:
            del arguments["VpcConfig"]
        self.put(
            "create_function",
            PackageType="Image" if self.params["image_uri"] else "Zip",
            Architectures=wanted["Architectures"],
            Code=self.code_arguments(),
            Tags=wanted.get("Tags") or {},
            **arguments,
        )
        self.wait_for("function_active_v2", "active")
        self.release(None)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", Resource=current["FunctionArn"], Tags=to_set)
        if to_remove:
            self.call("untag_resource", Resource=current["FunctionArn"], TagKeys=to_remove)
        configuration = {key: value for key, value in self.configuration(wanted).items() if differs(current[key], wanted[key])}
        new_code = any(key in wanted and differs(current[key], wanted[key]) for key in CODE)
        if configuration:
            self.wait_for("function_updated_v2", "updated")
            self.put("update_function_configuration", **configuration)
        if new_code:
            self.wait_for("function_updated_v2", "updated")
            self.put("update_function_code", Architectures=wanted["Architectures"], **self.code_arguments())
        if configuration or new_code or not current["IsLive"]:
            self.wait_for("function_updated_v2", "updated")
            self.release(current["LiveVersion"])

    def put(self, operation: str, **arguments: Any) -> None:
        self.wait_until(lambda: self.put_once(operation, arguments), "able to assume its role", 60)

    def put_once(self, operation: str, arguments: dict[str, Any]) -> bool:
        """False while Lambda cannot assume the role, or the role cannot do yet what the configuration needs."""
        try:
            getattr(self.client, operation)(aws_retry=True, FunctionName=self.name, **arguments)
        except botocore.exceptions.ClientError as error:
            details = error.response["Error"]
            if details["Code"] == "InvalidParameterValueException" and ROLE_NOT_READY.search(details.get("Message", "")):
                return False
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {operation.replace('_', ' ')}")
        except botocore.exceptions.BotoCoreError as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: could not {operation.replace('_', ' ')}")
        return True

    def wait_for(self, waiter: str, what: str, **arguments: Any) -> None:
        delay = 5 if waiter == "published_version_active" else 1
        attempts = max(1, self.params["wait_timeout_seconds"] // delay)
        try:
            self.client.get_waiter(waiter).wait(FunctionName=self.name, WaiterConfig={"Delay": delay, "MaxAttempts": attempts}, **arguments)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.fail_json_aws(error, msg=f"{self.kind} {self.name}: not {what}")

    def release(self, live: str | None) -> None:
        """Publish what there is, see that it works, point the alias to it, and clean up."""
        # Lambda answers with the newest version where nothing has changed since.
        version = self.call("publish_version", FunctionName=self.name)["Version"]
        self.wait_for("published_version_active", f"active in version {version}", Qualifier=version)
        if self.params["verify_input"] is not None:
            self.verify(version, live)
        alias = {"FunctionName": self.name, "Name": self.params["alias"], "FunctionVersion": version}
        if live is None:
            self.call("create_alias", **alias)
        else:
            # Without weights of another version, which somebody may have left
            self.call("update_alias", RoutingConfig={"AdditionalVersionWeights": {}}, **alias)
        self.prune(kept={version, live})

    def verify(self, version: str, live: str | None) -> None:
        for again in (True, True, True, False):
            error, log = self.invoke(version)
            if error is None:
                return
            if not (again and MAY_NOT_YET.search(error)):
                break
            time.sleep(5)
        stays = f"alias {self.params['alias']} stays at version {live}" if live else "there is no released version yet"
        self.module.fail_json(msg=f"{self.kind} {self.name}: version {version} fails, {stays}: {error}", log=log.splitlines()[-20:])

    def invoke(self, version: str) -> tuple[str | None, str]:
        """The error with which the version fails, and its last log lines."""
        # An invocation may take as long as its timeout, and is not to be sent twice meanwhile.
        client = self.module.client("lambda", config={"read_timeout": self.params["timeout_seconds"] + 30, "retries": {"max_attempts": 0}})
        payload = self.params["verify_input"].encode()
        try:
            answer = self.patient(client, FunctionName=self.name, Qualifier=version, Payload=payload, LogType="Tail")
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            return str(error), ""
        log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
        if not answer.get("FunctionError"):
            return None, log
        text = answer["Payload"].read().decode(errors="replace")
        try:
            error = json.loads(text)
            return f"{error.get('errorType', answer['FunctionError'])}: {error['errorMessage']}", log
        except (ValueError, KeyError, AttributeError):
            return text, log

    def patient(self, client: Any, **arguments: Any) -> dict[str, Any]:
        """A scheduled invocation may have all the concurrency that is reserved."""
        for _attempt in range(10):
            try:
                return client.invoke(**arguments)
            except client.exceptions.TooManyRequestsException:
                time.sleep(5)
        return client.invoke(**arguments)

    def prune(self, kept: set[str | None]) -> None:
        kept |= {alias["FunctionVersion"] for alias in self.pages("list_aliases", "Aliases")}
        versions = [it["Version"] for it in self.pages("list_versions_by_function", "Versions") if it["Version"] != "$LATEST"]
        for version in sorted(versions, key=int, reverse=True)[self.params["keep_versions"] :]:
            if version not in kept:
                self.find("delete_function", FunctionName=self.name, Qualifier=version)

    def pages(self, operation: str, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self.call(operation, FunctionName=self.name, **more)
            found += page[key]
            if not page.get("NextMarker"):
                return found
            more = {"Marker": page["NextMarker"]}

    def delete(self, current: dict[str, Any]) -> None:
        # With it go its versions and aliases
        self.find("delete_function", FunctionName=self.name)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "zip_file": {"type": "path"},
            "image_uri": {},
            "runtime": {},
            "handler": {},
            "role_arn": {},
            "architecture": {"choices": ["x86_64", "arm64"], "default": "x86_64"},
            "description": {"default": ""},
            "timeout_seconds": {"type": "int", "default": 3},
            "memory_mib": {"type": "int", "default": 128},
            "environment": {"type": "dict", "default": {}},
            "subnet_ids": {"type": "list", "elements": "str", "default": []},
            "security_group_ids": {"type": "list", "elements": "str", "default": []},
            "tracing_mode": {"choices": ["Active", "PassThrough"], "default": "PassThrough"},
            "alias": {"default": "live"},
            "verify_input": {"type": "json"},
            "keep_versions": {"type": "int", "default": 3},
            "wait_timeout_seconds": {"type": "int", "default": 300},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        mutually_exclusive=[("zip_file", "image_uri"), ("image_uri", "runtime"), ("image_uri", "handler")],
        required_together=[("zip_file", "runtime", "handler")],
        required_if=[("state", "present", ("role_arn",)), ("state", "present", ("zip_file", "image_uri"), True)],
        supports_check_mode=True,
    )
    Function(module).run()


if __name__ == "__main__":
    main()
