"""Pure ASGI middleware: security headers on every response, no state changes from other sites, a limit on body sizes.

A cross-site form or script can make a browser send our cookies, but cannot hide its site: browsers send Sec-Fetch-Site,
older ones and those on plain http send Origin (https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site).
A client that sends neither is not a browser, so it does not send our cookies unintentionally.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.accounts import api_keys
from control_plane.errors import CrossOrigin, Refusal, TooLarge
from control_plane.unnamed_proxies import UnnamedProxies
from control_plane.web_origins import host_of, parse_origin

_TOO_LARGE: Final = 413
SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
# Another site cannot make a browser send this header: it requires a CORS preflight, which we never allow.
_API_KEY_PREFIX: Final = f"bearer {api_keys.PREFIX}"
_STRICT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _STRICT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HTTPS_HEADERS: Final = {"Strict-Transport-Security": "max-age=31536000"}


class SecurityHeaders:
    """Add security headers that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_https = Headers(scope=scope).get("x-forwarded-proto") == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (_HEADERS | _HTTPS_HEADERS if is_https else _HEADERS).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class NoteProxies:
    """Record untrusted proxies that forward requests, as reported by nginx."""

    def __init__(self, app: ASGIApp, proxies: UnnamedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (address := Headers(scope=scope).get("x-unnamed-proxy")):
            self._proxies.note(address)
        await self._app(scope, receive, send)


class SameOriginOnly:
    """Refuse requests that change state and come from another site."""

    def __init__(self, app: ASGIApp, public_origin: str = "") -> None:
        self._app = app
        self._public_host = host_of(parse_origin(public_origin) or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._is_allowed(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        await _refusal(CrossOrigin, 403)(scope, receive, send)

    def _is_allowed(self, headers: Headers) -> bool:
        if headers.get("authorization", "").lower().startswith(_API_KEY_PREFIX):
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = headers.get("origin")
        return origin is None or self._is_own_origin(origin, headers)

    def _is_own_origin(self, origin: str, headers: Headers) -> bool:
        """Compare hosts and ports only: the scheme may be known only to a proxy."""
        parsed = parse_origin(origin)
        names = {headers.get("host"), headers.get("x-forwarded-host"), self._public_host}
        return parsed is not None and host_of(parsed) in names


class BodyLimit:
    """Refuse larger bodies with a JSON error; Starlette's own is plain text. A route may set another limit."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = RequestBodyLimitMiddleware(app, max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = False

        async def send_json_refusal(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and message["status"] == _TOO_LARGE:
                is_refused = True
                await _refusal(TooLarge, _TOO_LARGE)(scope, receive, send)
            elif not is_refused:
                await send(message)

        await self._app(scope, receive, send_json_refusal)


def _refusal(kind: type[Refusal], status: int) -> JSONResponse:
    return JSONResponse({"error": kind.sentence, "reason": kind.reason}, status)
