"""The OpenAPI 3.1 document of the JSON API, generated from the endpoints and from the schemas that validate requests.

Nothing is described twice: the input, responses and refusals of an endpoint are declared where it is defined.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from control_plane import errors as refusals
from control_plane.schemas import Schema
from control_plane.web.endpoints import Endpoint
from control_plane.web.errors import status_for

_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::(\w+))?}")
_CHANGING: Final = {"POST", "PUT", "PATCH", "DELETE"}
_SECURITY: Final = {
    "session": {"type": "apiKey", "in": "cookie", "name": "sg_admin", "description": "Set by signing in."},
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `sgk_...`."},
    "playbackToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From `/api/tokens/validate`.",
    },
    "resumeCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sg_resume",
        "description": "Set by `/api/tokens/validate`.",
    },
    "internalKey": {"type": "apiKey", "in": "header", "name": "X-Internal-Api-Key"},
}


class Error(Schema):
    """A refusal: a sentence for people, a reason for programs."""

    error: str
    reason: str


class Invalid(Error):
    """Invalid values: one message per field, `""` for the whole body."""

    fields: dict[str, str]


def document(title: str, parts: Mapping[str, Iterable[Endpoint]]) -> dict[str, Any]:
    """Return the document; `parts` maps mount paths ("/api/admin") to endpoints."""
    endpoints = [(mount, endpoint) for mount, part in parts.items() for endpoint in part]
    names, schemas = _schemas(endpoint for _, endpoint in endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for mount, endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", mount + endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, mount, names, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


_Names = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[_Names, dict[str, Any]]:
    """Return a reference to the schema of each model, and all schemas."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (Error, "serialization"): None,
        (Invalid, "serialization"): None,
    }
    for endpoint in endpoints:
        wanted |= {(model, "validation"): None for model in _input_models(endpoint) if model}
        answers = (model for model in endpoint.responses.values() if isinstance(model, type))
        wanted |= {(model, "serialization"): None for model in answers}
    names, found = models_json_schema(list(wanted), by_alias=True, ref_template=_REF)
    return names, _as_ecma(found.get("$defs", {}))


def _input_models(endpoint: Endpoint) -> tuple[type[BaseModel] | None, ...]:
    return endpoint.body, endpoint.query, endpoint.documented_body, endpoint.documented_query


def _as_ecma(value: Any) -> Any:
    r"""Convert patterns to the dialect of JSON Schema: Python's `\Z` is `$` there."""
    if isinstance(value, dict):
        return {
            name: item.replace("\\Z", "$") if name == "pattern" and isinstance(item, str) else _as_ecma(item)
            for name, item in value.items()
        }
    return [_as_ecma(item) for item in value] if isinstance(value, list) else value


def _operation(endpoint: Endpoint, mount: str, names: _Names, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [_tag(endpoint, mount)],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, names, schemas), *_headers(endpoint)],
        "responses": _responses(endpoint, names),
        "security": _security(endpoint),
    }
    if body := endpoint.body or endpoint.documented_body:
        required = endpoint.body is not None or any(one.is_required() for one in body.model_fields.values())
        operation["requestBody"] = _content("application/json", names[body, "validation"]) | {"required": required}
    if endpoint.body_media_types:
        operation["requestBody"] = {
            "content": {kind: {"schema": {}} for kind in endpoint.body_media_types},
            "required": not endpoint.security_scheme,
        }
    if endpoint.permission:
        operation["x-permission"] = endpoint.permission.value
    return operation


def _tag(endpoint: Endpoint, mount: str) -> str:
    return endpoint.path.split("/")[1] if mount.endswith("admin") else "viewer"


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.permission:
        return [{"session": []}, {"apiKey": []}]
    in_body: list[dict[str, list[str]]] = [{}] if endpoint.body_media_types else []
    return [{endpoint.security_scheme: []}, *in_body] if endpoint.security_scheme else []


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    formats = {"uuid": {"type": "string", "format": "uuid"}, "number": {"type": "integer", "minimum": 0}}
    return [
        {"name": name, "in": "path", "required": True, "schema": formats.get(kind, {"type": "string"})}
        for name, kind in _PARAMETER.findall(endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint, names: _Names, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    query = endpoint.query or endpoint.documented_query
    if query is None:
        return []
    model = schemas[names[query, "validation"]["$ref"].rpartition("/")[2]]
    required = set(model.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in model.get("properties", {}).items()
    ]


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in endpoint.required_headers.items()
    ]


def _content(media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {media_type: {"schema": schema}}}


def _responses(endpoint: Endpoint, names: _Names) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in endpoint.responses.items():
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if isinstance(model, str):
            response |= _content(model, {"type": "string"})
        elif model:
            response |= _content("application/json", names[model, "serialization"])
        responses[str(status)] = response
    for status, reasons in sorted(_refusals(endpoint).items()):
        schema = names[Invalid if status == HTTPStatus.UNPROCESSABLE_ENTITY else Error, "serialization"]
        responses[str(status)] = {"description": ", ".join(reasons)} | _content("application/json", schema)
    return responses


def _refusals(endpoint: Endpoint) -> dict[int, list[str]]:
    """Return the reasons of an endpoint's refusals by status."""
    kinds: list[type[refusals.Refusal]] = [*endpoint.refusals, refusals.Unavailable]
    if endpoint.permission:
        kinds += [refusals.SignInRequired, refusals.Forbidden]
    if endpoint.method in _CHANGING:
        kinds.append(refusals.CrossOrigin)
    if endpoint.body:
        kinds.append(refusals.MalformedRequest)
    if endpoint.body or endpoint.documented_body or endpoint.body_media_types:
        kinds.append(refusals.TooLarge)
    found: dict[int, list[str]] = {}
    for kind in kinds:
        reasons = found.setdefault(status_for(kind), [])
        reasons += [reason for reason in kind.all_reasons() if reason not in reasons]
    if endpoint.body or endpoint.query:
        found.setdefault(422, ["invalid"])
    return found
