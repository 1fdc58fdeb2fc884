"""A viewer's browser: each device is a context of a real Chromium. It records every complaint of the page."""

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request, Response

from tests.support.leaks import remember
from tests.support.waiting import eventually

# Chromium's own messages: for each refused request, and for a page that a busy machine renders seconds after loading.
_NO_COMPLAINTS = "Failed to load resource", "was preloaded using link preload but not used within a few seconds"
_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_STILL = """() => Promise.allSettled(document.getAnimations()
    .filter(animation => animation.effect.getComputedTiming().iterations !== Infinity)
    .map(animation => animation.finished))"""
_VIDEO = "document.querySelector('hls-video')"


@dataclass
class PlayerState:
    """The state of a player at one moment."""

    time: float
    frames: int
    is_paused: bool
    buffered: int


@dataclass
class BrowserDevice:
    """A browser with its own cookies and storage; `complaints` must stay empty."""

    context: BrowserContext
    url: str
    page: Page = field(init=False)
    complaints: list[str] = field(default_factory=list)
    failed_media: list[str] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        self.open_tab()

    def open_tab(self) -> None:
        self.page = self.context.new_page()
        self.page.on("console", lambda line: self._note(line.type, line.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("request", self._note_token)
        self.page.on("response", self._note_refusal)
        self.page.on("requestfailed", self._note_failure)

    def lose_media_source(self) -> None:
        """Make hls.js unusable from the next page on, so that the browser plays HLS natively."""
        self.context.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(line in text for line in _NO_COMPLAINTS):
            self.complaints.append(text)

    def _note_token(self, request: Request) -> None:
        if "/streams/" in request.url and "authorization" in request.headers:
            self.token = request.headers["authorization"].removeprefix("Bearer ")
            remember(self.token)

    def _note_refusal(self, response: Response) -> None:
        if "/streams/" in response.url and response.status >= 400:
            self.failed_media.append(f"{response.status} {response.url}")

    def _note_failure(self, request: Request) -> None:
        if "/streams/" in request.url and request.failure != "net::ERR_ABORTED":
            self.failed_media.append(f"{request.failure} {request.url}")

    def enter(self, code: str) -> None:
        self.page.goto(self.url)
        self.type_code(code)

    def type_code(self, code: str) -> None:
        self.page.fill("#code", code)
        self.page.click("#watch")

    def picture(self) -> PlayerState | None:
        return picture_in(self.page)

    def plays(self, within: float = 20) -> None:
        """Wait until time advances and frames are decoded; the count restarts if the stream is loaded again."""
        plays_in(self.page, within, what=f"complaints: {self.complaints + self.failed_media}")

    def message(self) -> str:
        """Wait for the message under the code field, and return it."""
        return eventually(lambda: self.page.inner_text("#code-message").strip(), what="a message")

    def ended(self, within: float = 20) -> tuple[str, str]:
        """Wait for the overlay; return its reason and its text."""
        overlay = self.page.wait_for_selector("#ended", state="visible", timeout=within * 1000)
        assert overlay
        return overlay.get_attribute("data-reason") or "", overlay.inner_text()

    def accessibility_faults(self) -> list[str]:
        return accessibility_faults_in(self.page)

    def close(self) -> None:
        self.context.close()


def new_device(browser: Browser, url: str, width: int = 1024, height: int = 576, **options: Any) -> BrowserDevice:
    options.setdefault("locale", "en-GB")
    return BrowserDevice(browser.new_context(viewport={"width": width, "height": height}, **options), url)


def accessibility_faults_in(frame: Page | Frame) -> list[str]:
    """Run axe-core, injected through the DevTools protocol, so that the page's CSP stays in force."""
    frame.evaluate(_AXE)
    frame.evaluate(_STILL)
    found: dict[str, Any] = frame.evaluate("() => axe.run()")
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in found["violations"]]


def picture_in(frame: Page | Frame) -> PlayerState | None:
    """Return the state of the player in a page, or in a frame of it."""
    script = f"""() => {{
        const video = {_VIDEO};
        return video && video.getVideoPlaybackQuality && [video.currentTime,
            video.getVideoPlaybackQuality().totalVideoFrames, video.paused, video.buffered.length];
    }}"""
    seen = frame.evaluate(script)
    return PlayerState(*seen) if seen else None


def plays_in(frame: Page | Frame, within: float = 20, what: str = "") -> None:
    """Wait until time advances and frames are decoded; the count restarts if the stream is loaded again."""
    start: list[PlayerState] = []

    def moves() -> bool:
        seen = picture_in(frame)
        if seen is None or not seen.frames or seen.is_paused:
            return False
        if not start or seen.time < start[0].time or seen.frames < start[0].frames:
            start[:] = [seen]
        return seen.time > start[0].time + 1 and seen.frames > start[0].frames + 10

    eventually(moves, within, what=f"the picture moves ({what})")
