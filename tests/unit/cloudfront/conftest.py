# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudFront in memory, as strict as botocore's model of its API. moto knows neither published functions nor response headers policies."""

from __future__ import annotations

import io
import json
from copy import deepcopy
from itertools import count
from types import ModuleType
from typing import Any

import botocore.client
import botocore.exceptions
import pytest
from ansible.module_utils.testing import patch_module_args
from botocore import xform_name
from botocore.validate import ParamValidator

READING = ("Get", "List", "Describe")


class CloudFront:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.store: dict[str, dict[str, Any]] = {"distribution": {}, "control": {}, "policy": {}, "function": {}}
        self.tags: dict[str, dict[str, str]] = {}
        self.numbers = count(1)
        self.intruder: Any = None  # called once before the next guarded write, as another writer would

    def call(self, client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(operation)
        report = ParamValidator().validate(parameters, client.meta.service_model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
        try:
            return deepcopy(getattr(self, xform_name(operation))(**deepcopy(parameters)))
        except LookupError as error:
            raise botocore.exceptions.ClientError({"Error": {"Code": str(error.args[0]), "Message": "refused"}}, operation) from error

    @property
    def mutations(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(READING)]

    def add(self, kind: str, key: str, **item: Any) -> dict[str, Any]:
        self.store[kind][key] = {**item, "ETag": f"E{next(self.numbers)}"}
        return self.store[kind][key]

    def one(self, kind: str, key: str, missing: str) -> dict[str, Any]:
        if key not in self.store[kind]:
            raise LookupError(missing)
        return self.store[kind][key]

    def guarded(self, kind: str, key: str, etag: str) -> dict[str, Any]:
        if self.intruder:
            intruder, self.intruder = self.intruder, None
            intruder()
            self.store[kind][key]["ETag"] = f"E{next(self.numbers)}"
        if self.store[kind][key]["ETag"] != etag:
            raise LookupError("PreconditionFailed")
        self.store[kind][key]["ETag"] = f"E{next(self.numbers)}"
        return self.store[kind][key]

    def page(self, kind: str, answer: str, marker: str, summary: Any) -> dict[str, Any]:
        """One item to a page."""
        keys = list(self.store[kind])
        start = keys.index(marker) if marker else 0
        more = {"NextMarker": keys[start + 1]} if start + 1 < len(keys) else {}
        items = {"Items": [summary(keys[start], self.store[kind][keys[start]])]} if keys else {}
        return {answer: {"Quantity": len(items), "MaxItems": 1, **items, **more}}

    # Origin access controls

    def list_origin_access_controls(self, Marker: str = "") -> dict[str, Any]:
        return self.page("control", "OriginAccessControlList", Marker, lambda key, item: {"Id": key, **item["config"]})

    def create_origin_access_control(self, OriginAccessControlConfig: dict[str, Any]) -> dict[str, Any]:
        self.add("control", f"OAC{next(self.numbers)}", config=OriginAccessControlConfig)
        return {}

    def get_origin_access_control(self, Id: str) -> dict[str, Any]:
        return {"ETag": self.one("control", Id, "NoSuchOriginAccessControl")["ETag"]}

    def update_origin_access_control(self, Id: str, IfMatch: str, OriginAccessControlConfig: dict[str, Any]) -> dict[str, Any]:
        self.guarded("control", Id, IfMatch)["config"] = OriginAccessControlConfig
        return {}

    def delete_origin_access_control(self, Id: str, IfMatch: str) -> dict[str, Any]:
        self.guarded("control", Id, IfMatch)
        del self.store["control"][Id]
        return {}

    # Response headers policies

    def list_response_headers_policies(self, Marker: str = "") -> dict[str, Any]:
        def summary(key: str, item: dict[str, Any]) -> dict[str, Any]:
            return {"Type": "custom", "ResponseHeadersPolicy": {"Id": key, "ResponseHeadersPolicyConfig": item["config"]}}

        return self.page("policy", "ResponseHeadersPolicyList", Marker, summary)

    def create_response_headers_policy(self, ResponseHeadersPolicyConfig: dict[str, Any]) -> dict[str, Any]:
        self.add("policy", f"RHP{next(self.numbers)}", config=ResponseHeadersPolicyConfig)
        return {}

    def get_response_headers_policy(self, Id: str) -> dict[str, Any]:
        return {"ETag": self.one("policy", Id, "NoSuchResponseHeadersPolicy")["ETag"]}

    def update_response_headers_policy(self, Id: str, IfMatch: str, ResponseHeadersPolicyConfig: dict[str, Any]) -> dict[str, Any]:
        self.guarded("policy", Id, IfMatch)["config"] = ResponseHeadersPolicyConfig
        return {}

    def delete_response_headers_policy(self, Id: str, IfMatch: str) -> dict[str, Any]:
        self.guarded("policy", Id, IfMatch)
        del self.store["policy"][Id]
        return {}

    # Functions

    def describe_function(self, Name: str, Stage: str) -> dict[str, Any]:
        function = self.one("function", Name, "NoSuchFunctionExists")
        if Stage not in function:
            raise LookupError("NoSuchFunctionExists")
        metadata = {"FunctionARN": f"arn:aws:cloudfront::111122223333:function/{Name}", "Stage": Stage}
        return {"ETag": function["ETag"], "FunctionSummary": {"Name": Name, "FunctionConfig": function[Stage]["config"], "FunctionMetadata": metadata}}

    def get_function(self, Name: str, Stage: str) -> dict[str, Any]:
        return {"FunctionCode": io.BytesIO(self.store["function"][Name][Stage]["code"])}

    def create_function(self, Name: str, FunctionConfig: dict[str, Any], FunctionCode: bytes) -> dict[str, Any]:
        self.add("function", Name, DEVELOPMENT={"config": FunctionConfig, "code": FunctionCode})
        return {}

    def update_function(self, Name: str, IfMatch: str, FunctionConfig: dict[str, Any], FunctionCode: bytes) -> dict[str, Any]:
        self.guarded("function", Name, IfMatch)["DEVELOPMENT"] = {"config": FunctionConfig, "code": FunctionCode}
        return {}

    def publish_function(self, Name: str, IfMatch: str) -> dict[str, Any]:
        function = self.guarded("function", Name, IfMatch)
        function["LIVE"] = function["DEVELOPMENT"]
        return {}

    def delete_function(self, Name: str, IfMatch: str) -> dict[str, Any]:
        self.guarded("function", Name, IfMatch)
        del self.store["function"][Name]
        return {}

    # Distributions

    def list_distributions(self, Marker: str = "") -> dict[str, Any]:
        return self.page("distribution", "DistributionList", Marker, lambda key, item: {"Id": key, "Comment": item["config"]["Comment"]})

    def get_distribution(self, Id: str) -> dict[str, Any]:
        item = self.one("distribution", Id, "NoSuchDistribution")
        status, item["Status"] = item["Status"], "Deployed"
        about = {"Id": Id, "ARN": f"arn:aws:cloudfront::111122223333:distribution/{Id}", "DomainName": f"{Id.lower()}.cloudfront.net"}
        return {"ETag": item["ETag"], "Distribution": {**about, "Status": status, "DistributionConfig": item["config"]}}

    def create_distribution_with_tags(self, DistributionConfigWithTags: dict[str, Any]) -> dict[str, Any]:
        key = f"DIST{next(self.numbers)}"
        self.add("distribution", key, config=as_aws_answers(DistributionConfigWithTags["DistributionConfig"]), Status="InProgress")
        arn = f"arn:aws:cloudfront::111122223333:distribution/{key}"
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in DistributionConfigWithTags["Tags"]["Items"]}
        return {"Distribution": {"Id": key}}

    def update_distribution(self, Id: str, IfMatch: str, DistributionConfig: dict[str, Any]) -> dict[str, Any]:
        item = self.guarded("distribution", Id, IfMatch)
        assert DistributionConfig["CallerReference"] == item["config"]["CallerReference"]
        item.update(config=as_aws_answers(DistributionConfig), Status="InProgress")
        return {}

    def delete_distribution(self, Id: str, IfMatch: str) -> dict[str, Any]:
        item = self.guarded("distribution", Id, IfMatch)
        if item["config"]["Enabled"] or item["Status"] != "Deployed":
            raise LookupError("DistributionNotDisabled")
        del self.store["distribution"][Id]
        return {}

    def list_tags_for_resource(self, Resource: str) -> dict[str, Any]:
        return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in self.tags[Resource].items()]}}

    def tag_resource(self, Resource: str, Tags: dict[str, Any]) -> dict[str, Any]:
        self.tags[Resource].update({tag["Key"]: tag["Value"] for tag in Tags["Items"]})
        return {}

    def untag_resource(self, Resource: str, TagKeys: dict[str, Any]) -> dict[str, Any]:
        for key in TagKeys["Items"]:
            del self.tags[Resource][key]
        return {}


def as_aws_answers(value: Any) -> Any:
    """Empty lists left out, lists in another order where order means nothing, and the defaults spelt out."""
    if isinstance(value, list):
        return [as_aws_answers(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: as_aws_answers(item) for key, item in value.items() if item != []}
    if value.get("Quantity") and "PathPattern" not in value["Items"][0]:
        assert value["Quantity"] == len(value["Items"])
        value["Items"] = value["Items"][::-1]
    if "TargetOriginId" in value:
        none = {"Quantity": 0}
        defaults = {"SmoothStreaming": False, "LambdaFunctionAssociations": none, "FieldLevelEncryptionId": "", "TrustedSigners": {"Enabled": False, **none}}
        return {**defaults, **value}
    if "DomainName" in value:
        return {"OriginShield": {"Enabled": False}, **value}
    if "CallerReference" in value:
        restrictions = {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}}
        return {"Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""}, "Restrictions": restrictions, **value}
    if value.get("CloudFrontDefaultCertificate"):
        return {**value, "SSLSupportMethod": "vip", "MinimumProtocolVersion": "TLSv1", "CertificateSource": "cloudfront"}
    return value


class Runner:
    """Runs a module as Ansible does; the result is what it prints."""

    def __init__(self, cloudfront: CloudFront, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloudfront = cloudfront
        self.capsys = capsys

    def __call__(self, module: ModuleType, check: bool = False, **options: Any) -> dict[str, Any]:
        self.cloudfront.calls.clear()
        with patch_module_args({"region": "eu-central-1", "_ansible_check_mode": check, "_ansible_diff": True, **options}), pytest.raises(SystemExit):
            module.main()
        result = json.loads(self.capsys.readouterr().out)
        if check:
            assert self.cloudfront.mutations == []
        return result


@pytest.fixture
def cloudfront(monkeypatch: pytest.MonkeyPatch) -> CloudFront:
    fake = CloudFront()

    def fake_call(client, operation, parameters):
        return fake.call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", fake_call)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "nobody")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return fake


@pytest.fixture
def run(cloudfront: CloudFront, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(cloudfront, capsys)
