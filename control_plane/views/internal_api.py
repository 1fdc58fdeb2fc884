"""What sidecars ask and tell. nginx answers 404 to everything below /internal/ on the public port."""

import hmac
import math
from hashlib import sha256
from typing import Final

import anyio
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.feed import MAX_WAIT_SECONDS, Cursor, Page
from control_plane.refusals import MalformedRequest, TokenUnusable
from control_plane.revoking import revocation_feed
from control_plane.revoking.edges import Instance
from control_plane.schemas import utc_now
from control_plane.state import Request, Services
from control_plane.streaming import origins
from control_plane.viewing import activity
from control_plane.viewing.activity import NAME
from control_plane.views.requests import services

_MANY_CHANGES: Final = 500


async def feed(request: Request) -> Response:
    """Answer with what comes after the cursor, as soon as there is something, at the latest after `wait` seconds.

    The next page of a snapshot is named in a Link header, too (RFC 8288): who reads ahead need not read this one first.
    Asking with a cursor is the receipt: what comes before it is in force where the question comes from.
    """
    check_key(request)
    wait, who = _wait_seconds(request.query_params.get("wait", "0")), _instance(request)
    app = services(request)
    with app.metrics.following():
        answer = await _next_page(app, request.query_params.get("cursor", ""), wait, who)
    is_long = len(answer.rows) >= _MANY_CHANGES
    body = await anyio.to_thread.run_sync(answer.body) if is_long else answer.body()  # others' answers go in between
    following = answer.page.next
    headers = {"Link": f'<?cursor={following}>; rel="next"'} if following else None
    return Response(body, headers=headers, media_type="application/json")


async def report_activity(request: Request) -> Response:
    """Take a sidecar's report of the sessions that were allowed something since its last one."""
    check_key(request)
    app, body = services(request), await request.body()
    # In a thread: a report of ten thousand sessions would hold up everybody's answers.
    signs = await anyio.to_thread.run_sync(activity.parse_report, body)
    async with app.database.write() as db:
        await activity.note(db, signs, utc_now())
    app.clients.note(signs, utc_now())
    return Response(status_code=204)


async def list_origins(request: Request) -> Response:
    """Answer with the addresses of events that have an origin of their own; 304 when the asker knows them."""
    check_key(request)
    async with services(request).database.read() as db:
        found = await origins.by_event(db, utc_now())
    response = JSONResponse({"origins": found})
    tag = f'"{sha256(response.body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


async def health(request: Request) -> Response:
    """Answer 200 when the database does."""
    async with services(request).database.read() as db:
        await revocation_feed.read_page(db, "", limit=1)
    return JSONResponse({"status": "ok"})


def check_key(request: Request) -> None:
    """Raise TokenUnusable unless the request shows the internal key; compared in constant time."""
    expected = services(request).settings.internal_api_key.get_secret_value().encode()
    if not hmac.compare_digest(request.headers.get("x-internal-api-key", "").encode(), expected):
        raise TokenUnusable


async def _next_page(app: Services, asked: str, wait: float, who: Instance | None) -> revocation_feed.Answer:
    deadline, announcements = anyio.current_time() + wait, app.database.announcements
    is_noted = who is None
    while True:
        changed = announcements.next(revocation_feed.TOPIC)
        async with app.database.read() as db:
            answer = await revocation_feed.read_answer(db, asked)
        if who and not is_noted:
            is_noted = _note_question(app, who, asked, answer.page)
        is_late = anyio.current_time() >= deadline or announcements.is_closed
        if answer.rows or answer.page.snapshot or is_late:
            _note_answer(app, who, answer)
            return answer
        with anyio.move_on_at(deadline):
            await changed.wait()


def _note_question(app: Services, who: Instance, asked: str, page: Page) -> bool:
    """Note the receipt, once a question. A question that a snapshot answers acknowledges nothing."""
    place = Cursor.parse(page.cursor if page.snapshot else asked)
    if place:
        cursor = Cursor(place.epoch, place.n, in_snapshot=page.snapshot)
        app.receipts.note_question(who, cursor, utc_now().timestamp())
    return True


def _note_answer(app: Services, who: Instance | None, answer: revocation_feed.Answer) -> None:
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


def _instance(request: Request) -> Instance | None:
    """Return who asks; None when it names no edge. Raise MalformedRequest."""
    named = {name: request.query_params.get(name) for name in ("edge", "instance")}
    for name, value in named.items():
        if value is not None and not NAME.fullmatch(value):
            raise MalformedRequest(f"{name} is a text that matches {NAME.pattern}.")
    return Instance(named["edge"], named["instance"] or "-") if named["edge"] else None
