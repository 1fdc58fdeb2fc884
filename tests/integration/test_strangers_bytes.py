"""Any bytes that a client sends, to any route, are refused or answered, and never cause a 500."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any, Final
from urllib.parse import unquote

import anyio
import pytest
from starlette.routing import Route

from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.console import routes as console
from control_plane.web.endpoints import Endpoint
from tests.support.clients.api import INTERNAL_KEY, UNKNOWN_ID, Admin, ControlPlane

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
LONG: Final = 5_000
STEP: Final = 29  # each route gets every 29th request, the next route the following ones
DIGITS: Final = b"9" * LONG
IN_URLS: Final = [
    b"%00",
    b"a%00b",
    b"%ff%fe",
    b"%ED%A0%80",
    b"%F0%9F%8E%9F",
    b"%",
    b"%zz",
    DIGITS,
    b"-1",
    b"1e400",
    b"NaN",
    b"[" * LONG,
    b"x" * LONG,
    b"%CC%81" * 1_000,
    b"9999-12-31T23:59:59-23:59",
    b"0001-01-01T00:00:00%2B23:59",
    b"20270115T200000.000000Z",
    b"' OR 1=1--",
]
IN_HEADERS: Final = [b"", b"\xff\xfe", DIGITS, b"Bearer " + b"." * LONG, b"Bearer sgk_\xff", b'W/"', b"=;=;==", b"-"]
IN_JSON: Final = [
    rb'"\u0000"',
    rb'"\ud800"',
    rb'"a\udc00b"',
    b'"%s"' % (b"x" * LONG),
    DIGITS[:4_000],
    DIGITS,
    b"1e400",
    b"-1e400",
    b"NaN",
    b"-0",
    b"1.5",
    b"true",
    b"null",
    b"{}",
    b"[[]]",
    b"[" * LONG,
    b'"9999-12-31T23:59:59-23:59"',
    b'"0001-01-01T00:00:00+23:59"',
    '"é\u202e\ufeff"'.encode(),
    b'"\xff"',
]
HEADERS: Final = (
    *("authorization", "cookie", "host", "user-agent", "accept-language", "content-type", "content-length"),
    *("x-real-ip", "x-forwarded-proto", "x-forwarded-for", "x-request-id", "origin", "sec-fetch-site"),
    *("if-none-match", "if-modified-since", "range", "x-internal-api-key", "accept", "accept-encoding"),
)
INTERNAL: Final = [
    ("GET", "/internal/feed", ("cursor", "wait", "edge", "instance")),
    ("POST", "/internal/activity", ()),
    ("GET", "/internal/origins", ()),
]


@dataclass(frozen=True)
class ByteTarget:
    """A route, and what is known of its input."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Bytes:
    """A request as sent over the wire."""

    path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    kind: bytes = b"application/json"
    method: str = field(default="GET")


def _of(mount: str, one: Endpoint) -> ByteTarget:
    query, body = one.query or one.documented_query, one.body or one.documented_body
    names = [info.alias or name for name, info in query.model_fields.items()] if query else ["code", "since"]
    fields = [info.alias or name for name, info in body.model_fields.items()] if body else ["code"]
    return ByteTarget(one.method, mount + one.path, tuple(names), tuple(fields))


PAGES: Final = (
    "/",
    "/logo",
    f"/posters/{UNKNOWN_ID}/x.webp",
    "/static/x",
    "/api/openapi.json",
    "/api/docs",
    "/nowhere",
)
TARGETS: Final = [
    *(_of("/api/admin", one) for one in ADMIN_ENDPOINTS),
    *(_of("/api", one) for one in VIEWER_ENDPOINTS),
    *(ByteTarget(*one) for one in INTERNAL),
    *(
        ByteTarget(method, f"/admin{route.path}", ("page", "search", "status", "batch", "next", "back", "done"))
        for route in console.ROUTES
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ),
    *(ByteTarget("GET", path) for path in PAGES),
]


def requests_to(target: ByteTarget) -> Iterator[Bytes]:
    plain = re.sub(r"{\w+(:\w+)?}", UNKNOWN_ID, target.path).encode()
    for value in IN_URLS:
        if "{" in target.path:
            yield Bytes(re.sub(rb"{\w+(:\w+)?}", lambda _: value, target.path.encode()), method=target.method)  # noqa: B023
        for name in target.query or ("x",):
            yield Bytes(plain, b"%s=%s" % (name.encode(), value), method=target.method)
        yield Bytes(plain, value, method=target.method)
    if target in TARGETS[::12]:  # headers are read in the same few places for all routes
        for value, name in product(IN_HEADERS, HEADERS):
            yield Bytes(plain, headers=((name.encode(), value),), method=target.method)
    if target.method not in {"GET", "DELETE"}:
        yield from _with_bodies(target, plain)


def _with_bodies(target: ByteTarget, plain: bytes) -> Iterator[Bytes]:
    for value in IN_JSON:
        yield Bytes(plain, body=value, method=target.method)
        for name in target.body:
            yield Bytes(plain, body=b'{"%s":%s}' % (name.encode(), value), method=target.method)
    for value in IN_URLS:
        form = b"%s=%s" % (b"username", value)
        yield Bytes(plain, body=form, kind=b"application/x-www-form-urlencoded", method=target.method)
        yield Bytes(plain, body=value, kind=b"text/csv", method=target.method)
        yield Bytes(plain, body=value, kind=b"image/png", method=target.method)


class Stranger:
    """An ASGI client that passes requests to the application as uvicorn does, without any normalization."""

    def __init__(self, plane: ControlPlane, cookie: str) -> None:
        self._app = plane.transport.app
        self._shown = ((b"cookie", cookie.encode()), (b"x-internal-api-key", INTERNAL_KEY.encode()))
        self._asked = 0

    async def ask(self, sent: Bytes) -> int:
        self._asked += 1
        given = {name for name, _ in sent.headers}
        address = (
            f"203.0.{self._asked // 250 % 250}.{self._asked % 250}".encode()
        )  # a new address, or limits would answer
        usual = (*self._shown, (b"x-real-ip", address), (b"content-type", sent.kind), (b"host", b"tickets.example"))
        headers = [*sent.headers, *(one for one in usual if one[0] not in given)]
        statuses: list[int] = []
        is_said = anyio.Event()

        async def receive() -> dict[str, Any]:
            """Return the body once; after that wait, without a disconnect."""
            if is_said.is_set():
                await anyio.sleep_forever()
            is_said.set()
            return {"type": "http.request", "body": sent.body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": sent.method,
            "scheme": "http",
            "path": unquote(sent.path.decode("latin-1")),
            "raw_path": sent.path,
            "query_string": sent.query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self._app(scope, receive, send)
        return statuses[0]


@pytest.mark.parametrize("signed_in", [False, True])
async def test_no_route_answers_any_bytes_with_500(plane: ControlPlane, *, signed_in: bool) -> None:
    failed = []
    async with plane.browser("198.51.100.9") as http:
        assert (await Admin(http).sign_in()).status_code == 200
        cookie = f"sg_admin={http.cookies['sg_admin']}" if signed_in else "sg_admin=\xff"
    stranger = Stranger(plane, cookie)
    for place, target in enumerate(TARGETS):
        if signed_in and target.path.endswith(("/logout", "/session", "/sessions")):
            continue  # the request was cut off, so continue
        for sent in islice(requests_to(target), place % STEP, None, STEP):
            try:
                status = await stranger.ask(sent)
            except Exception as error:  # noqa: BLE001 - what a server would answer with 500
                failed.append((str(target), repr(sent)[:300], repr(error)[:300]))
            else:
                if status >= 500 and status != 503:
                    failed.append((str(target), repr(sent)[:300], str(status)))
    assert not failed, json.dumps(failed[:20], indent=1)
