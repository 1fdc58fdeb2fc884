"""Static files: served by content hash, so that browsers keep what they have until it changes."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent / "static"


@cache
def asset(path: str) -> str:
    """Return the URL of a file below `static/`, with the beginning of its hash."""
    digest = sha256((FOLDER / path).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={digest}"


class Assets(StaticFiles):
    """Versioned URLs are kept for a year, all others asked about each time (an ETag answers 304)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response
