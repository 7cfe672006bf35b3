"""As much of AWX 24.6.1's API as the awx.awx modules and awxkit ask for, in memory and on loopback.

What an object looks like is not written here: recording.jsonl has it. It is what a real AWX 24.6.1 answered to awx.awx 24.6.1, which made an organization,
execution environment, credential type, credentials, project, inventory, source, job templates, workflow and schedule, and then looked at them again; times,
users and whatever else is of that one AWX are left out. test_stand_in.py puts each of its requests to this stand-in, which has to answer the same. What was not
recorded (labels, teams, roles, notification templates, approvals, what is refused) is as in AWX's documentation.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

RECORDING = Path(__file__).parent / "recording.jsonl"
ROOT = "/api/v2/"
TOKEN = "a-token-of-the-stand-in"
Json = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, answer: Json) -> None:
        self.status, self.answer = status, answer


def recorded() -> list[Json]:
    return [json.loads(line) for line in RECORDING.read_text().splitlines()]


# The fields that a recorded request set, as AWX has them where nobody sets them.
UNSET: dict[str, Json] = {
    "credential_types": {"kind": "", "inputs": {}, "injectors": {}},
    "credentials": {"inputs": {}},
    "execution_environments": {"image": "", "pull": ""},
    "inventories": {"kind": "", "host_filter": None},
    "inventory_sources": {"source": "", "source_path": "", "overwrite": False, "update_on_launch": False, "source_project": None},
    "job_templates": {"ask_variables_on_launch": False, "survey_enabled": False, "job_type": "run", "execution_environment": None, "inventory": None},
    "projects": {"scm_type": "", "scm_url": "", "scm_branch": "", "scm_update_on_launch": False, "timeout": 0, "status": "pending", "allow_override": False},
    "schedules": {"extra_data": {}, "enabled": True},
    "workflow_job_templates": {"inventory": None},
    "workflow_job_template_nodes": {"unified_job_template": None},
}  # fmt: skip
NOT_RECORDED: dict[str, Json] = {
    "labels": {"type": "label", "fields": {"organization": None}, "related": {"organization": ""}, "roles": {}},
    "teams": {
        "type": "team",
        "fields": {"description": "", "organization": None},
        "related": {"organization": "", "roles": "roles/", "object_roles": "object_roles/"},
        "roles": {"admin_role": "Admin", "member_role": "Member", "read_role": "Read"},
    },
    "notification_templates": {
        "type": "notification_template",
        "fields": {"description": "", "organization": None, "notification_type": "", "notification_configuration": {}, "messages": None},
        "related": {"organization": "", "notifications": "notifications/", "copy": "copy/"},
        "roles": {},
    },
    "workflow_approval_templates": {"type": "workflow_approval_template", "fields": {"description": "", "timeout": 0}, "related": {}, "roles": {}},
}
UNIFIED = ["projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates"]
READ_ONLY = {
    *["id", "type", "url", "related", "summary_fields", "status", "managed", "namespace", "cloud", "kubernetes", "scm_revision", "pending_deletion"],
    *["last_job_failed", "last_update_failed", "has_active_failures", "total_hosts", "total_groups", "hosts_with_active_failures"],
    *["has_inventory_sources", "total_inventory_sources", "inventory_sources_with_failures", "success_nodes", "failure_nodes", "always_nodes"],
    *["dtstart", "dtend", "next_run", "timezone", "until"],
}
FOREIGN = {
    "organization": "organizations",
    "inventory": "inventories",
    "project": "projects",
    "source_project": "projects",
    "credential": "credentials",
    "credential_type": "credential_types",
    "execution_environment": "execution_environments",
    "default_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates",
    "unified_job_template": "unified_job_templates",
}
ATTACHED = {
    **{name: "credentials" for name in ("credentials", "galaxy_credentials")},
    **{f"notification_templates_{when}": "notification_templates" for when in ("started", "success", "error", "approvals")},
    **{f"{when}_nodes": "workflow_job_template_nodes" for when in ("success", "failure", "always")},
    "labels": "labels",
}
REQUIRED = {
    "job_templates": ["name", "project", "playbook"],
    "workflow_job_template_nodes": ["workflow_job_template"],
    "schedules": ["name", "rrule", "unified_job_template"],
    "inventories": ["name", "organization"],
    "teams": ["name", "organization"],
    "labels": ["name", "organization"],
    "credentials": ["name", "credential_type"],
    "inventory_sources": ["name", "inventory"],
    "execution_environments": ["name", "image"],
}
WEBHOOK = {"url": None, "http_method": "POST", "headers": {}, "disable_ssl_verification": False, "username": "", "password": ""}


def shapes() -> dict[str, Json]:
    found = dict(NOT_RECORDED)
    for exchange in recorded():
        kind = exchange["path"].removeprefix(ROOT).strip("/")
        if exchange["method"] == "POST" and exchange["status"] == 201:
            answer = exchange["response"]
            fields = {key: value for key, value in answer.items() if key not in {"id", "type", "url", "related", "summary_fields"}}
            unset = {"description": "", "organization": None, **UNSET.get(kind, {})}
            found.setdefault(kind, {
                "type": answer["type"],
                "fields": {key: unset.get(key, value) for key, value in fields.items()},
                "related": {name: url.replace(answer["url"], "") for name, url in answer["related"].items()},
                "roles": {role: it["name"] for role, it in answer["summary_fields"].get("object_roles", {}).items()},
            })  # fmt: skip
    return found


class Awx:
    """The objects and what is attached to them. A project is shown `polls` times before its sync ends as `sync` says; "running" does not end."""

    def __init__(self, sync: str = "successful", polls: int = 2, playbooks: tuple[str, ...] = ()) -> None:
        self.sync, self.polls, self.playbooks = sync, polls, playbooks
        self.shapes = shapes()
        self.objects: dict[str, dict[int, Json]] = defaultdict(dict)
        self.attached: dict[tuple[str, int, str], list[int]] = defaultdict(list)
        self.surveys: dict[tuple[str, int], Json] = {}
        self.role_ids: dict[tuple[str, int, str], int] = {}
        self.role_teams: dict[int, list[int]] = defaultdict(list)
        self.looked_at: dict[int, int] = defaultdict(int)
        self.requests: list[tuple[str, str, Any]] = []
        self.lock = threading.Lock()
        # What a new AWX has, and where its numbers go on
        self.next = defaultdict(lambda: 1, {"organizations": 2, "execution_environments": 3, "credential_types": 31, "credentials": 3, "inventories": 2,
                                            "unified": 8, "schedules": 6})  # fmt: skip
        managed = next(it["response"]["results"][0] for it in recorded() if it.get("query") == "name=Amazon+Web+Services")
        self.objects["credential_types"][managed["id"]] = managed

    @property
    def changes(self) -> list[str]:
        return [f"{method} {path}" for method, path, _body in self.requests if method not in {"GET", "OPTIONS", "HEAD"}]

    def named(self, kind: str, name: str) -> Json:
        return next(it for it in self.objects[kind].values() if it.get("name", it.get("identifier")) == name)

    def described(self) -> dict[str, Json]:
        """Everything by name, without the numbers that say in which order it was made."""

        def name(kind: str, number: int) -> str:
            it = self.objects[kind][number]
            return f"{kind} {it.get('name') or it.get('identifier')}"

        def named(field: str, value: Any) -> Any:
            kinds = UNIFIED if field == "unified_job_template" else [FOREIGN.get(field, "")]
            return next((name(kind, value) for kind in kinds if value in self.objects[kind]), value) if isinstance(value, int) else value

        found: dict[str, Json] = {
            name(kind, number): {field: named(field, value) for field, value in it.items() if field not in READ_ONLY}
            for kind, numbers in list(self.objects.items())
            for number, it in numbers.items()
        }
        for (kind, number, links), numbers in self.attached.items():
            if numbers:
                found[name(kind, number)][links] = sorted(name(ATTACHED[links], it) for it in numbers)
        for (kind, number), survey in self.surveys.items():
            found[name(kind, number)]["survey"] = survey
        for (kind, number, role), which in self.role_ids.items():
            if teams := self.role_teams.get(which):
                found[name(kind, number)][role] = sorted(name("teams", it) for it in teams)
        return found

    # Requests

    def answer(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        url = urlsplit(target)
        with self.lock:
            self.requests.append((method, target, body))
            try:
                return self.route(method, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), body)
            except Refused as refused:
                return refused.status, refused.answer

    def route(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path in {"/api/", ROOT}:
            kinds = {kind: f"{ROOT}{kind}/" for kind in [*self.shapes, "unified_job_templates"]}
            more = {kind: f"{ROOT}{kind}/" for kind in ("users", "applications", "system_job_templates", "hosts", "groups")} | {
                "inventory": kinds.pop("inventories")
            }
            return 200, {**kinds, **more} if path == ROOT else {"current_version": ROOT, "available_versions": {"v2": ROOT}}
        parts = path.removeprefix(ROOT).strip("/").split("/")
        if len(parts) == 1:
            return self.collection(method, parts[0], query, body)
        if parts[0] == "roles" and parts[2:] == ["teams"]:
            return self.attach(method, self.role_teams[int(parts[1])], "teams", body)
        kind, number = parts[0], int(parts[1])
        if number not in self.objects[kind]:
            raise Refused(404, {"detail": "Not found."})
        return self.detail(method, kind, number, body) if len(parts) == 2 else self.below(method, kind, number, parts[2], body)

    def collection(self, method: str, kind: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "OPTIONS":
            return 200, {"actions": {"POST": self.options(kind)}, "search_fields": ["name"]}
        if method == "POST":
            return 201, self.render(kind, self.create(kind, body))
        return 200, self.page([self.render(*it) for it in self.found(kind, query)], kind, query)

    def page(self, shown: list[Json], kind: str, query: dict[str, str]) -> Json:
        size, number = int(query.pop("page_size", 25)), int(query.pop("page", 1))
        more = number * size < len(shown)
        following = f"{ROOT}{kind}/?page={number + 1}&page_size={size}&" + "&".join(f"{key}={value}" for key, value in query.items())
        return {"count": len(shown), "next": following if more else None, "previous": None, "results": shown[(number - 1) * size : number * size]}

    def found(self, kind: str, query: dict[str, str]) -> Iterator[tuple[str, int]]:
        kinds = UNIFIED if kind == "unified_job_templates" else [kind]
        filters = {key: value for key, value in query.items() if key not in {"page", "page_size", "order_by"}}
        either = {key: filters.pop(key) for key in list(filters) if key.startswith("or__")}
        for one in kinds:
            for number in sorted(self.objects[one]):
                if all(self.matches(one, number, key, value) for key, value in filters.items()) and (
                    not either or any(self.matches(one, number, key.removeprefix("or__"), value) for key, value in either.items())
                ):
                    yield one, number

    def matches(self, kind: str, number: int, key: str, value: str) -> bool:
        field, _underscores, rest = key.partition("__")
        it = self.objects[kind][number]
        if field == "type":
            return self.shapes[kind]["type"] == value
        if field != "id" and field not in it and field not in FOREIGN:
            raise Refused(400, {"detail": f"{kind} has no field named '{field}'"})
        if not rest:
            return str(number if field == "id" else it.get(field)) == value
        return it.get(field) is not None and self.matches(FOREIGN[field], it[field], rest, value)

    def detail(self, method: str, kind: str, number: int, body: Any) -> tuple[int, Any]:
        it = self.objects[kind][number]
        if method == "DELETE":
            self.remove(kind, number)
            return (202 if kind == "inventories" else 204), None
        if method in {"PATCH", "PUT"}:
            changed = {key: value for key, value in body.items() if key in it and key not in READ_ONLY}
            self.check(kind, {**it, **changed}, number)
            if kind == "projects" and any(it[key] != changed.get(key, it[key]) for key in ("scm_url", "scm_branch")):
                changed["status"], self.looked_at[number] = "pending", 0
            it.update(self.kept(kind, {**it, **changed}) if kind == "credentials" else changed)
        return 200, self.render(kind, number)

    def below(self, method: str, kind: str, number: int, name: str, body: Any) -> tuple[int, Any]:
        if name == "survey_spec":
            if method == "POST":
                check_survey(body)
                self.surveys[kind, number] = body
            elif method == "DELETE":
                self.surveys.pop((kind, number), None)
            return 200, self.surveys.get((kind, number), {}) if method == "GET" else None
        if name == "object_roles":
            roles = [{"id": self.role(kind, number, role), "type": "role", "name": name} for role, name in self.shapes[kind]["roles"].items()]
            return 200, self.page(roles, kind, {})
        if kind == "teams" and name == "roles":
            teams = self.role_teams[body["id"]]
            return self.attach(method, teams, "teams", {"id": number})
        if name == "create_approval_template" and method != "OPTIONS":
            approval = self.create("workflow_approval_templates", body)
            self.objects[kind][number]["unified_job_template"] = approval
            return 201, self.render("workflow_approval_templates", approval)
        created = {"workflow_nodes": ("workflow_job_template_nodes", "workflow_job_template"), "schedules": ("schedules", "unified_job_template")}.get(name)
        if created:
            children, parent = created
            if method == "POST":
                return 201, self.render(children, self.create(children, {**body, parent: number}))
            if method == "OPTIONS":
                return 200, {"actions": {"POST": self.options(children)}}
            return 200, self.page([self.render(*it) for it in self.found(children, {parent: str(number)})], children, {})
        if method == "OPTIONS":
            return 200, {"actions": {"POST": {"id": {"type": "integer"}, **(self.options("labels") if name == "labels" else {})}}}
        if name not in ATTACHED or name not in self.shapes[kind]["related"]:
            raise Refused(404, {"detail": "Not found."})
        if method == "POST" and name == "labels" and "id" not in body:
            same = list(self.found("labels", {key: str(body[key]) for key in ("name", "organization")}))
            body = {"id": same[0][1] if same else self.create("labels", body)}
        others = {"success_nodes", "failure_nodes", "always_nodes"} - {name} if name.endswith("_nodes") else set()
        if method == "POST" and not body.get("disassociate") and any(body["id"] in self.attached[kind, number, other] for other in others):
            raise Refused(400, {"Error": "Relationship not allowed."})
        return self.attach(method, self.attached[kind, number, name], ATTACHED[name], body, kind)

    def attach(self, method: str, numbers: list[int], kind: str, body: Any, to: str = "") -> tuple[int, Any]:
        if method == "GET":
            return 200, self.page([self.render(kind, number) for number in sorted(numbers)], kind, {})
        number = body["id"]
        if number not in self.objects[kind]:
            raise Refused(400, {"msg": f"{kind} with id {number} does not exist"})
        if body.get("disassociate"):
            numbers.remove(number)
        elif number not in numbers:
            types = [self.objects[kind][it].get("credential_type") for it in numbers] if to == "job_templates" and kind == "credentials" else []
            if self.objects[kind][number].get("credential_type", 0) in types:
                raise Refused(400, {"error": "Cannot assign multiple credentials of one type."})
            numbers.append(number)
        return 204, None

    # Objects

    def create(self, kind: str, body: Json) -> int:
        if missing := [key for key in REQUIRED.get(kind, ["name"]) if body.get(key) in (None, "")]:
            raise Refused(400, {key: ["This field is required."] for key in missing})
        it = {"name": "", **self.shapes[kind]["fields"]} if kind != "workflow_job_template_nodes" else dict(self.shapes[kind]["fields"])
        it |= {key: value for key, value in body.items() if key in it or key in FOREIGN or key in {"name", "identifier"}}
        self.check(kind, it, None)
        counter = "unified" if kind in UNIFIED else kind
        number, self.next[counter] = self.next[counter], self.next[counter] + 1
        self.objects[kind][number] = self.kept(kind, it)
        return number

    def kept(self, kind: str, it: Json) -> Json:
        if kind == "credentials":
            secret = {field["id"] for field in self.objects["credential_types"][it["credential_type"]]["inputs"]["fields"] if field.get("secret")}
            it["inputs"] = {key: "$encrypted$" if key in secret and value else value for key, value in it["inputs"].items()}
            amazon = self.objects["credential_types"][it["credential_type"]]["namespace"] == "aws"
            it |= {"kind": "aws" if amazon else None, "cloud": True}
        if kind == "notification_templates":
            it["notification_configuration"] = {**WEBHOOK, **it["notification_configuration"]}
        if kind == "schedules":
            start = re.search(r"DTSTART;TZID=(\S+?):", it["rrule"])
            it["timezone"] = start[1] if start else "UTC"
        return it

    def check(self, kind: str, it: Json, number: int | None) -> None:
        for field, target in FOREIGN.items():
            value = it.get(field)
            if value is not None and not any(value in self.objects[one] for one in (UNIFIED if target == "unified_job_templates" else [target])):
                raise Refused(400, {field: [f'Invalid pk "{value}" - object does not exist.']})
        same = ("organization", "inventory") if kind == "inventory_sources" else ("organization", "credential_type")
        for other, that in self.objects[kind].items():
            if kind not in {"workflow_job_template_nodes", "schedules"} and other != number and all(that.get(key) == it.get(key) for key in ("name", *same)):
                raise Refused(400, {"__all__": [f"{kind} with this name already exists."]})
        if kind == "job_templates":
            project = self.objects["projects"][it["project"]]
            if not project["allow_override"] and (project["status"] != "successful" or it["playbook"] not in self.playbooks):
                raise Refused(400, {"playbook": ["Playbook not found for project."]})
            if it["ask_scm_branch_on_launch"] and not project["allow_override"]:
                raise Refused(400, {"ask_scm_branch_on_launch": ["Project does not allow overriding branch."]})
        if kind == "schedules" and not re.fullmatch(r"DTSTART(;TZID=\S+:\d{8}T\d{6}|:\d{8}T\d{6}Z) RRULE:FREQ=\w+;INTERVAL=\d+.*", it["rrule"]):
            raise Refused(400, {"rrule": ["rrule parsing failed validation"]})
        if it.get("extra_data"):
            self.check_answers(it["unified_job_template"], it["extra_data"], whole=kind == "schedules")
        if kind == "credentials":
            known = {field["id"] for field in self.objects["credential_types"][it["credential_type"]]["inputs"]["fields"]}
            if unknown := it["inputs"].keys() - known:
                raise Refused(400, {"inputs": [f"Additional properties are not allowed ({unknown})"]})
        in_use = {that["credential_type"] for that in self.objects["credentials"].values()}
        if kind == "credential_types" and number in in_use and it["inputs"] != self.objects[kind][number]["inputs"]:
            raise Refused(403, {"detail": "Modifications to inputs are not allowed for credential types that are in use"})

    def check_answers(self, template: int, answers: Json, whole: bool) -> None:
        it = self.objects["job_templates"][template]
        questions = (
            {question["variable"]: question for question in self.surveys.get(("job_templates", template), {}).get("spec", [])} if it["survey_enabled"] else {}
        )
        if not it["ask_variables_on_launch"] and (foreign := answers.keys() - questions):
            raise Refused(400, {"extra_data": [f"Variables {', '.join(foreign)} are not allowed on launch."]})
        wrong = [name for name, value in answers.items() if questions[name]["type"] == "multiplechoice" and value not in questions[name]["choices"]]
        missing = [name for name, question in questions.items() if whole and question["required"] and name not in answers]
        if wrong or missing:
            raise Refused(400, {"variables_needed_to_start": [f"{wrong} not in the choices, {missing} missing"]})

    def remove(self, kind: str, number: int) -> None:
        it = self.objects[kind].pop(number)
        if kind == "workflow_job_template_nodes" and it["unified_job_template"] in self.objects["workflow_approval_templates"]:
            self.remove("workflow_approval_templates", it["unified_job_template"])  # AWX: signals.py, delete_approval_templates
        for (one, _number, name), numbers in self.attached.items():
            if ATTACHED[name] == kind and number in numbers and one in self.objects:
                numbers.remove(number)
        for (one, parent, _role), role in self.role_ids.items():
            if (one, parent) == (kind, number):
                self.role_teams.pop(role, None)
        self.surveys.pop((kind, number), None)
        owned = {"workflow_job_templates": ("workflow_job_template_nodes", "workflow_job_template"), "inventories": ("inventory_sources", "inventory")}
        for children, field in [it for it in [owned.get(kind), ("schedules", "unified_job_template") if kind in UNIFIED else None] if it]:
            for child in [child for child, it in self.objects[children].items() if it[field] == number]:
                self.remove(children, child)
        for others in self.objects.values():
            for it in others.values():
                it.update({field: None for field, target in FOREIGN.items() if target == kind and it.get(field) == number})

    # What is shown of them

    def role(self, kind: str, number: int, name: str) -> int:
        return self.role_ids.setdefault((kind, number, name), len(self.role_ids) + 40)

    def render(self, kind: str, number: int) -> Json:
        it, shape = self.objects[kind][number], self.shapes[kind]
        url = f"{ROOT}{kind}/{number}/"
        if kind == "projects" and it["status"] in {"pending", "running"}:
            self.looked_at[number] += 1
            it["status"] = "running" if self.looked_at[number] <= self.polls else self.sync
        if kind == "inventories":
            sources = sum(source["inventory"] == number for source in self.objects["inventory_sources"].values())
            it |= {"has_inventory_sources": sources > 0, "total_inventory_sources": sources}
        if kind == "workflow_job_template_nodes":
            it |= {links: sorted(self.attached[kind, number, links]) for links in ("success_nodes", "failure_nodes", "always_nodes")}
        related = {name: below and url + below for name, below in shape["related"].items() if name not in FOREIGN}
        template = self.objects["job_templates"].get(it["unified_job_template"], {}) if kind == "schedules" else {}
        for field, target in FOREIGN.items():
            value = it.get(field) or (template.get(field) if field in shape["related"] else None)
            if value is not None and field in {*shape["related"], "execution_environment", "inventory"}:
                owner = target if target != "unified_job_templates" else next(one for one in UNIFIED if value in self.objects[one])
                related[field] = f"{ROOT}{owner}/{value}/"
        roles = {role: {"name": name, "id": self.role(kind, number, role)} for role, name in shape["roles"].items()}
        return {"id": number, "type": shape["type"], "url": url, "related": related, "summary_fields": {"object_roles": roles} if roles else {}} | it

    def options(self, kind: str) -> Json:
        fields = {"name": "", **self.shapes[kind]["fields"], **({"identifier": ""} if kind.endswith("nodes") else {})} if kind in self.shapes else {}
        return {key: {"type": "id" if key in FOREIGN else "field"} for key in fields.keys() - READ_ONLY}


def check_survey(body: Json) -> None:
    for key in ("name", "description", "spec"):
        if key not in body:
            raise Refused(400, {"error": f"'{key}' missing from survey spec."})
    seen = set()
    for question in body["spec"]:
        for key in ("question_name", "variable", "type", "required"):
            if key not in question:
                raise Refused(400, {"error": f"'{key}' missing from survey question."})
        if question["variable"] in seen:
            raise Refused(400, {"error": f"'variable' '{question['variable']}' duplicated in survey question."})
        seen.add(question["variable"])
        if any(not isinstance(question.get(key, 0), int) for key in ("min", "max")):
            raise Refused(400, {"error": "min and max are numbers"})
        default = question.get("default", "")
        if question["type"].startswith("multi") and default and default not in question["choices"]:
            raise Refused(400, {"error": "Default choice must be answered from the choices listed."})


class Handler(BaseHTTPRequestHandler):
    awx: Awx
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and self.path not in {"/api/", ROOT}:
            status, answer = 401, {"detail": "Authentication credentials were not provided."}
        else:
            status, answer = self.awx.answer(self.command, self.path, body)
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Allow": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS", "X-API-Product-Name": "AWX",
                            "X-API-Product-Version": "24.6.1", "Content-Length": str(len(content))}.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = handle_any

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(awx: Awx) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"awx": awx}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
