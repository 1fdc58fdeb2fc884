"""What sidecars ask. nginx answers 404 to everything below /internal/ on the public port."""

import hmac
import math

import anyio
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.feed import MAX_WAIT_SECONDS, Page
from control_plane import revocation_feed
from control_plane.database import Database
from control_plane.refusals import MalformedRequest, TokenUnusable
from control_plane.state import Request
from control_plane.views.requests import services


async def feed(request: Request) -> Response:
    """Answer with what comes after the cursor, as soon as there is something, at the latest after `wait` seconds."""
    _check_key(request)
    wait = _wait_seconds(request.query_params.get("wait", "0"))
    page = await _next_page(services(request).database, request.query_params.get("cursor", ""), wait)
    return JSONResponse(page.to_json(), headers={"Cache-Control": "no-store"})


async def health(request: Request) -> Response:
    """Answer 200 when the database does."""
    async with services(request).database.read() as db:
        await revocation_feed.read_page(db, "", limit=1)
    return JSONResponse({"status": "ok"})


async def _next_page(database: Database, cursor: str, wait: float) -> Page:
    deadline = anyio.current_time() + wait
    while True:
        changed = database.announcements.next(revocation_feed.TOPIC)
        async with database.read() as db:
            page = await revocation_feed.read_page(db, cursor)
        is_late = anyio.current_time() >= deadline or database.announcements.is_closed
        if page.changes or page.snapshot or is_late:
            return page
        with anyio.move_on_at(deadline):
            await changed.wait()


def _wait_seconds(text: str) -> float:
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not wait >= 0:  # NaN is not, either
        raise MalformedRequest("wait is a number of seconds.")
    return min(wait, MAX_WAIT_SECONDS)


def _check_key(request: Request) -> None:
    expected = services(request).settings.internal_api_key.get_secret_value().encode()
    if not hmac.compare_digest(request.headers.get("x-internal-api-key", "").encode(), expected):
        raise TokenUnusable
