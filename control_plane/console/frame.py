"""The frame of the admin pages: rendering, redirects and error pages.

It must never contain rules about events or tickets, and never put a code into a path: paths are logged.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.templating import Jinja2Templates

from control_plane.access.audited_change import Action, AuditedChange, audited_change
from control_plane.clock import utc_now
from control_plane.errors import NotFound, Refusal, SignInRequired
from control_plane.portal.pages import brand
from control_plane.services import Request
from control_plane.web.assets import asset
from control_plane.web.authentication import signed_in
from control_plane.web.errors import status_of
from control_plane.web.requests import services

Page = Callable[[Request], Awaitable[Response]]

HOME: Final = "/admin"
SIGN_IN: Final = "/admin/login"
_LOCAL_PATH: Final = re.compile(r"/admin(?:[/?][!-\[\]-~]*)?", re.ASCII)  # printable, no backslash
# Messages after a redirect. The URL contains only the key, so that a link cannot make a page show arbitrary text.
DONE: Final = {
    "signed-out": "You have signed out.",
    "set-up": "Your account is ready, and you are signed in.",
    "created": "The event was created.",
    "origin-shown": "The credentials for the origin were saved.",
    "imported": "The codes were imported. They are in the list of tickets.",
    "poster": "The poster was uploaded. Viewers see it while they wait.",
    "no-poster": "The poster was removed.",
    "deactivated": "The event is deactivated. Nobody can watch it.",
    "reactivated": "The event is active again. Viewers have to enter their code again.",
    "doors-open": "The doors are open. Everybody who has a ticket can watch.",
    "doors-closed": "The doors are closed. Nobody can watch until you open them.",
    "revoked": "The ticket is revoked. Whoever was watching with it is cut off.",
    "unrevoked": "The ticket is valid again. The viewer has to enter the code again.",
}


def refusals_shown(endpoint: Page) -> Page:
    """Wrap a page so that a refusal is rendered as a page."""

    @wraps(endpoint)
    async def page(request: Request) -> Response:
        try:
            return await endpoint(request)
        except SignInRequired:
            return redirect(SIGN_IN, next=here(request))
        except Refusal as refusal:
            return render(request, "refusal.html", status_of(refusal), refusal=refusal)

    return page


def console_page(endpoint: Page) -> Page:
    """Wrap a page for admins: redirect to the sign-in page, and back, if nobody is signed in."""

    @refusals_shown
    @wraps(endpoint)
    async def page(request: Request) -> Response:
        request.scope["actor"] = await signed_in(request)
        return await endpoint(request)

    return page


@console_page
async def no_such_page(_request: Request) -> Response:
    raise NotFound


def render(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    frame = brand(services(request)) | {
        "actor": request.scope.get("actor"),
        "done": DONE.get(request.query_params.get("done", "")),
        "here": here(request),
    }
    response = HTMLResponse(TEMPLATES.get_template(template).render(frame | values), status)
    # With "no-referrer" browsers send `Origin: null` with a form, and over plain http nothing else identifies the
    # form as ours (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def audited_action(
    request: Request, action: Action, subject: str | None = None
) -> AbstractAsyncContextManager[AuditedChange]:
    """Open an audited change with the signed-in admin as its actor."""
    return audited_change(services(request).database, request.scope["actor"], action, subject)


def alive_since(request: Request) -> datetime:
    """Return the time since which a session must have been seen to count as watching."""
    return services(request).rules.alive_since(utc_now())


def redirect(path: str, **query: str) -> Response:
    """Redirect with 303 (GET), so that reloading the next page does not repeat the POST."""
    return RedirectResponse(with_query(path, **query), 303)


def with_query(path: str, **query: str) -> str:
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query, quote_via=quote, safe='/')}"


def here(request: Request) -> str:
    """Return the requested path and query, without the message of a redirect."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in {"done", "back"}]
    return with_query(request.url.path, **dict(query))


def local_path(path: str | None, fallback: str = HOME) -> str:
    """Return the path if it belongs to the console, else the fallback: links must not redirect to other sites."""
    return path if path and _LOCAL_PATH.fullmatch(path) else fallback


def utc_text(moment: datetime) -> str:
    return f"{moment:%-d %b %Y, %H:%M} UTC"


TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")
TEMPLATES.env.globals["asset"] = asset
TEMPLATES.env.filters["utc"] = utc_text
