"""A portal at 127.0.0.1 with streams at localhost, which is another site for browsers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Request

from tests.support.browsers.screen import BrowserDevice
from tests.support.services.ports import free_port
from tests.support.services.stack import StackUnderTest


@contextmanager
def portal_elsewhere(home: Path, **settings: str) -> Iterator[StackUnderTest]:
    port = free_port()
    origins = {"HLS_SERVER_BASE_URL": f"http://localhost:{port}", "CORS_ALLOWED_ORIGIN": f"http://127.0.0.1:{port}"}
    with StackUnderTest(home, settings=origins | settings, port=port) as gate:
        yield gate


def streams_origin(gate: StackUnderTest) -> str:
    return gate.url.replace("127.0.0.1", "localhost")


def media_of(device: BrowserDevice) -> list[Request]:
    """Record the player's media requests from now on; the page's own requests are HEAD."""
    asked: list[Request] = []

    def note(request: Request) -> None:
        if "/streams/" in request.url and request.method == "GET":
            asked.append(request)

    device.page.on("request", note)
    return asked


def native_url(device: BrowserDevice) -> str:
    """Return the URL that the browser's native player plays."""
    return str(device.page.evaluate("() => document.querySelector('hls-video').nativeEl.src"))


def is_playing(device: BrowserDevice) -> bool:
    seen = device.picture()
    return seen is not None and not seen.is_paused
