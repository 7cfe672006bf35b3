"""Which operation of which AWS service a request calls, by botocore's models of the services."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session
from botocore.model import OperationModel

# Of those whose models say method and path, the services that sign with another name than botocore's
SERVICES = {"elasticfilesystem": "efs"}
SIGNED_BY = re.compile(r"Credential=[^/]+/[^/]*/[^/]*/([^/]+)/aws4_request")
CBOR_PATH = re.compile(r"^/service/[^/]+/operation/([^/]+)$")
VERSION_SUFFIX = re.compile(r"\d{4}_\d{2}_\d{2}$")


class Operation(NamedTuple):
    service: str  # the name with which the request is signed
    name: str

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass
class Request:
    method: str
    target: str  # path and query
    headers: dict[str, str]
    body: bytes = b""

    def __post_init__(self) -> None:
        self.headers = {name.lower(): value for name, value in self.headers.items()}
        if not self._is_form:
            self.body = b""  # nothing in it names the operation

    @property
    def _is_form(self) -> bool:
        return "x-www-form-urlencoded" in self.headers.get("content-type", "")

    @cached_property
    def operation(self) -> Operation:
        """Of what is no call of AWS, or of an operation that botocore does not know, the name is method and path."""
        path = urlsplit(self.target).path
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        signed = SIGNED_BY.search(self.headers.get("authorization", "")) or SIGNED_BY.search(f"Credential={query.get('X-Amz-Credential', [''])[0]}")
        service = signed[1] if signed else "?"
        if target := self.headers.get("x-amz-target"):
            return Operation(service, target.rpartition(".")[2])
        if self._is_form and (action := parse_qs(self.body.decode()).get("Action")):
            return Operation(service, action[0])
        if cbor := CBOR_PATH.match(path):
            return Operation(service, cbor[1])
        return Operation(service, _by_path(service, self.method, path, query, self.headers) or f"{self.method} {path}")


@dataclass
class _Route:
    name: str
    method: str
    path: re.Pattern[str]
    literal_segments: int
    values: dict[str, str]  # of the query
    required: set[str]  # in the query
    headers: set[str]  # that are required

    def matches(self, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> bool:
        return (
            method == self.method
            and self.path.fullmatch(path) is not None
            and all(name in query and (not value or value in query[name]) for name, value in self.values.items())
            and self.required <= query.keys()
            and self.headers <= headers.keys()
        )

    @property
    def precision(self) -> tuple[int, int]:
        return self.literal_segments, len(self.values) + len(self.required) + len(self.headers)


def _by_path(service: str, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> str | None:
    found = [route for route in _routes(SERVICES.get(service, service)) if route.matches(method, path, query, headers)]
    return max(found, key=lambda route: route.precision).name if found else None


@cache
def _routes(service: str) -> list[_Route]:
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return []
    model = session.get_service_model(service)
    if not model.protocol.startswith("rest-"):
        return []
    # Of two operations with the same route the later one replaces a deprecated one, such as GetBucketLifecycleConfiguration
    operations = [model.operation_model(name) for name in model.operation_names]
    return [_route(operation) for operation in sorted(operations, key=lambda operation: (operation.deprecated, operation.name))]


def _route(operation: OperationModel) -> _Route:
    path, *rest = operation.http["requestUri"].split("?", 1)
    segments = [segment for segment in path.split("/") if segment]
    members = operation.input_shape.members if operation.input_shape else {}
    required = operation.input_shape.required_members if operation.input_shape else []

    def required_in(location: str) -> set[str]:
        return {members[name].serialization["name"] for name in required if members[name].serialization.get("location") == location}

    return _Route(
        name=VERSION_SUFFIX.sub("", operation.name),
        method=operation.http["method"],
        path=re.compile("".join(f"/{_pattern(segment)}" for segment in segments) + "/?"),
        literal_segments=sum(not segment.startswith("{") for segment in segments),
        values={name: values[0] for name, values in parse_qs("".join(rest), keep_blank_values=True).items()},
        required=required_in("querystring"),
        headers={name.lower() for name in required_in("header")},
    )


def _pattern(segment: str) -> str:
    if segment.startswith("{"):
        return ".+" if segment.endswith("+}") else "[^/]+"
    return re.escape(unquote(segment))
