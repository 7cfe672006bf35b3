# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The containers of tasks and databases are started as AWS would."""

from __future__ import annotations

import io
import os
import tarfile
from contextvars import ContextVar

from docker import errors
from mending import mend
from ministack.services import ecs, rds

# As on RDS, a parameter group with rds.force_ssl=1 (the default from PostgreSQL 15 on) refuses a connection without TLS.
HBA = """local all all trust
local replication all trust
{kind} all all all scram-sha-256
{kind} replication all all scram-sha-256
"""


@mend("services.ssm:resolve_parameter_value", "2ec29b9fcbad")
def a_task_gets_the_secret_itself(upstream):
    """A SecureString reaches a task encrypted, as its caller does not ask for the plain text."""

    def resolve_parameter_value(name_or_arn, version=None, decrypt=True):
        return upstream(name_or_arn, version, decrypt)

    return resolve_parameter_value


@mend("services.ecs:_build_run_kwargs", "25f7593b8823")
def container_settings_count(upstream):
    """Of a container definition's entryPoint, user, workingDirectory, readonlyRootFilesystem and memory nothing reaches the engine."""

    def build_run_kwargs(cdef, td, *arguments, **named):
        kwargs = upstream(cdef, td, *arguments, **named)
        for setting, name in (("entryPoint", "entrypoint"), ("user", "user"), ("workingDirectory", "working_dir"), ("readonlyRootFilesystem", "read_only")):
            if cdef.get(setting):
                kwargs[name] = cdef[setting]
        mebibytes = cdef.get("memory") or td.get("memory")
        if str(mebibytes or "").isdigit():
            kwargs["mem_limit"] = kwargs["memswap_limit"] = f"{int(mebibytes)}m"
        kwargs["ports"] = on_loopback(kwargs.get("ports"))
        return kwargs

    return build_run_kwargs


@mend("services.ecs:_run_docker_container", "9630f0c32368")
def an_image_that_is_missing_cannot_be_pulled(upstream):
    """A task outside a service whose image is missing stops with a ResourceInitializationError, where AWS says CannotPullContainerError."""

    def run_docker_container(docker_client, cdef, run_kwargs, **named):
        try:
            return upstream(docker_client, cdef, run_kwargs, **named)
        except errors.NotFound as error:
            raise ecs._ImagePullError(str(error)) from error

    return run_docker_container


def note_out_of_memory(task) -> None:
    engine = ecs._get_docker()
    for container, docker_id in zip(task.get("containers", []), task.get("_docker_ids") or [], strict=False):
        try:
            state = engine.containers.get(docker_id).attrs["State"]
        except (errors.DockerException, AttributeError):
            continue
        if state.get("OOMKilled"):
            container["reason"] = "OutOfMemoryError: Container killed due to memory usage"
            container["exitCode"] = 137


SCHEDULER = ("Service scaling down", "Task definition updated", "Deployment capacity limit")


@mend("services.ecs:_mark_task_stopped", "09bac9c1c8d0")
def a_stopped_task_says_why_as_on_aws(upstream):
    """A container that was killed for its memory does not say so, and what the service scheduler stops looks as if a person had stopped it."""

    def mark_task_stopped(task_arn, task, reason, stop_code, exit_code=None):
        if stop_code == "EssentialContainerExited":
            reason = "Essential container in task exited"
            note_out_of_memory(task)
        elif stop_code == "UserInitiated" and reason in SCHEDULER:
            reason, stop_code = f"Scaling activity initiated by (deployment {task.get('startedBy')})", "ServiceSchedulerInitiated"
        return upstream(task_arn, task, reason, stop_code, exit_code)

    return mark_task_stopped


def on_loopback(ports):
    """Published ports, on 127.0.0.1 instead of every address of the machine."""
    return {inside: ("127.0.0.1", outside) if outside is None or isinstance(outside, int) else outside for inside, outside in (ports or {}).items()} or None


_creating: ContextVar[str] = ContextVar("creating", default="")  # parameter group of the instance that is being created


def forces_tls(container) -> bool:
    instance = rds._instances.get(container["labels"].get("db_id", "")) or {}
    names = [group.get("DBParameterGroupName", "") for group in instance.get("DBParameterGroups") or []] or [_creating.get()]
    parameter = ((rds._param_groups.get(names[0]) or {}).get("Parameters") or {}).get("rds.force_ssl")
    if parameter:
        return str(parameter["ParameterValue"]) == "1"
    return int(container["image"].rpartition(":")[2].partition("-")[0]) >= 15


@mend("services.rds:_create_db_instance", "5edfd4666b24")
def a_new_database_has_its_parameter_group(upstream):
    """See a_database_refuses_plain_text: the container of a new instance is started before the instance can be looked up."""

    def create_db_instance(p):
        token = _creating.set(rds._p(p, "DBParameterGroupName"))
        try:
            return upstream(p)
        finally:
            _creating.reset(token)

    return create_db_instance


@mend("services.rds:_run_rds_container", "0d96d7c7c0b5")
def a_database_refuses_plain_text(upstream):
    """A database listens on every address of the machine, and accepts connections without TLS whatever its parameter group says."""

    def run_rds_container(docker_client, engine, container_kwargs, tls_names=(), tls_ips=()):
        kwargs = dict(container_kwargs)
        kwargs["ports"] = on_loopback(kwargs.get("ports"))
        if engine in ("postgres", "aurora-postgresql") and not kwargs.get("command"):
            kwargs["command"] = ["postgres", "-c", f"hba_file={rds._PG_TLS_DIR}/{'hostssl' if forces_tls(kwargs) else 'host'}.conf"]
        return upstream(docker_client, engine, kwargs, tls_names, tls_ips)

    return run_rds_container


@mend("services.rds:_pg_tls_archive", "94b3370df027")
def access_rules_come_with_the_certificate(upstream):
    """See a_database_refuses_plain_text: the two sets of access rules go where the certificate goes."""

    def pg_tls_archive(cert_pem, key_pem):
        archive = io.BytesIO(upstream(cert_pem, key_pem))
        with tarfile.open(fileobj=archive, mode="a") as bundle:
            for kind in ("host", "hostssl"):
                content = HBA.format(kind=kind).encode()
                entry = tarfile.TarInfo(f"{rds._PG_TLS_DIR.lstrip('/')}/{kind}.conf")
                entry.mode, entry.size = 0o600, len(content)
                bundle.addfile(entry, io.BytesIO(content))
        return archive.getvalue()

    return pg_tls_archive


@mend("services.rds:_rds_docker_scope", "8e754b328a4c")
def two_clouds_share_an_engine(upstream):
    """Containers and volumes of databases are named after account and region alone, which two local clouds on one engine have in common."""

    def rds_docker_scope(account_id=None, region=None):
        return f"{os.environ['MINISTACK_HOSTNAME']}-{upstream(account_id, region)}"

    return rds_docker_scope
