"""What a route of the JSON API is: who may call it, what it takes and what it answers, said once.

The same words decide, validate and document: `Endpoint.route` builds the route from them, openapi.py the document,
and a test walks through all of them with every role and scope.
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

from control_plane.access import audited_change as acting
from control_plane.access.actors import Actor, Permission
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.clock import utc_now
from control_plane.errors import NotFound, Refusal
from control_plane.services import Request, Services
from control_plane.web.authentication import actor_of
from control_plane.web.requests import parse, services


class _Number(Convertor[int]):
    """A row's number in a path. Starlette's `int` takes any number of digits, and int() raises beyond 4,300."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())
Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who may make it. `now` is the moment at which all of it is judged."""

    request: Request
    actor: Actor
    now: datetime

    @property
    def app(self) -> Services:
        return services(self.request)

    def id(self, name: str) -> str:
        """Return an id from the path."""
        return str(self.request.path_params[name])

    @property
    def alive_since(self) -> datetime:
        return self.app.rules.alive_since(self.now)

    def act(self, action: Action, subject: str | None = None) -> AbstractAsyncContextManager[AuditedChange]:
        return acting.audited_change(self.app.database, self.actor, action, self.now, subject)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the JSON API. `answers` maps a status to the model of its body, None for no body.

    `refuses` are what it may refuse with beyond what follows from the rest: 401, 403, 404, 422 and the like. `shows`
    is what a viewer's player or a server shows instead of being signed in (a security scheme of the document).
    `consumes` are the media types of a body that the handler reads by itself (with `shows`: of one that stands for what
    is shown), `headers` what it wants beside it;
    `max_body` are the bytes of a body that may be larger than others.
    """

    method: str
    path: str
    needs: Permission | None
    handler: Handler
    answers: Mapping[int, type[BaseModel] | str | None]
    refuses: tuple[type[Refusal], ...] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    shows: str | None = None
    consumes: tuple[str, ...] = ()
    reads_query: type[BaseModel] | None = None
    reads_body: type[BaseModel] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_body: int | None = None

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.handler) or self.handler.__name__).splitlines()[0].rstrip(".")

    async def __call__(self, request: Request) -> Response:
        """Answer in this order: who asks, are they allowed to, does what they send make sense; then do it."""
        actor = await actor_of(request, self.needs)
        given: dict[str, BaseModel] = {}
        if self.query:
            given["query"] = self.query.model_validate(dict(request.query_params))
        if self.body:
            given["body"] = await parse(request, self.body)
        return await self.handler(Call(request, actor, utc_now()), **given)


def routes_of(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Make one route a path, so that a wrong method is answered with all the right ones (RFC 9110, section 10.2.1)."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method] = one
    return [_route(path, by_method) for path, by_method in paths.items()]


def _route(path: str, by_method: Mapping[str, Endpoint]) -> Route:
    async def answer(request: Request) -> Response:
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    largest = max((one.max_body or 0 for one in by_method.values()), default=0)
    larger = [Middleware(RequestBodyLimitMiddleware, max_body_size=largest)] if largest else None
    return Route(path, answer, methods=list(by_method), middleware=larger)


def endpoint(  # noqa: PLR0913 - each is given by its name
    route: str,
    *,
    needs: Permission | None,
    answers: Mapping[int, type[BaseModel] | str | None],
    refuses: tuple[type[Refusal], ...] = (),
    shows: str | None = None,
    consumes: tuple[str, ...] = (),
    reads_query: type[BaseModel] | None = None,
    reads_body: type[BaseModel] | None = None,
    headers: Mapping[str, str] | None = None,
    max_body: int | None = None,
) -> Callable[[Handler], Endpoint]:
    """Make a function an endpoint: `route` is "PATCH /events/{event_id:uuid}/archive".

    Its parameters `query` and `body`, by their types, say what is validated before it is called. An answer that is a
    text is a media type.
    """
    method, path = route.split(" ", 1)

    def make(handler: Handler) -> Endpoint:
        hints = get_type_hints(handler)
        implied = (NotFound,) if "{" in path else ()
        taken: dict[str, Any] = {"query": hints.get("query"), "body": hints.get("body")}
        read: dict[str, Any] = {"reads_query": reads_query, "reads_body": reads_body}
        more: dict[str, Any] = {"shows": shows, "consumes": consumes, "headers": headers or {}, "max_body": max_body}
        return Endpoint(method, path, needs, handler, answers, (*implied, *refuses), **taken, **read, **more)

    return make
