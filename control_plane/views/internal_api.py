"""What sidecars ask and tell. nginx answers 404 to everything below /internal/ on the public port."""

import asyncio
import hmac
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import anyio
from starlette.responses import JSONResponse, PlainTextResponse, Response

from authz_sidecar.contract.feed import MAX_WAIT_SECONDS, Cursor, Page
from control_plane.refusals import MalformedRequest, TokenUnusable
from control_plane.revoking import revocation_feed
from control_plane.revoking.edges import Instance
from control_plane.revoking.feed_pages import Handout
from control_plane.schemas import utc_now
from control_plane.state import Request, Services
from control_plane.streaming import origin_news
from control_plane.viewing import activity
from control_plane.viewing.reports import NAME, Signs, parse_report
from control_plane.views.requests import services

_READ_AT_ONCE: Final = 128 * 1024  # bytes of a report: two thousand sessions, 3 ms


class Question(NamedTuple):
    """What a follower asks: what comes after the cursor, within so many seconds, and who it is."""

    cursor: str
    wait: float
    who: Instance | None
    origins: str | None = None  # the tag of the list that it was told of last; None from an older sidecar


async def feed(request: Request) -> Response:
    """Answer with what comes after the cursor, as soon as there is something, at the latest after `wait` seconds.

    The next page of a snapshot is named in a Link header, too (RFC 8288): who reads ahead need not read this one first.
    Asking with a cursor is the receipt: what comes before it is in force where the question comes from.
    """
    shown = request.headers.get("x-internal-api-key", "").encode()
    app = services(request)
    handout = await next_page(app, question(app, shown, request.query_params))
    headers = {name.decode(): value.decode() for name, value in headers_of(app, handout)}
    return Response(handout.body, headers=headers, media_type="application/json")


def question(app: Services, shown_key: bytes, query: Mapping[str, str]) -> Question:
    """Read a question. Raise TokenUnusable or MalformedRequest."""
    _check_key(app, shown_key)
    wait = _wait_seconds(query.get("wait", "0"))
    return Question(query.get("cursor", ""), wait, _instance(query), query.get("origins"))


def headers_of(app: Services, handout: Handout) -> Iterator[tuple[bytes, bytes]]:
    if handout.page.next:
        yield b"link", f'<?cursor={handout.page.next}>; rel="next"'.encode()
    if app.origin_news.tag is not None:
        yield b"x-origins", app.origin_news.tag.encode()


async def report_activity(request: Request) -> Response:
    """Take a sidecar's report of the sessions that were allowed something since its last one."""
    check_key(request)
    app, body = services(request), await request.body()
    signs = await _read_report(body)
    async with app.database.write() as db:
        await activity.note(db, signs, utc_now())
    app.clients.note(signs, utc_now())
    return Response(status_code=204)


async def _read_report(body: bytes) -> Signs:
    """In a thread where it is long: one of ten thousand sessions would hold up everybody's answers."""
    if len(body) <= _READ_AT_ONCE:
        return parse_report(body)
    return await anyio.to_thread.run_sync(parse_report, body)


async def list_origins(request: Request) -> Response:
    """Answer with the addresses of events that have an origin of their own; 304 when the asker knows them."""
    check_key(request)
    async with services(request).database.read() as db:
        found = await origin_news.read(db, utc_now())
    headers = {"ETag": f'"{found.tag}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type="application/json")


async def health(request: Request) -> Response:
    """Answer 200 when the database does; also who forwards viewers without being trusted, for `doctor`."""
    app = services(request)
    async with app.database.read() as db:
        await revocation_feed.read_page(db, "", limit=1)
    return JSONResponse({"status": "ok", "unnamedProxies": app.unnamed_proxies.known})


async def live(_request: Request) -> Response:
    """Answer 200 while this process answers at all; `up` replaces one that does not."""
    return PlainTextResponse("alive")


def check_key(request: Request) -> None:
    """Raise TokenUnusable unless the request shows the internal key; compared in constant time."""
    _check_key(services(request), request.headers.get("x-internal-api-key", "").encode())


def _check_key(app: Services, shown: bytes) -> None:
    expected = app.settings.internal_api_key.get_secret_value().encode()
    if not hmac.compare_digest(shown, expected):
        raise TokenUnusable


async def next_page(app: Services, question: Question) -> Handout:
    """Wait for what is asked for, and count the follower for as long as its question is open."""
    with app.metrics.following():
        return await _next_page(app, question)


async def _next_page(app: Services, question: Question) -> Handout:
    asked, wait, who, known = question
    clock, announcements = asyncio.get_running_loop().time, app.database.announcements
    deadline = clock() + wait
    is_noted = who is None
    while True:
        changed = announcements.next(revocation_feed.TOPIC)
        handout = await app.feed_pages.after(asked, changed, fresh=wait == 0)
        if who and not is_noted:
            is_noted = _note_question(app, who, asked, handout.page)
        is_late = clock() >= deadline or announcements.is_closed
        is_news = not handout.is_empty or handout.page.snapshot or app.origin_news.is_news_to(known)
        if is_news or is_late:
            _note_answer(app, who, handout)
            return handout
        with suppress(TimeoutError):  # not an anyio scope: a thousand followers wait here
            async with asyncio.timeout_at(deadline):
                await changed.wait()


def _note_question(app: Services, who: Instance, asked: str, page: Page) -> bool:
    """Note the receipt, once a question. A question that a snapshot answers acknowledges nothing."""
    place = Cursor.parse(page.cursor if page.snapshot else asked)
    if place:
        cursor = Cursor(place.epoch, place.n, in_snapshot=page.snapshot)
        app.receipts.note_question(who, cursor, utc_now().timestamp())
    return True


def _note_answer(app: Services, who: Instance | None, answer: Handout) -> None:
    """Note what is pushed. A snapshot is not: the age of its changes says nothing about how fast they travel."""
    place = Cursor.parse(answer.page.cursor)
    if who and place and answer.newest and not answer.page.snapshot:
        app.receipts.note_answer(who, place.n, answer.newest.timestamp())


def _wait_seconds(text: str) -> float:
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not wait >= 0:  # NaN is not, either
        raise MalformedRequest("wait is a number of seconds.")
    return min(wait, MAX_WAIT_SECONDS)


def _instance(query: Mapping[str, str]) -> Instance | None:
    """Return who asks; None when it names no edge. Raise MalformedRequest."""
    named = {name: query.get(name) for name in ("edge", "instance")}
    for name, value in named.items():
        if value is not None and not NAME.fullmatch(value):
            raise MalformedRequest(f"{name} is a text that matches {NAME.pattern}.")
    return Instance(named["edge"], named["instance"] or "-") if named["edge"] else None
