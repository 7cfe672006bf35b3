# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Application Auto Scaling for ECS services, which MiniStack does not have.

A scalable target keeps the desired count within its bounds when it is registered. Policies and scheduled actions are kept, but nothing acts on them: there are
no metrics of tasks here.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import time

from ministack import app
from ministack.core import router
from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import ecs

NAME = "application_autoscaling"
JSON = "application/x-amz-json-1.1"
DIMENSION = "ecs:service:DesiredCount"
SCHEDULE = re.compile(r"^(cron\(\S+( \S+){5}\)|rate\(\d+ (minute|hour|day)s?\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\))$")
METRICS = ("ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget")
PAGE = 50

_targets = AccountRegionScopedDict()  # resource ID -> scalable target
_policies = AccountRegionScopedDict()  # "resource ID policy" -> scaling policy
_actions = AccountRegionScopedDict()  # "resource ID action" -> scheduled action
_tags = AccountRegionScopedDict()  # ARN -> tags


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


# What MiniStack asks of each of its services


def reset() -> None:
    for store in (_targets, _policies, _actions, _tags):
        store.clear()


def get_state() -> dict:
    return copy.deepcopy({"targets": _targets, "policies": _policies, "actions": _actions, "tags": _tags})


def load_persisted_state(data: dict) -> None:
    for key, store in (("targets", _targets), ("policies", _policies), ("actions", _actions), ("tags", _tags)):
        store.update(data.get(key, {}))


async def handle_request(method, path, headers, body, query_params):
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    answer = OPERATIONS.get(operation)
    if answer is None:
        return error_response_json("UnknownOperationException", operation, 400, content_type=JSON)
    try:
        return json_response(answer(json.loads(body or b"{}")), content_type=JSON)
    except Refused as refused:
        return error_response_json(refused.code, str(refused), 400, message_key="Message", content_type=JSON)


# Scalable targets


def resource(data: dict) -> str:
    if data.get("ServiceNamespace") != "ecs" or data.get("ScalableDimension", DIMENSION) != DIMENSION:
        raise invalid("Unsupported service namespace, resource type or scalable dimension")
    return data.get("ResourceId", "")


def registered(data: dict) -> str:
    """The resource ID, where its scalable target exists."""
    resource_id = resource(data)
    if resource_id not in _targets:
        raise Refused(
            "ObjectNotFoundException",
            f"No scalable target found for service namespace: ecs, resource ID: {resource_id}, scalable dimension: {DIMENSION}",
        )
    return resource_id


def service_of(resource_id: str) -> dict:
    match = re.fullmatch(r"service/([^/]+)/([^/]+)", resource_id)
    service = match and ecs._services.get(f"{match[1]}/{match[2]}")
    if not service or service.get("status") != "ACTIVE":
        raise invalid(f"ECS service doesn't exist: {resource_id}")
    return {"cluster": match[1], "service": match[2], "count": service["desiredCount"]}


def arn(kind: str) -> str:
    return f"arn:aws:{kind}:{get_region()}:{get_account_id()}:"


def register_scalable_target(data: dict) -> dict:
    resource_id = resource(data)
    service = service_of(resource_id)
    target = dict(_targets.get(resource_id) or {})
    if not target and (data.get("MinCapacity") is None or data.get("MaxCapacity") is None):
        raise invalid("MinCapacity and MaxCapacity must be specified for a new scalable target.")
    if not target:
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": resource_id,
            "ScalableDimension": DIMENSION,
            "RoleARN": f"arn:aws:iam::{get_account_id()}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
            "AWSServiceRoleForApplicationAutoScaling_ECSService",
            "CreationTime": time.time(),
            "ScalableTargetARN": f"{arn('application-autoscaling')}scalable-target/{new_uuid().replace('-', '')}",
            "SuspendedState": {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False},
        }
        _tags[target["ScalableTargetARN"]] = data.get("Tags") or {}
    elif data.get("Tags"):
        raise invalid("Tags cannot be changed by RegisterScalableTarget: use TagResource.")
    target |= {key: data[key] for key in ("MinCapacity", "MaxCapacity") if data.get(key) is not None}
    target["SuspendedState"] |= data.get("SuspendedState") or {}
    if not 0 <= target["MinCapacity"] <= target["MaxCapacity"]:
        raise invalid("Maximum capacity cannot be less than minimum capacity")
    _targets[resource_id] = target
    count = min(max(service["count"], target["MinCapacity"]), target["MaxCapacity"])
    if count != service["count"]:
        ecs._update_service({"cluster": service["cluster"], "service": service["service"], "desiredCount": count})
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def deregister_scalable_target(data: dict) -> dict:
    resource_id = registered(data)
    _tags.pop(_targets.pop(resource_id)["ScalableTargetARN"], None)
    for store in (_policies, _actions):
        for key in [key for key, value in store.items() if value["ResourceId"] == resource_id]:
            del store[key]
    return {}


def describe_scalable_targets(data: dict) -> dict:
    resource(data)
    ids = data.get("ResourceIds")
    return page(data, "ScalableTargets", [target for target in _targets.values() if not ids or target["ResourceId"] in ids])


def page(data: dict, key: str, found: list) -> dict:
    start, size = int(data.get("NextToken") or 0), int(data.get("MaxResults") or PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {key: found[start : start + size]} | more


# Scaling policies


def put_scaling_policy(data: dict) -> dict:
    resource_id, name = registered(data), data["PolicyName"]
    key = f"{resource_id} {name}"
    kind = data.get("PolicyType", "StepScaling")
    tracking = data.get("TargetTrackingScalingPolicyConfiguration")
    if kind == "TargetTrackingScaling":
        validate(tracking or {}, resource_id, name)
    policy = {
        "PolicyARN": f"{arn('autoscaling')}scalingPolicy:{new_uuid()}:resource/ecs/{resource_id}:policyName/{name}",
        "PolicyName": name,
        "ServiceNamespace": "ecs",
        "ResourceId": resource_id,
        "ScalableDimension": DIMENSION,
        "PolicyType": kind,
        "Alarms": [],
        "CreationTime": time.time(),
    }
    policy = (_policies.get(key) or policy) | {
        part: data[part] for part in ("TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration") if data.get(part)
    }
    _policies[key] = policy
    return {"PolicyARN": policy["PolicyARN"], "Alarms": []}


def validate(tracking: dict, resource_id: str, name: str) -> None:
    if not tracking.get("TargetValue"):
        raise invalid("TargetTrackingScalingPolicyConfiguration with a TargetValue must be specified")
    metric = tracking.get("PredefinedMetricSpecification")
    if metric is None:
        return
    if metric.get("PredefinedMetricType") not in METRICS:
        raise invalid(f"Unsupported predefined metric type: {metric.get('PredefinedMetricType')}")
    label = metric.get("ResourceLabel", "")
    if (metric["PredefinedMetricType"] == METRICS[2]) != bool(re.fullmatch(r"app/[^/]+/[0-9a-z]+/targetgroup/[^/]+/[0-9a-z]+", label)):
        raise invalid(f"Invalid resource label: {label}")
    for other in _policies.values():
        same = other.get("TargetTrackingScalingPolicyConfiguration", {}).get("PredefinedMetricSpecification") == metric
        if same and other["ResourceId"] == resource_id and other["PolicyName"] != name:
            raise invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")


def of(data: dict, store, key: str, names: str) -> dict:
    resource(data)
    wanted, resource_id = data.get(f"{names}s"), data.get("ResourceId")
    found = [each for each in store.values() if resource_id in (None, each["ResourceId"]) and (not wanted or each[names] in wanted)]
    return page(data, key, found)


def describe_scaling_policies(data: dict) -> dict:
    return of(data, _policies, "ScalingPolicies", "PolicyName")


def delete(store, data: dict, name: str) -> dict:
    resource_id = resource(data)
    if store.pop(f"{resource_id} {data[name]}", None) is None:
        raise Refused("ObjectNotFoundException", f"No {name} {data[name]} found for service namespace: ecs, resource ID: {resource_id}")
    return {}


def delete_scaling_policy(data: dict) -> dict:
    return delete(_policies, data, "PolicyName")


# Scheduled actions


def put_scheduled_action(data: dict) -> dict:
    resource_id, name = registered(data), data["ScheduledActionName"]
    key = f"{resource_id} {name}"
    action = _actions.get(key) or {
        "ScheduledActionARN": f"{arn('autoscaling')}scheduledAction:{new_uuid()}:resource/ecs/{resource_id}:scheduledActionName/{name}",
        "ScheduledActionName": name,
        "ServiceNamespace": "ecs",
        "ResourceId": resource_id,
        "ScalableDimension": DIMENSION,
        "CreationTime": time.time(),
    }
    action = action | {part: data[part] for part in ("Schedule", "Timezone", "StartTime", "EndTime") if data.get(part)}
    if data.get("ScalableTargetAction"):
        action["ScalableTargetAction"] = action.get("ScalableTargetAction", {}) | data["ScalableTargetAction"]
    if not SCHEDULE.match(action.get("Schedule", "")):
        raise invalid(f"Invalid schedule expression: {action.get('Schedule')}")
    if not action.get("ScalableTargetAction"):
        raise invalid("ScalableTargetAction with a MinCapacity or MaxCapacity must be specified")
    _actions[key] = action
    return {}


def describe_scheduled_actions(data: dict) -> dict:
    return of(data, _actions, "ScheduledActions", "ScheduledActionName")


def delete_scheduled_action(data: dict) -> dict:
    return delete(_actions, data, "ScheduledActionName")


# Tags


def tags_of(data: dict) -> dict:
    tags = _tags.get(data["ResourceARN"])
    if tags is None:
        raise Refused("ResourceNotFoundException", f"The specified resource doesn't exist: {data['ResourceARN']}")
    return tags


def list_tags_for_resource(data: dict) -> dict:
    return {"Tags": tags_of(data)}


def tag_resource(data: dict) -> dict:
    _tags[data["ResourceARN"]] = tags_of(data) | data["Tags"]
    return {}


def untag_resource(data: dict) -> dict:
    _tags[data["ResourceARN"]] = {key: value for key, value in tags_of(data).items() if key not in data["TagKeys"]}
    return {}


OPERATIONS = {
    "RegisterScalableTarget": register_scalable_target,
    "DeregisterScalableTarget": deregister_scalable_target,
    "DescribeScalableTargets": describe_scalable_targets,
    "PutScalingPolicy": put_scaling_policy,
    "DescribeScalingPolicies": describe_scaling_policies,
    "DeleteScalingPolicy": delete_scaling_policy,
    "PutScheduledAction": put_scheduled_action,
    "DescribeScheduledActions": describe_scheduled_actions,
    "DeleteScheduledAction": delete_scheduled_action,
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}


def add() -> None:
    """Make this module one of MiniStack's services: it is then routed to, reset and saved like the others."""
    service = "application-autoscaling"
    if service in app.SERVICE_HANDLERS:
        raise RuntimeError(f"MiniStack has {service} now: delete {__file__}")
    sys.modules[f"ministack.services.{NAME}"] = sys.modules[__name__]
    app.SERVICE_REGISTRY[service] = {"module": NAME}
    app.SERVICE_HANDLERS[service] = app._lazy_handler(NAME)
    app._state_map[NAME] = NAME
    router.SERVICE_PATTERNS[service] = {"target_prefixes": ["AnyScaleFrontendService"], "credential_scope": service}
