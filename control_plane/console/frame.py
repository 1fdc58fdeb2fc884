"""The frame of the admin pages: rendering, going elsewhere, and refusals in the console's look.

It must never decide anything about events or tickets, and never put a code into a path: paths are logged.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import wraps
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from control_plane.access.audited_change import Action, AuditedChange, audited_change
from control_plane.clock import utc_now
from control_plane.errors import NotFound, Refusal, SignInRequired
from control_plane.portal.pages import TEMPLATES, brand
from control_plane.services import Request
from control_plane.web.authentication import signed_in
from control_plane.web.errors import status_of
from control_plane.web.requests import services

Page = Callable[[Request], Awaitable[Response]]

HOME: Final = "/admin"
SIGN_IN: Final = "/admin/login"
_LOCAL_PATH: Final = re.compile(r"/admin(?:[/?][!-\[\]-~]*)?", re.ASCII)  # printable, no backslash
# What a page may say after a redirect; the URL names the key, so that a link cannot put words into our mouth.
DONE: Final = {
    "signed-out": "You are signed out.",
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
    """Wrap a page: a refusal becomes a page."""

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
    """Wrap a page for admins: who is not signed in does so first and comes back."""

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
    response = HTMLResponse(TEMPLATES.get_template(f"admin/{template}").render(frame | values), status)
    # With "no-referrer" browsers send `Origin: null` along with a form, and over plain http nothing else tells
    # that it is ours (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def doing(request: Request, action: Action, subject: str | None = None) -> AbstractAsyncContextManager[AuditedChange]:
    """Do something in the name of the admin who is signed in."""
    return audited_change(services(request).database, request.scope["actor"], action, utc_now(), subject)


def alive_since(request: Request) -> datetime:
    """Tell since when somebody must have given a sign of life to be watching now."""
    return services(request).rules.alive_since(utc_now())


def redirect(path: str, **query: str) -> Response:
    """Go on with GET, so that reloading the page that follows repeats nothing."""
    return RedirectResponse(with_query(path, **query), 303)


def with_query(path: str, **query: str) -> str:
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query, quote_via=quote, safe='/')}"


def here(request: Request) -> str:
    """Return the path and query asked for, without the message of a redirect."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in {"done", "back"}]
    return with_query(request.url.path, **dict(query))


def local_path(wish: str | None, fallback: str = HOME) -> str:
    """Return the wish when it is a path of this console, so that nobody is led to another site."""
    return wish if wish and _LOCAL_PATH.fullmatch(wish) else fallback


def utc_text(moment: datetime) -> str:
    return f"{moment:%-d %b %Y, %H:%M} UTC"


TEMPLATES.env.filters["utc"] = utc_text
