# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load balancer: targets are probed, and only healthy ones get requests."""

from __future__ import annotations

import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import pace
from mending import mend
from ministack.services import alb

PROBE_SECONDS = 0.5  # how often a new target is probed, so that a laptop does not wait for AWS's first interval
Key = tuple[str, str, int]


@dataclass
class Target:
    """What the probes of one target showed. One success makes a new target healthy; after that the target group's thresholds count."""

    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    streak: int = 0  # probes in a row that contradict the state
    since: float = field(default_factory=time.monotonic)
    due: float = 0.0
    busy: bool = False


_targets: dict[Key, Target] = {}
_pool = ThreadPoolExecutor(8, thread_name_prefix="pulsegrid-health")


def number(group: dict[str, Any], name: str, default: int) -> int:
    return int(group.get(name) or default)


def key_of(group: dict[str, Any], target: dict[str, Any]) -> Key:
    return group["TargetGroupArn"], str(target["Id"]), int(target.get("Port") or group.get("Port") or 80)


def is_probed(group: dict[str, Any]) -> bool:
    return group.get("TargetType", "instance") in ("instance", "ip") and group.get("Protocol", "HTTP") in ("HTTP", "HTTPS")


def state_of(group: dict[str, Any], target: dict[str, Any]) -> Target:
    if not is_probed(group):
        return Target("healthy", "", "")
    return _targets.get(key_of(group, target), Target())


def accepted(matcher: str, status: int) -> bool:
    for part in matcher.split(","):
        low, _hyphen, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def probe(group: dict[str, Any], key: Key) -> tuple[str, str] | None:
    """One health check: None when the target is well, else AWS's reason code and description."""
    port = group.get("HealthCheckPort") or "traffic-port"
    connection = http.client.HTTPConnection(key[1], key[2] if port == "traffic-port" else int(port), timeout=number(group, "HealthCheckTimeoutSeconds", 5))
    try:
        connection.request("GET", group.get("HealthCheckPath") or "/", headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", "Health checks failed"
    finally:
        connection.close()
    matcher = group.get("Matcher") or "200"
    if isinstance(matcher, dict):
        matcher = matcher.get("HttpCode") or "200"
    if accepted(matcher, status):
        return None
    return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"


def check(group: dict[str, Any], key: Key, target: Target) -> None:
    interval = number(group, "HealthCheckIntervalSeconds", 30)
    try:
        problem = probe(group, key)
        now = time.monotonic()
        if target.state == "initial":
            if problem is None and now - target.since >= pace.seconds(interval):
                target.state, target.reason, target.description = "healthy", "", ""
            elif problem and now - target.since > interval * number(group, "UnhealthyThresholdCount", 2):
                target.state, (target.reason, target.description) = "unhealthy", problem
        elif (problem is None) == (target.state == "healthy"):
            target.streak = 0
        else:
            target.streak += 1
            if problem and target.streak >= number(group, "UnhealthyThresholdCount", 2):
                target.state, (target.reason, target.description), target.streak = "unhealthy", problem, 0
            elif not problem and target.streak >= number(group, "HealthyThresholdCount", 5):
                target.state, target.reason, target.description, target.streak = "healthy", "", "", 0
        target.due = now + (PROBE_SECONDS if target.state == "initial" else interval)
    finally:
        target.busy = False


def watch() -> None:
    while True:
        present: set[Key] = set()
        for group in list(alb._tgs.values()):
            if not is_probed(group) or group.get("HealthCheckEnabled") is False:
                continue
            for registered in list(alb._targets.get(group["TargetGroupArn"], [])):
                key = key_of(group, registered)
                present.add(key)
                target = _targets.setdefault(key, Target())
                if not target.busy and time.monotonic() >= target.due:
                    target.busy = True
                    _pool.submit(check, group, key, target)
        for key in set(_targets) - present:
            _targets.pop(key, None)
        time.sleep(PROBE_SECONDS / 2)


def start() -> None:
    threading.Thread(target=watch, daemon=True, name="pulsegrid-health").start()


@mend("services.alb:_describe_target_health", "d848e8a26fcb")
def targets_tell_their_health(upstream):
    """DescribeTargetHealth says `healthy` of everything that is registered."""

    def describe_target_health(params):
        arn = alb._p(params, "TargetGroupArn")
        group = alb._tgs.get(arn)
        if group is None:
            return upstream(params)
        wanted = {target["Id"] for target in alb._parse_targets_param(params)}
        members = []
        for registered in alb._targets.get(arn, []):
            if wanted and registered["Id"] not in wanted:
                continue
            target = state_of(group, registered)
            reason = f"<Reason>{target.reason}</Reason><Description>{escape(target.description)}</Description>" if target.reason else ""
            _arn, name, port = key_of(group, registered)
            members.append(
                f"<member><Target><Id>{escape(name)}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>"
                f"<TargetHealth><State>{target.state}</State>{reason}</TargetHealth></member>"
            )
        return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{''.join(members)}</TargetHealthDescriptions>")

    return describe_target_health


@mend("services.alb:_forward_to_tg", "9a88384605d7")
def only_healthy_targets_get_requests(upstream):
    """Requests go to any registered target, also to one that does not listen yet. As on AWS, they go to all only when none is healthy."""

    async def forward_to_target_group(arn, method, path, headers, body, query_params, raw_query_string=None, raw_path=None):
        group = alb._tgs.get(arn)
        registered = alb._targets.get(arn, [])
        if not group or not registered or not is_probed(group):
            return await upstream(arn, method, path, headers, body, query_params, raw_query_string, raw_path)
        healthy = [target for target in registered if state_of(group, target).state == "healthy"]
        return await alb._proxy_http_target(
            random.choice(healthy or registered), group, method, raw_path or path, headers, body, query_params, raw_query_string
        )

    return forward_to_target_group


def balancers_of(group: dict[str, Any]) -> set[str]:
    """The load balancers that forward to a target group, by a listener's default actions or by a rule's."""
    listeners = [(listener, listener.get("DefaultActions") or []) for listener in alb._listeners.values()]
    rules = [(alb._listeners.get(rule["ListenerArn"]), rule.get("Actions") or []) for rule in alb._rules.values()]
    return {
        listener["LoadBalancerArn"]
        for listener, actions in listeners + rules
        if listener and any(action.get("TargetGroupArn") == group["TargetGroupArn"] for action in actions)
    }


@mend("services.alb:_describe_tgs", "07af16df31cd")
def a_missing_target_group_is_an_error(upstream):
    """DescribeTargetGroups answers an empty list for a name that no target group has, and does not say which load balancers' rules forward to a group."""

    def describe_target_groups(params):
        names = set(alb._parse_member_list(params, "Names"))
        if names - {group["TargetGroupName"] for group in alb._tgs.values()}:
            return alb._error("TargetGroupNotFound", "One or more target groups not found", 400)
        for group in alb._tgs.values():
            group["LoadBalancerArns"] = sorted(balancers_of(group))
        return upstream(params)

    return describe_target_groups


def weighted(params, prefix):
    """The target groups of one action's ForwardConfig, with their weights."""
    groups = []
    while arn := alb._p(params, f"{prefix}.TargetGroups.member.{len(groups) + 1}.TargetGroupArn"):
        groups.append({"TargetGroupArn": arn, "Weight": int(alb._p(params, f"{prefix}.TargetGroups.member.{len(groups) + 1}.Weight", "1"))})
    return groups


@mend("services.alb:_parse_actions", "40b80c548b38")
def forward_config_counts(upstream):
    """The ForwardConfig of an action is dropped."""

    def parse_actions(params, prefix="DefaultActions"):
        actions = upstream(params, prefix)
        for position, action in enumerate(actions, 1):
            groups = weighted(params, f"{prefix}.member.{position}.ForwardConfig")
            if groups:
                action["ForwardConfig"] = groups
            if len(groups) == 1:
                action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
        return actions

    return parse_actions


@mend("services.alb:_execute_action", "e27169c814be")
def weights_count(upstream):
    """See forward_config_counts: of several target groups one is drawn by weight."""

    async def execute_action(action, *arguments, **named):
        groups = action.get("ForwardConfig")
        if groups:
            [drawn] = random.choices(groups, [group["Weight"] for group in groups])
            action = action | {"TargetGroupArn": drawn["TargetGroupArn"]}
        return await upstream(action, *arguments, **named)

    return execute_action


@mend("services.alb:_action_xml", "10e98009b945")
def actions_are_told_as_aws_tells_them(upstream):
    """A forward comes back without its ForwardConfig, and a lone action with an order that it was not given: elb_application_lb always finds a difference."""

    def action_xml(action):
        xml = upstream(action)
        if action.get("Order", 1) == 1:
            xml = xml.replace("<Order>1</Order>", "", 1)
        groups = action.get("ForwardConfig") or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}] if action["Type"] == "forward" else []
        if groups:
            members = "".join(
                f"<member><TargetGroupArn>{group['TargetGroupArn']}</TargetGroupArn><Weight>{group['Weight']}</Weight></member>" for group in groups
            )
            stickiness = "<TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig>"
            config = f"<ForwardConfig><TargetGroups>{members}</TargetGroups>{stickiness}</ForwardConfig>"
            xml = xml.removesuffix("</member>") + config + "</member>"
        return xml

    return action_xml
