# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ECS: deployments begin, end and fail as on AWS."""

from __future__ import annotations

import logging
import re
import threading
import time

import health
from mending import mend
from ministack.services import alb, ecs

logger = logging.getLogger("pulsegrid.ecs")


def targets_of(svc, task):
    """The target groups of a service with the health of one of its tasks in each."""
    address = ecs._task_ip(task)
    for balancer in svc.get("loadBalancers") or []:
        group = alb._tgs.get(balancer.get("targetGroupArn"))
        if group and address:
            yield group, health.state_of(group, {"Id": address, "Port": balancer.get("containerPort", 80)})


def tasks_of(svc, deployment, statuses=("RUNNING",)):
    return [
        task
        for task in list(ecs._tasks.values())
        if task.get("group") == f"service:{svc['serviceName']}"
        and task.get("clusterArn") == svc.get("clusterArn")
        and task.get("lastStatus") in statuses
        and ecs._deployment_for_task(svc, task) is deployment
    ]


@mend("services.ecs:_delete_cluster", "0ff8bca5ea39")
def a_cluster_with_services_stays(upstream):
    """A cluster is removed with the services in it, where AWS refuses."""

    def delete_cluster(data):
        name = ecs._resolve_cluster_name(data.get("cluster", "default"))
        if any(key.startswith(f"{name}/") and svc.get("status") == "ACTIVE" for key, svc in list(ecs._services.items())):
            message = "The Cluster cannot be deleted while Services are active."
            return ecs.error_response_json("ClusterContainsServicesException", message, 400)
        return upstream(data)

    return delete_cluster


def say(svc, message):
    svc["events"].insert(0, {"id": ecs.new_uuid(), "createdAt": ecs._iso(), "message": f"(service {svc['serviceName']}) {message}"})


@mend("services.ecs:_make_deployment", "5660a8c0ef36")
def the_first_deployment_is_one(upstream):
    """The first deployment of a service is born COMPLETED, so the circuit breaker never looks at it."""

    def make_deployment(task_definition, desired_count, status="PRIMARY"):
        return upstream(task_definition, desired_count, status) | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": "ECS deployment in progress."}

    return make_deployment


@mend("services.ecs:_run_task", "6e96d8f5a5b8")
def a_task_says_which_deployment_started_it(upstream):
    """A service's task says the service's name in startedBy, where AWS says the deployment's ID."""

    def run_task(data):
        return upstream(data | {"startedBy": data["_deploymentId"]} if data.get("_deploymentId") else data)

    return run_task


@mend("services.ecs:_refresh_service_state", "5dcadfc2dcdd")
def a_finished_deployment_is_gone(upstream):
    """A FAILED deployment stays listed after the rollback, and the waiter services_stable wants exactly one."""

    def refresh_service_state(cluster_name, group):
        upstream(cluster_name, group)
        svc = ecs._services.get(f"{cluster_name}/{(group or '').removeprefix('service:')}")
        primary = svc and ecs._primary_deployment(svc)
        if primary and primary.get("rolloutState") == "COMPLETED":
            svc["deployments"] = [
                deployment for deployment in svc["deployments"] if deployment is primary or deployment.get("runningCount") or deployment.get("pendingCount")
            ]

    return refresh_service_state


def has_healthy_targets(svc, task):
    return all(target.state == "healthy" for _group, target in targets_of(svc, task))


def serves(svc, task):
    return task.get("lastStatus") == "RUNNING" and has_healthy_targets(svc, task)


@mend("services.ecs:_record_service_task_healthy", "ab75f8df0ba5")
def a_task_is_well_when_its_targets_are(upstream):
    """A task that ran for a second clears the count of failed tasks, also when the load balancer finds it ill."""

    def record_service_task_healthy(svc_key, task):
        svc = ecs._services.get(svc_key)
        if svc and has_healthy_targets(svc, task):
            upstream(svc_key, task)

    return record_service_task_healthy


@mend("services.ecs:_complete_service_deployment", "4472ae6823d0")
def a_deployment_waits_for_healthy_targets(upstream):
    """A deployment is complete a second after its tasks run, whatever the load balancer finds. It says nothing of a steady state."""

    def complete_service_deployment(cluster_name, svc_key, expected_deployment_id=None):
        svc = ecs._services.get(svc_key)
        primary = svc and ecs._primary_deployment(svc)
        if not primary or primary.get("rolloutState") != "IN_PROGRESS":
            return
        if not all(has_healthy_targets(svc, task) for task in tasks_of(svc, primary)):
            return  # look() asks again
        upstream(cluster_name, svc_key, expected_deployment_id)
        if primary.get("rolloutState") == "COMPLETED":
            say(svc, f"(deployment {primary['id']}) deployment completed.")
            say(svc, "has reached a steady state.")

    return complete_service_deployment


@mend("services.ecs:_reconcile_service_tasks", "16e4d03cbf75")
def unhealthy_tasks_make_room_first(upstream):
    """Room for a deployment is made by the tasks that started first, where AWS keeps minimumHealthyPercent of tasks that are healthy targets: a rollback
    stopped the healthy tasks and left those of the failed deployment, also those that had only begun to start."""

    def reconcile_service_tasks(cluster_name, svc_key):
        svc = ecs._services.get(svc_key)
        primary = svc and ecs._primary_deployment(svc)
        if primary and primary.get("rolloutState") == "IN_PROGRESS" and svc.get("loadBalancers"):
            others = [deployment for deployment in svc["deployments"] if deployment is not primary]
            for task in [task for deployment in others for task in tasks_of(svc, deployment, ecs._PRE_STOP_STATUSES) if not serves(svc, task)]:
                ecs._stop_task({"task": task["taskArn"], "cluster": cluster_name, "reason": "Deployment capacity limit"})
        return upstream(cluster_name, svc_key)

    return reconcile_service_tasks


@mend("services.ecs:_update_service", "bde69c11b50d")
def an_update_drains_nothing_yet(upstream):
    """Every update says that a task is being drained, also of a service that has none."""

    def update_service(data):
        answer = upstream(data)
        for svc in list(ecs._services.values()):
            svc["events"] = [event for event in svc.get("events", []) if "has begun draining connections on 1 tasks" not in event["message"]]
        return answer

    return update_service


@mend("services.ecs:_fail_task_start", "10551bfd5ded")
def an_image_that_cannot_be_pulled_says_so_plainly(upstream):
    """The reason is Docker's, with the URL of its API around it."""

    def fail_task_start(task, docker_client, reason):
        upstream(task, docker_client, re.sub(r'\d+ Client Error for \S+: [^"]*\("(.*)"\)', r"\1", reason))

    return fail_task_start


def end_unhealthy_tasks(svc, svc_key):
    """The service scheduler replaces a task that the load balancer finds unhealthy once its grace period is over. MiniStack's does not look."""
    grace = int(svc.get("healthCheckGracePeriodSeconds") or 0)
    for deployment in list(svc.get("deployments", [])):
        for task in tasks_of(svc, deployment):
            for group, target in targets_of(svc, task):
                if target.state != "unhealthy" or time.monotonic() - target.since < grace:
                    continue
                reason = f"Task failed ELB health checks in (target-group {group['TargetGroupArn']})"
                say(svc, f"(port {group.get('Port')}) is unhealthy in (target-group {group['TargetGroupArn']}) due to (reason {target.description}).")
                if ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
                    ecs._cleanup_task_resources(task, ecs._get_docker())
                    ecs._record_service_task_failure(task)
                break


def go_on(svc, svc_key):
    """A deployment that waited for its targets: upstream asks once, a second after each task's start.

    Or for room: it gets no task while those of the deployment before it take up maximumPercent, and nobody looks again when they are gone.
    """
    primary = ecs._primary_deployment(svc)
    if not primary or primary.get("rolloutState") != "IN_PROGRESS":
        return
    cluster_name = svc_key.split("/", 1)[0]
    if svc.get("desiredCount") and not any(
        task.get("_deployment_id") == primary["id"] and ecs._task_is_active(task["taskArn"], task) for task in list(ecs._tasks.values())
    ):
        ecs._reconcile_service_tasks(cluster_name, svc_key)
    news = [task for task in tasks_of(svc, primary) if not task.get("_startup_stable") and has_healthy_targets(svc, task)]
    for task in news:
        ecs._record_service_task_healthy(svc_key, task)
    if news:
        ecs._reconcile_service_tasks(cluster_name, svc_key)
    ecs._complete_service_deployment(cluster_name, svc_key)


def look() -> None:
    while True:
        time.sleep(health.PROBE_SECONDS)
        for (account, region, svc_key), svc in list(ecs._services.all_items()):
            if not isinstance(svc, dict) or svc.get("status") != "ACTIVE" or not svc.get("loadBalancers"):
                continue
            try:
                with ecs.request_scope(account, region):
                    end_unhealthy_tasks(svc, svc_key)
                    go_on(svc, svc_key)
            except Exception:
                logger.exception("service %s", svc_key)


def start() -> None:
    threading.Thread(target=look, daemon=True, name="pulsegrid-services").start()
