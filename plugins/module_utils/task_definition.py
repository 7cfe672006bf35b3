# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Task definitions of ECS: what of them matters, and whether two of them are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# The image of a container that no release has given one yet. The domain never resolves (RFC 2606), so that nobody's image can be pulled by this name.
NO_RELEASE = "no-release.invalid/none"

# Tags of a revision that is a release. REPLACES is the revision that served when it was registered, or NOTHING; without a STATE it has not ended.
RELEASE = "Release"
COMMIT = "Commit"
BY = "DeployedBy"
STATE = "ReleaseState"
REPLACES = "Replaces"
NOTHING = "nothing"

# Of the argument_spec of a module with the documentation fragment pulsegrid.aws.ecs_network
NETWORK_OPTIONS = {
    "subnets": {"type": "list", "elements": "str", "default": []},
    "security_groups": {"type": "list", "elements": "str", "default": []},
    "assign_public_ip": {"type": "bool", "default": False},
    "load_balancers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "target_group_arn": {"required": True},
            "container_name": {"required": True},
            "container_port": {"type": "int", "required": True},
        },
    },
}

# What RegisterTaskDefinition takes; DescribeTaskDefinition answers with more.
PROPERTIES = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
)

# Lists in which the order means nothing: shown as a dict, by the member that names an element and the one that is its value (None: the rest of it)
NAMED: dict[str, tuple[str, str | None]] = {
    "containerDefinitions": ("name", None),
    "dependsOn": ("containerName", "condition"),
    "environment": ("name", "value"),
    "extraHosts": ("hostname", "ipAddress"),
    "mountPoints": ("containerPath", None),
    "portMappings": ("containerPort", None),
    "secretOptions": ("name", "valueFrom"),
    "secrets": ("name", "valueFrom"),
    "systemControls": ("namespace", "value"),
    "ulimits": ("name", None),
    "volumes": ("name", None),
    "volumesFrom": ("sourceContainer", None),
}
UNORDERED = ("add", "drop", "requiresCompatibilities")
# Maps with keys of the user's own, in which nothing is a default of AWS
FREE = ("dockerLabels", "driverOpts", "labels", "options")
# What AWS fills in. Besides, what is empty or false is the same as what is not there.
DEFAULTS: dict[str, Any] = {
    "cpuArchitecture": "X86_64",
    "essential": True,
    "operatingSystemFamily": "LINUX",
    "protocol": "tcp",
    "rootDirectory": "/",
    "transitEncryption": "DISABLED",
    "versionConsistency": "enabled",
}
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}


def comparable(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition without AWS's defaults and without an order that means nothing, in a form that a person can read as a diff."""
    return {key: kept for key in PROPERTIES if (kept := _kept(key, definition.get(key))) is not None}


def _kept(key: str, value: Any) -> Any:
    """None for what is as if it were not there."""
    if key in FREE:
        return {name: str(text) for name, text in value.items()} if value else None
    if isinstance(value, dict):
        return _kept_members(key, value)
    if isinstance(value, (list, tuple)):
        if key in NAMED:
            return _by_name(key, value) or None
        elements = [_kept_members(key, element) or {} if isinstance(element, dict) else element for element in value]
        return (sorted(elements) if key in UNORDERED else elements) or None
    if value is None or value is False or value == "" or value == DEFAULTS.get(key):
        # false is a default of everything but what is true by default
        return False if value is False and DEFAULTS.get(key) is True else None
    return str(value) if isinstance(value, (int, float)) and value is not True else value


def _kept_members(key: str, value: dict[str, Any]) -> dict[str, Any] | None:
    value = dict(value)
    if key == "healthCheck":
        value = {member: given for member, given in value.items() if given != HEALTH_CHECK_DEFAULTS.get(member)}
    if key == "portMappings" and value.get("hostPort") in (0, value.get("containerPort")):
        value.pop("hostPort", None)
    if key == "containerDefinitions" and str(value.get("cpu")) == "0":
        value.pop("cpu")
    return {member: kept for member, given in value.items() if (kept := _kept(member, given)) is not None} or None


def _by_name(key: str, elements: list[dict[str, Any]]) -> dict[str, Any]:
    name, member = NAMED[key]
    named: dict[str, Any] = {}
    for element in elements:
        rest = _kept_members(key, element) or {}
        shown = str(rest.pop(name, ""))
        if key == "portMappings":  # a port can be there for TCP and for UDP
            shown = f"{shown or element.get('containerPortRange', '')}/{element.get('protocol', 'tcp')}"
        named[shown] = str(element.get(member, "")) if member else rest
    return dict(sorted(named.items()))


def images(definition: dict[str, Any]) -> dict[str, str]:
    """Container: image."""
    return {container["name"]: container["image"] for container in definition["containerDefinitions"]}


def released(definition: dict[str, Any]) -> bool:
    return NO_RELEASE not in images(definition).values()


def with_images(definition: dict[str, Any], running: dict[str, Any] | None) -> dict[str, Any]:
    """The definition with the images that are running, where it has none itself."""
    kept = images(running) if running else {}
    containers = [{**container, "image": container.get("image") or kept.get(container["name"], NO_RELEASE)} for container in definition["containerDefinitions"]]
    return {**definition, "containerDefinitions": containers}


def without_images(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as it is before there is a release."""
    return {**definition, "containerDefinitions": [{**container, "image": NO_RELEASE} for container in definition["containerDefinitions"]]}


def registrable(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as RegisterTaskDefinition takes it: cpu and memory of a task are text."""
    return {key: str(value) if key in ("cpu", "memory") else value for key, value in definition.items() if key in PROPERTIES and value not in (None, "")}


def pages_of_revisions(call: Callable[..., dict[str, Any]], family: str, **how: Any) -> Iterator[list[str]]:
    """The ARNs of a family's revisions, as ListTaskDefinitions answers them."""
    token: dict[str, str] = {}
    while True:
        page = call("list_task_definitions", familyPrefix=family, **how, **token)
        # familyPrefix is a family's whole name according to AWS's documentation, and a prefix according to its name
        yield [arn for arn in page["taskDefinitionArns"] if family_of(arn) == family]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def family_of(arn: str) -> str:
    return arn.split("/")[-1].rpartition(":")[0]


def log_stream(container: dict[str, Any], task_id: str) -> dict[str, str] | None:
    """Where in CloudWatch Logs a container of a task logs, as GetLogEvents takes it; None where that is not known."""
    log = container.get("logConfiguration") or {}
    options = log.get("options", {})
    if log.get("logDriver") != "awslogs" or not options.get("awslogs-stream-prefix"):
        return None
    return {"logGroupName": options.get("awslogs-group"), "logStreamName": f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}"}
