"""docs/awx-assets-*.json: what playbooks/vars/awx.yml defines, as `awx import` takes it. A unit test imports them; playbooks/awx.yml then changes nothing.

Two files: awxkit makes workflows before job templates and gives those their surveys last, but AWX takes the answers of a workflow's node only where a survey
asks for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml

SOURCE = Path(__file__).parents[2] / "playbooks/vars/awx.yml"
Json = dict[str, Any]


def files() -> dict[str, str]:
    everything = assets(definitions())
    last = {"teams", "workflow_job_templates"}
    parts = [{kind: it for kind, it in everything.items() if (kind in last) == later} for later in (False, True)]
    return {f"awx-assets-{number}.json": json.dumps(part, indent=1) + "\n" for number, part in enumerate(parts, 1)}


def definitions() -> Json:
    data = yaml.safe_load(SOURCE.read_text())
    return rendered(data, data)


def rendered(value: Any, variables: Json) -> Any:
    if isinstance(value, dict):
        return {key: rendered(it, variables) for key, it in value.items()}
    if isinstance(value, list):
        return [rendered(it, variables) for it in value]
    return jinja2.Environment(autoescape=False).from_string(value).render(variables) if isinstance(value, str) else value


def assets(data: Json) -> Json:
    organization = {"name": data["awx_organization"], "type": "organization"}

    def key(kind: str, name: str) -> Json:
        """How awxkit names an object of the organization."""
        return {"organization": organization, "name": name, "type": kind}

    def credential_type(name: str) -> Json:
        own = {it["name"]: it["kind"] for it in data["awx_credential_types"]}
        return {"name": name, "kind": own.get(name, "cloud"), "type": "credential_type"}

    def credential(name: str) -> Json:
        kind = next(it["credential_type"] for it in data["awx_credentials"] if it["name"] == name)
        return {**key("credential", name), "credential_type": credential_type(kind)}

    def common(kind: str, it: Json) -> Json:
        return {"name": it["name"], "description": it.get("description", ""), "organization": organization, "natural_key": key(kind, it["name"])}

    made: set[str] = set()

    def labels(it: Json) -> list[Json]:
        """A label is made with the first that has it. The others name it, since awxkit does not attach what it was to make and found."""
        if made >= set(it["labels"]):
            return [key("label", name) for name in it["labels"]]
        made.update(it["labels"])
        return [{"name": name, "organization": organization, "natural_key": key("label", name)} for name in it["labels"]]

    def notifications(it: Json) -> list[Json]:
        return [key("notification_template", name) for name in it["notifications"]]

    def team(it: Json) -> Json:
        roles = [
            {"name": {"execute": "Execute", "approval": "Approve"}[role["role"]], "type": "role", "content_object": key(kind, name)}
            for role in data["awx_roles"]
            if role["team"] == it["name"]
            for kind, names in (("job_template", role["job_templates"]), ("workflow_job_template", role["workflows"]))
            for name in names
        ]
        return {**common("team", it), "related": {"roles": roles}}

    def schedules(template: Json) -> list[Json]:
        return [
            {
                **{field: it[field] for field in ("name", "description", "rrule")},
                "extra_data": it["answers"],
                "enabled": True,
                "natural_key": {"unified_job_template": key("job_template", template["name"]), "name": it["name"], "type": "schedule"},
            }
            for it in data["awx_schedules"]
            if it["job_template"] == template["name"]
        ]

    def job_template(it: Json) -> Json:
        check = it.get("job_type") == "check"
        return {
            **common("job_template", it),
            "project": key("project", it["project"]),
            "inventory": key("inventory", it["inventory"]),
            "execution_environment": {"name": it["execution_environment"], "type": "execution_environment"},
            "playbook": it["playbook"],
            "job_type": "check" if check else "run",
            "diff_mode": check,
            "limit": it.get("limit", ""),
            "extra_vars": json.dumps(it.get("extra_vars", {})),
            "timeout": it.get("timeout", 7200),
            "allow_simultaneous": False,
            "ask_scm_branch_on_launch": True,
            "survey_enabled": True,
            "related": {  # in this order: a schedule's answers are held against the survey
                "credentials": [credential(name) for name in it["credentials"]],
                "labels": labels(it),
                "notification_templates_error": notifications(it),
                "survey_spec": {"name": "", "description": "", "spec": it["survey"]},
                "schedules": schedules(it),
            },
        }

    def node(workflow: Json, it: Json) -> Json:
        def named(identifier: str) -> Json:
            return {"workflow_job_template": key("workflow_job_template", workflow["name"]), "identifier": identifier, "type": "workflow_job_template_node"}

        template = {"unified_job_template": key("job_template", it["job_template"])} if "job_template" in it else {}
        approval = {"create_approval_template": it["approval"]} if "approval" in it else {}
        return {
            **template,
            "identifier": it["identifier"],
            "extra_data": it.get("answers", {}),
            "related": {**approval, "success_nodes": [named(identifier) for identifier in it["then"]]},
            "natural_key": named(it["identifier"]),
        }

    def workflow(it: Json) -> Json:
        return {
            **common("workflow_job_template", it),
            "extra_vars": "{}",
            "survey_enabled": False,
            "allow_simultaneous": False,
            "ask_scm_branch_on_launch": True,
            "related": {
                "labels": labels(it),
                "notification_templates_error": notifications(it),
                "notification_templates_approvals": notifications(it),
                "workflow_nodes": [node(it, each) for each in it["nodes"]],
            },
        }

    job_templates = [job_template(it) for it in data["awx_job_templates"]]
    return {
        "organizations": [{"name": it["name"], "description": it["description"], "natural_key": organization} for it in data["awx_organizations"]],
        "execution_environments": [
            {
                **common("execution_environment", it),
                "image": it["image"],
                "pull": it["pull"],
                "natural_key": {"name": it["name"], "type": "execution_environment"},
            }
            for it in data["awx_execution_environments"]
        ],
        "teams": [team(it) for it in data["awx_teams"]],
        "notification_templates": [
            {**common("notification_template", it), **{field: it[field] for field in ("notification_type", "notification_configuration")}}
            for it in data["awx_notification_templates"]
        ],
        "credential_types": [
            {**{field: it[field] for field in ("name", "description", "kind", "inputs", "injectors")}, "natural_key": credential_type(it["name"])}
            for it in data["awx_credential_types"]
        ],
        "credentials": [
            {**common("credential", it), "credential_type": credential_type(it["credential_type"]), "inputs": {}, "natural_key": credential(it["name"])}
            for it in data["awx_credentials"]
        ],
        "projects": [
            {
                **common("project", it),
                "scm_type": "git",
                "scm_url": it["scm_url"],
                "scm_branch": it["scm_branch"],
                "scm_update_on_launch": True,
                "allow_override": True,
            }
            for it in data["awx_projects"]
        ],
        "inventory": [{**common("inventory", it), "kind": ""} for it in data["awx_inventories"]],
        "inventory_sources": [
            {
                "name": source["name"],
                "source": "scm",
                "source_path": source["source_path"],
                "source_project": key("project", source["project"]),
                "inventory": key("inventory", it["name"]),
                "overwrite": True,
                "overwrite_vars": True,
                "update_on_launch": True,
                "natural_key": {"name": source["name"], "inventory": key("inventory", it["name"]), "type": "inventory_source"},
            }
            for it in data["awx_inventories"]
            for source in it["sources"]
        ],
        "job_templates": job_templates,
        "workflow_job_templates": [workflow(it) for it in data["awx_workflow_job_templates"]],
    }
