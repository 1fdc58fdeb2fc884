"""Declare the routes of the JSON API: the permission, the input and the responses of each, in one place.

The same declaration authorises, validates and documents: `routes_of` builds the routes from it, openapi.py builds the
document, and a test calls every endpoint with every role and scope.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_type_hints

from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import Response
from starlette.routing import Route

from control_plane.access.actors import Actor, Permission
from control_plane.access.audited_change import Action, AuditedChange, audited_change
from control_plane.clock import utc_now
from control_plane.errors import NotFound, Refusal
from control_plane.services import Request, Services
from control_plane.web.authentication import actor_of
from control_plane.web.requests import parse, services


class _Number(Convertor[int]):
    """A row number in a path. Starlette's `int` accepts any number of digits, and int() raises beyond 4,300."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())
Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """An authorised request. `now` is the time by which all of it is evaluated."""

    request: Request
    actor: Actor
    now: datetime

    @property
    def app(self) -> Services:
        return services(self.request)

    def id(self, name: str) -> str:
        """Return a path parameter."""
        return str(self.request.path_params[name])

    @property
    def alive_since(self) -> datetime:
        return self.app.rules.alive_since(self.now)

    def audited_change(self, action: Action, subject: str | None = None) -> AbstractAsyncContextManager[AuditedChange]:
        return audited_change(self.app.database, self.actor, action, subject)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the JSON API.

    `responses` maps a status to the model of its body, None for no body, or a media type. `refusals` are those that do
    not follow from the other fields (as 401, 403, 404 and 422 do). `security_scheme` is what a player or a server
    presents instead of signing in. `body_media_types` are those of a body that the handler reads itself; with a
    `security_scheme` the body may carry it. `documented_query` and `documented_body` are validated by the handler.
    `required_headers` maps their names to descriptions. `max_body_bytes` raises the size limit of the body.
    """

    method: str
    path: str
    permission: Permission | None
    handler: Handler
    responses: Mapping[int, type[BaseModel] | str | None]
    refusals: tuple[type[Refusal], ...] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    security_scheme: str | None = None
    body_media_types: tuple[str, ...] = ()
    documented_query: type[BaseModel] | None = None
    documented_body: type[BaseModel] | None = None
    required_headers: Mapping[str, str] = field(default_factory=dict)
    max_body_bytes: int | None = None

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.handler) or self.handler.__name__).splitlines()[0].rstrip(".")

    async def __call__(self, request: Request) -> Response:
        """Authenticate, authorise and validate the request, in this order, then call the handler."""
        actor = await actor_of(request, self.permission)
        given: dict[str, BaseModel] = {}
        if self.query:
            given["query"] = self.query.model_validate(dict(request.query_params))
        if self.body:
            given["body"] = await parse(request, self.body)
        return await self.handler(Call(request, actor, utc_now()), **given)


def routes_of(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Return one route per path, so that 405 responses list all allowed methods (RFC 9110, section 10.2.1)."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method] = one
    return [_route(path, by_method) for path, by_method in paths.items()]


def _route(path: str, by_method: Mapping[str, Endpoint]) -> Route:
    async def answer(request: Request) -> Response:
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    max_body_size = max((one.max_body_bytes or 0 for one in by_method.values()), default=0)
    middleware = [Middleware(RequestBodyLimitMiddleware, max_body_size=max_body_size)] if max_body_size else None
    return Route(path, answer, methods=list(by_method), middleware=middleware)


def endpoint(  # noqa: PLR0913 - keyword arguments
    route: str,
    *,
    permission: Permission | None,
    responses: Mapping[int, type[BaseModel] | str | None],
    refusals: tuple[type[Refusal], ...] = (),
    security_scheme: str | None = None,
    body_media_types: tuple[str, ...] = (),
    documented_query: type[BaseModel] | None = None,
    documented_body: type[BaseModel] | None = None,
    required_headers: Mapping[str, str] | None = None,
    max_body_bytes: int | None = None,
) -> Callable[[Handler], Endpoint]:
    """Turn a handler into an endpoint; `route` is a method and a path like "PATCH /events/{event_id:uuid}/archive".

    The types of the handler's parameters `query` and `body` are the schemas that the request is validated by. A
    response given as a string is a media type.
    """
    method, path = route.split(" ", 1)

    def make(handler: Handler) -> Endpoint:
        hints = get_type_hints(handler)
        implied = (NotFound,) if "{" in path else ()
        validated: dict[str, Any] = {"query": hints.get("query"), "body": hints.get("body")}
        read: dict[str, Any] = {"documented_query": documented_query, "documented_body": documented_body}
        others: dict[str, Any] = {
            "security_scheme": security_scheme,
            "body_media_types": body_media_types,
            "required_headers": required_headers or {},
            "max_body_bytes": max_body_bytes,
        }
        return Endpoint(
            method, path, permission, handler, responses, (*implied, *refusals), **validated, **read, **others
        )

    return make
