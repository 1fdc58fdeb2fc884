"""The internal API for sidecars. nginx answers 404 to everything below /internal/ on the public port."""

import asyncio
import hmac
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import anyio
from starlette.responses import JSONResponse, PlainTextResponse, Response

from authz_sidecar.contract.feed import MAX_WAIT_SECONDS, Cursor, FeedPage
from control_plane.clock import utc_now
from control_plane.errors import MalformedRequest, TokenUnusable
from control_plane.revocations import revocation_feed
from control_plane.revocations.edges import Instance
from control_plane.revocations.feed_pages import RenderedPage
from control_plane.services import Request, Services
from control_plane.sessions import activity
from control_plane.sessions.reports import NAME, ActivityReport, parse_report
from control_plane.streams import origin_news
from control_plane.web.requests import services

_MAX_INLINE_BYTES: Final = 128 * 1024  # bytes of a report: two thousand sessions, 3 ms


class FeedRequest(NamedTuple):
    """A follower's request for the changes after a cursor; `wait` is the longest time to wait for one, in seconds."""

    cursor: str
    wait: float
    instance: Instance | None
    origins: str | None = None  # the tag of the origin list it knows; None from an older sidecar


async def feed(request: Request) -> Response:
    """Return the changes after the cursor as soon as there are any, at the latest after `wait` seconds.

    The next page of a snapshot is also linked in a Link header (RFC 8288), so that a client can prefetch it before it
    has parsed this one. The cursor is also a receipt: everything before it is in force at the instance that asks.
    """
    key = request.headers.get("x-internal-api-key", "").encode()
    app = services(request)
    rendered = await next_page(app, parse_feed_request(app, key, request.query_params))
    headers = {name.decode(): value.decode() for name, value in page_headers(app, rendered)}
    return Response(rendered.body, headers=headers, media_type="application/json")


def parse_feed_request(app: Services, key: bytes, query: Mapping[str, str]) -> FeedRequest:
    """Parse a feed request. Raise TokenUnusable or MalformedRequest."""
    _check_key(app, key)
    wait = _wait_seconds(query.get("wait", "0"))
    return FeedRequest(query.get("cursor", ""), wait, _instance(query), query.get("origins"))


def page_headers(app: Services, rendered: RenderedPage) -> Iterator[tuple[bytes, bytes]]:
    if rendered.page.next:
        yield b"link", f'<?cursor={rendered.page.next}>; rel="next"'.encode()
    if app.origin_news.tag is not None:
        yield b"x-origins", app.origin_news.tag.encode()


async def report_activity(request: Request) -> Response:
    """Store a sidecar's report of the sessions that were allowed a request since its last report."""
    check_key(request)
    app, body = services(request), await request.body()
    activity_report = await _read_report(body)
    async with app.database.write() as db:
        await activity.note(db, activity_report, utc_now())
    app.clients.note(activity_report, utc_now())
    return Response(status_code=204)


async def _read_report(body: bytes) -> ActivityReport:
    """Parse a report, in a thread if it is long: ten thousand sessions would block the event loop."""
    if len(body) <= _MAX_INLINE_BYTES:
        return parse_report(body)
    return await anyio.to_thread.run_sync(parse_report, body)


async def list_origins(request: Request) -> Response:
    """Return the addresses of events that have an origin of their own; 304 if the client has them already."""
    check_key(request)
    async with services(request).database.read() as db:
        found = await origin_news.read(db, utc_now())
    headers = {"ETag": f'"{found.tag}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type="application/json")


async def health(request: Request) -> Response:
    """Return 200 if the database answers, and (for `doctor`) the untrusted proxies that forward requests."""
    app = services(request)
    async with app.database.read() as db:
        await revocation_feed.read_page(db, "", limit=1)
    return JSONResponse({"status": "ok", "unnamedProxies": app.unnamed_proxies.known})


async def live(_request: Request) -> Response:
    """Return 200 as long as the process responds; `up` restarts one that does not."""
    return PlainTextResponse("alive")


def check_key(request: Request) -> None:
    """Raise TokenUnusable unless the request has the internal key, compared in constant time."""
    _check_key(services(request), request.headers.get("x-internal-api-key", "").encode())


def _check_key(app: Services, key: bytes) -> None:
    expected = app.settings.internal_api_key.get_secret_value().encode()
    if not hmac.compare_digest(key, expected):
        raise TokenUnusable


async def next_page(app: Services, feed_request: FeedRequest) -> RenderedPage:
    """Wait for the next page, and count the follower in the metrics while it waits."""
    with app.metrics.following():
        return await _next_page(app, feed_request)


async def _next_page(app: Services, feed_request: FeedRequest) -> RenderedPage:
    requested_cursor, wait, instance, known_origins = feed_request
    clock, announcements = asyncio.get_running_loop().time, app.database.announcements
    deadline = clock() + wait
    is_noted = instance is None
    while True:
        changed = announcements.next(revocation_feed.TOPIC)
        rendered = await app.feed_pages.after(requested_cursor, changed, fresh=wait == 0)
        if instance and not is_noted:
            is_noted = _note_receipt(app, instance, requested_cursor, rendered.page)
        is_due = clock() >= deadline or announcements.is_closed
        is_news = not rendered.is_empty or rendered.page.snapshot or app.origin_news.differs_from(known_origins)
        if is_news or is_due:
            _note_answer(app, instance, rendered)
            return rendered
        with suppress(TimeoutError):  # not an anyio scope: a thousand followers wait here
            async with asyncio.timeout_at(deadline):
                await changed.wait()


def _note_receipt(app: Services, instance: Instance, requested_cursor: str, page: FeedPage) -> bool:
    """Record the receipt, once per request. A request that is answered with a snapshot acknowledges nothing."""
    parsed = Cursor.parse(page.cursor if page.snapshot else requested_cursor)
    if parsed:
        cursor = Cursor(parsed.epoch, parsed.n, in_snapshot=page.snapshot)
        app.receipts.record_receipt(instance, cursor, utc_now().timestamp())
    return True


def _note_answer(app: Services, instance: Instance | None, answer: RenderedPage) -> None:
    """Record what is pushed, except snapshots: the age of their changes says nothing about the feed's delay."""
    cursor = Cursor.parse(answer.page.cursor)
    if instance and cursor and answer.newest and not answer.page.snapshot:
        app.receipts.record_push(instance, cursor.n, answer.newest.timestamp())


def _wait_seconds(text: str) -> float:
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not wait >= 0:  # also refuses NaN
        raise MalformedRequest("wait must be a number of seconds.")
    return min(wait, MAX_WAIT_SECONDS)


def _instance(query: Mapping[str, str]) -> Instance | None:
    """Return the instance that asks, or None if it names no edge. Raise MalformedRequest."""
    names = {name: query.get(name) for name in ("edge", "instance")}
    for name, value in names.items():
        if value is not None and not NAME.fullmatch(value):
            raise MalformedRequest(f"{name} must match {NAME.pattern}.")
    return Instance(names["edge"], names["instance"] or "-") if names["edge"] else None
