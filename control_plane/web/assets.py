"""Static files: their URLs contain a content hash, so that browsers cache them until they change."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_CONTROL_PLANE: Final = Path(__file__).parents[1]
# The first part of a URL below /static, and the folder it stands for.
FOLDERS: Final = {
    "portal": _CONTROL_PLANE / "portal" / "static",
    "admin": _CONTROL_PLANE / "console" / "static",
    "brand": _CONTROL_PLANE / "web" / "static" / "brand",
    "vendor": _CONTROL_PLANE / "web" / "static" / "vendor",
}


@cache
def asset(path: str) -> str:
    """Return the URL of a file such as `portal/main.js`, with a prefix of its hash."""
    audience, _, name = path.partition("/")
    digest = sha256((FOLDERS[audience] / name).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={digest}"


class Assets(StaticFiles):
    """Serve static files. Versioned URLs are cached for a year, others are revalidated each time (ETag, 304)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


ROUTES: Final[list[BaseRoute]] = [Mount(f"/{name}", Assets(directory=folder)) for name, folder in FOLDERS.items()]
