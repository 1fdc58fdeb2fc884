"""The viewer portal: one page, from code entry to the end of the stream."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.templating import Jinja2Templates

from control_plane.errors import NotFound
from control_plane.events import posters
from control_plane.portal import locales
from control_plane.services import Request, Services
from control_plane.web.assets import asset
from control_plane.web.requests import services
from control_plane.web_origins import parse_hosts

LANGUAGE_COOKIE: Final = "sg_lang"
HEARTBEAT_SECONDS: Final = 30
STATUS_SECONDS: Final = 30
TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")
TEMPLATES.env.globals["asset"] = asset
_YEAR_SECONDS: Final = 31_536_000
_IMMUTABLE: Final = f"public, max-age={_YEAR_SECONDS}, immutable"


async def portal(request: Request) -> Response:
    return _page(request, "portal.html")


async def tv(request: Request) -> Response:
    """Render the page for TVs: a code to approve on the phone."""
    return _page(request, "tv.html")


def _page(request: Request, template: str) -> Response:
    app, preference = services(request), request.query_params.get("lang")
    language = locales.choose(
        request.headers.get("accept-language", ""), preference, request.cookies.get(LANGUAGE_COOKIE)
    )
    response = HTMLResponse(TEMPLATES.get_template(template).render(_context(app, language)))
    response.headers["Content-Security-Policy"] = content_security_policy(app)
    response.headers["Vary"] = "Accept-Language, Cookie"
    if preference in locales.LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, preference, max_age=_YEAR_SECONDS, samesite="lax")
    return response


async def logo(request: Request) -> Response:
    file = services(request).settings.app_logo_file
    if file is None:
        raise NotFound
    return FileResponse(file, headers={"Cache-Control": "no-cache"})


async def poster(request: Request) -> Response:
    """Return an uploaded poster; its URL contains a digest, so its content never changes."""
    async with services(request).database.read() as db:
        content = await posters.find(db, str(request.path_params["event_id"]), request.path_params["digest"])
    return Response(content, media_type=posters.MEDIA_TYPE, headers={"Cache-Control": _IMMUTABLE})


def brand(app: Services) -> dict[str, str]:
    """Return the organiser's branding: name, accent colour and logo."""
    settings = app.settings
    logo_url = "/logo" if settings.app_logo_file else asset("brand/logo.svg")
    return {"app_name": settings.app_name, "accent": settings.app_accent, "logo_url": logo_url}


def _context(app: Services, language: str) -> dict[str, object]:
    strings = locales.strings(language)
    page_data = {
        "lang": language,
        "strings": strings,
        "appName": app.settings.app_name,
        "heartbeatSeconds": HEARTBEAT_SECONDS,
        "statusSeconds": STATUS_SECONDS,
    }
    languages = [{"code": code, "name": name} for code, name in locales.LANGUAGES.items()]
    links = _links(app, strings)
    return brand(app) | {
        "lang": language,
        "languages": languages,
        "links": links,
        "contact": next((link for link in links if link["url"] == app.settings.organiser_contact), None),
        "strings": strings,
        "page_data": page_data,
    }


def _links(app: Services, strings: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the links of the page footer that the organiser has configured."""
    settings = app.settings
    pages = {
        "organiser_contact": settings.organiser_contact,
        "imprint": settings.imprint_url,
        "privacy": settings.privacy_url,
    }
    return [{"name": strings[name], "url": url} for name, url in pages.items() if url]


def content_security_policy(app: Services) -> str:
    """Return a policy that the player works with: media-chrome uses inline styles, MSE plays from blob: URLs."""
    streams = _streams_source(app.settings.hls_server_base_url)
    frame_ancestors = " ".join(parse_hosts(app.settings.embed_allowed_hosts)) or "'none'"
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            f"img-src 'self' data: https:{streams}",
            "font-src 'self'",
            f"connect-src 'self'{streams}",
            f"media-src 'self' blob:{streams}",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {frame_ancestors}",
        ]
    )


def _streams_source(base_url: str) -> str:
    """Return the origin of the streams if it is another one; only its scheme for IPv6, which a policy cannot name."""
    parts = urlsplit(base_url)
    if not parts.netloc:
        return ""
    return f" {parts.scheme}:" if "[" in parts.netloc else f" {parts.scheme}://{parts.netloc}"
