"""A wrong variable stops site.yml before the first AWS call, and the message names the variable, the value and what is allowed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ..conftest import CountingApi, run

WRONG = [
    ("pulsegrid_app", "Pulse_Grid", "lower-case letters"),
    ("pulsegrid_environment", "x", "2 to 20"),
    ("pulsegrid_region", "virginia", "us-east-1"),
    ("pulsegrid_account_id", "1234", "12 digits"),
    ("pulsegrid_domain", "https://example.com", "such as www.example.com"),
    ("pulsegrid_domain", "www.example.com", "the public hosted zone is needed"),
    ("vpc_nat", "two", "none, single, per_az"),
    ("vpc_cidr", "10.0.0.0/30", "/16"),
    ("vpc_availability_zone_count", 9, "2"),
    ("vpc_interface_endpoints", ["logs", "s3"], "gateway endpoints"),
    ("vpc_flow_logs", "some", "none, accept, reject, all"),
    ("vpc_flow_log_retention_days", 42, "30"),
    ("vpc_existing", {"vpc_id": "vpc-0123456789abcdef0"}, "private_subnet_ids"),
    ("rds_instance_class", "t3.micro", "db."),
    ("rds_master_username", "postgres", "postgres"),
    ("rds_backup_retention_days", 99, "35"),
    ("rds_allocated_storage_gib", "plenty", "int"),
    ("rds_maintenance_window", "mon:03:30-mon:04:30", "do not overlap"),
    ("rds_monitoring_interval_seconds", 7, "0, 1, 5"),
    ("rds_port", 80, "1150"),
    ("ecr_pull_account_ids", ["123"], "12 digits"),
    ("ecs_service_cpu", 300, "256"),
    ("ecs_service_memory_mib", 513, "512"),
    ("ecs_service_cpu_architecture", "sparc", "x86_64, arm64"),
    ("ecs_service_autoscaling", {"min_capacity": 4, "max_capacity": 2}, "0 to 5000 tasks"),
    ("ecs_service_autoscaling", {"max_capacity": 2}, "0 to 5000 tasks"),
    ("ecs_service_autoscaling", {"min_capacity": 1, "max_capacity": 2, "cpu_percent": 120}, "1 to 100"),
    ("ecs_service_autoscaling", {"min_capacity": 1, "max_capacity": 2, "requests_per_minute": 0}, "above 0"),
    ("ecs_service_autoscaling", {"min_capacity": 1, "max_capacity": 2, "scheduled_actions": [{"name": "a", "schedule": "daily", "min_capacity": 1}]}, "cron("),
    ("ecs_service_capacity_provider_strategy", [{"capacity_provider": "FARGATE", "weight": 0}], "above 0"),
    ("ecs_service_steady_seconds", -1, "0 seconds or more"),
    ("ecs_service_failures_before_giving_up", 0, "1 or more"),
    ("ecs_service_revision", "shop", "family:revision"),
    ("ecs_service_sidecars", [{"name": "app", "image": "x"}], "a name of its own"),
    ("alb_ingress", "everyone", "cloudfront, cidrs, internet"),
    ("alb_health_check_path", "health", "/"),
    ("static_site_price_class", "PriceClass_1", "PriceClass_100"),
    ("lambda_healthcheck_schedule_expression", "every minute", "rate("),
    ("lambda_healthcheck_source_dir", "/nowhere/at/all", "directory"),
    ("lambda_healthcheck_secrets", {"TOKEN": "hunter"}, "ARN of a secret"),
    ("lambda_healthcheck_alarm_kms_key_arn", "alias/mine", "ARN of a KMS key"),
    ("lambda_healthcheck_environment", {"AWS_REGION": "x"}, "not beginning with"),
    ("ecr_image_tag_mutability", "SOMETIMES", "IMMUTABLE"),
]


def test_a_wrong_value_is_refused_before_the_first_call(api: CountingApi, tmp_path: Path, subtests: pytest.Subtests) -> None:
    hosts = {f"wrong-{number}": {variable: value} for number, (variable, value, _allowed) in enumerate(WRONG)}
    (tmp_path / "hosts.yml").write_text(json.dumps({"local": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    inventories = ("-i", "inventories/local", "-i", tmp_path / "hosts.yml", "--limit", "wrong-*")
    result = run("ansible-playbook", *inventories, "site.yml", "-f", "4", "-e", json.dumps({"local_cloud_port": api.port}))

    said = result.stdout + result.stderr
    assert result.returncode == 2, said
    assert api.requests == []
    for host, (variable, value, allowed) in zip(hosts, WRONG, strict=True):
        with subtests.test(variable, value=value):
            of_host = "".join(re.findall(rf"^(?:fatal|failed): \[{host}\].*?(?=^(?:\w+: \[|TASK|PLAY)|\Z)", said, re.M | re.S))
            for part in (variable, *(value if isinstance(value, dict) else [str(value)]), allowed):
                assert part in " ".join(of_host.split()).replace("''", "'")  # YAML wraps lines and doubles quotes


def test_all_that_is_wrong_with_a_role_is_said_at_once(api: CountingApi) -> None:
    wrong = {"rds_port": 80, "rds_backup_retention_days": 99, "local_cloud_port": api.port}
    result = run("ansible-playbook", "-i", "inventories/local", "site.yml", "-e", json.dumps(wrong))

    assert result.returncode == 2
    assert "rds_port is 80: allowed are 1150" in result.stdout
    assert "rds_backup_retention_days is 99: allowed are 0 to 35" in result.stdout


@pytest.mark.parametrize(
    ("playbook", "variables", "said"),
    [
        ("deploy_backend.yml", {"pulsegrid_backend_dir": "EMPTY"}, "pulsegrid_backend_dir is 'EMPTY': there is no Dockerfile in it."),
        ("deploy_backend.yml", {"pulsegrid_backend_target": "worker2"}, "pulsegrid_backend_target is 'worker2': the Dockerfile has the stages build,"),
        ("deploy_frontend.yml", {"pulsegrid_frontend_dir": "EMPTY"}, "pulsegrid_frontend_dir is 'EMPTY': there is no package-lock.json in it."),
    ],
)
def test_a_source_that_is_none_is_refused_before_the_first_call(api: CountingApi, tmp_path: Path, playbook: str, variables: dict[str, str], said: str) -> None:
    given = {name: value.replace("EMPTY", str(tmp_path)) for name, value in variables.items()} | {"local_cloud_port": api.port}
    result = run("ansible-playbook", "-i", "inventories/local", playbook, "-e", json.dumps(given))

    assert result.returncode == 2
    assert said.replace("EMPTY", str(tmp_path)) in " ".join(result.stdout.split()).replace("''", "'")
    assert api.requests == []


def test_a_misspelt_variable_is_refused_with_a_suggestion(api: CountingApi) -> None:
    result = run("ansible-playbook", "-i", "inventories/local", "site.yml", "-e", json.dumps({"rds_multi_azz": True, "local_cloud_port": api.port}))

    assert result.returncode == 2
    assert "did you mean rds_multi_az?" in result.stdout
    assert api.requests == []


def test_another_account_is_refused_once_its_name_is_known(api: CountingApi) -> None:
    result = run("ansible-playbook", "-i", "inventories/local", "site.yml", "-e", json.dumps({"local_cloud_port": api.port}))

    assert result.returncode == 2
    assert "the credentials belong to account 999999999999" in " ".join(result.stdout.split())
    assert api.requests == ["GetCallerIdentity"]
