"""The portal in a frame on an organiser's site, in a browser that blocks third-party cookies."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Final

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Frame, Page, Playwright, expect

from tests.support.browsers.screen import accessibility_faults_in, plays_in
from tests.support.clients.people import Organiser
from tests.support.leaks import remember
from tests.support.services.ports import free_port
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

PORTAL: Final = "tickets.example"
ORGANISER: Final = "www.organiser.test"
CONTACT: Final = "help@hall.example"
STRANGER: Final = "www.stranger.test"


class EmbeddingSite(ThreadingHTTPServer):
    """A page that shows the portal in a frame, served under several names."""

    def __init__(self, port: int, portal: str) -> None:
        frame = f'<iframe src="{portal}/" width="960" height="720" allow="autoplay; fullscreen"></iframe>'
        page = f"<!doctype html><title>Our concerts</title><h1>Our concerts</h1>{frame}".encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", port), Handler)


@pytest.fixture(scope="module")
def site_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, site_port: int) -> Iterator[StackUnderTest]:
    settings = {"EMBED_ALLOWED_HOSTS": f"{ORGANISER}:{site_port}, shop.organiser.test", "PLAYBACK_TOKEN_SECONDS": "30"}
    settings["ORGANISER_CONTACT"] = CONTACT
    with StackUnderTest(tmp_path_factory.mktemp("embedded"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def portal(gate: StackUnderTest, site_port: int) -> Iterator[str]:
    """The portal's address, while the other site is running."""
    url = f"http://{PORTAL}:{gate.described.listen[1]}"
    with EmbeddingSite(site_port, url) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield url
        site.shutdown()


@contextmanager
def strict_browser(playwright: Playwright, profile: Path) -> Iterator[BrowserContext]:
    """Run a Chromium that blocks third-party cookies, as its settings do, and resolves all names to this machine."""
    (profile / "Default").mkdir(parents=True)
    block = {"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}}
    (profile / "Default" / "Preferences").write_text(json.dumps(block))
    args = ["--no-sandbox", "--disable-quic", "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.example 127.0.0.1"]
    context = playwright.chromium.launch_persistent_context(
        profile,
        executable_path=which("chromium"),
        args=args,
        locale="en-GB",
        viewport={"width": 1200, "height": 900},
    )
    yield context
    context.close()


@pytest.fixture(scope="module")
def context(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with strict_browser(playwright, tmp_path_factory.mktemp("profile") / "chromium") as running:
        yield running


def framed(page: Page, site: str) -> Frame:
    page.goto(f"http://{site}/")
    return page.frames[1]


def enter(frame: Frame, code: str) -> None:
    frame.fill("#code", code)
    frame.click("#watch")


def own_cookies(context: BrowserContext) -> set[str]:
    return {str(cookie.get("name")) for cookie in context.cookies()} & {"sg_playback", "sg_resume"}


def test_only_the_portals_page_can_be_framed_and_only_by_the_named_hosts(gate: StackUnderTest, site_port: int) -> None:
    policies = {
        path: httpx2.get(f"{gate.url}{path}", timeout=30).headers["content-security-policy"]
        for path in ("/", "/admin/login")
    }
    named = f"frame-ancestors {ORGANISER}:{site_port} shop.organiser.test"
    assert policies["/"].split("; ")[-1] == named
    assert policies["/admin/login"].split("; ")[-1] == "frame-ancestors 'none'"


def test_it_plays_without_a_cookie_and_its_token_is_renewed(
    context: BrowserContext, portal: str, site_port: int, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    page = context.new_page()
    tokens, answers = set[str](), list[tuple[str, int]]()

    def note(url: str, status: int, authorization: str) -> None:
        if url.startswith(f"{portal}/streams/") or "/api/playback/" in url:
            tokens.add(authorization)
            answers.append((url.rpartition("/")[2], status))

    page.on("response", lambda each: note(each.url, each.status, each.request.headers.get("authorization", "")))
    frame = framed(page, f"{ORGANISER}:{site_port}")
    enter(frame, ticket.code)
    plays_in(frame)
    # Playwright delivers events only during its calls.
    eventually(lambda: page.title() and len(tokens) >= 2, within=30, what="the gate is shown a renewed token")
    plays_in(frame)
    assert ("refresh", 200) in answers
    remember(*(token.removeprefix("Bearer ") for token in tokens))
    assert {status for _, status in answers} <= {200, 204}
    assert own_cookies(context) == set()
    page.close()


def test_it_continues_in_a_separate_window_with_code_and_seat(
    context: BrowserContext, portal: str, site_port: int, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    page = context.new_page()
    frame = framed(page, f"{ORGANISER}:{site_port}")
    contact = frame.locator("#code-form [data-contact] a")
    expect(contact).to_be_hidden()
    enter(frame, "NoSuchCode1")
    contact.wait_for()
    assert contact.get_attribute("href") == f"mailto:{CONTACT}"
    assert accessibility_faults_in(frame) == []
    enter(frame, ticket.code)
    plays_in(frame)
    page.mouse.move(300, 300)
    assert accessibility_faults_in(frame) == []
    with context.expect_page() as opened:
        frame.locator("#player [data-open-window]").click()
    window = opened.value
    eventually(lambda: window.input_value("#code") == ticket.code, what="the code is in the window's field")
    expect(window).to_have_url(f"{portal}/")
    expect(window.locator("[data-open-window]:visible")).to_have_count(0)
    window.click("#watch")
    plays_in(window)
    assert own_cookies(context) == {"sg_playback", "sg_resume"}
    expect(frame.locator("#entry")).to_be_visible()
    organiser.revoke(ticket)
    window.locator("#ended [data-contact] a").wait_for(timeout=45_000)
    window.close()
    page.close()


def test_a_browser_without_hls_js_plays_with_the_path_token(
    context: BrowserContext, portal: str, site_port: int, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    page = context.new_page()
    page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    frame = framed(page, f"{ORGANISER}:{site_port}")
    enter(frame, ticket.code)
    plays_in(frame)
    source = str(frame.evaluate("document.querySelector('hls-video').nativeEl.src"))
    remember(source.split("/")[4])
    assert source.startswith(f"{portal}/t/")
    page.close()


def test_a_page_that_is_not_named_shows_nothing(context: BrowserContext, portal: str, site_port: int) -> None:
    page = context.new_page()
    frame = framed(page, f"{STRANGER}:{site_port}")
    assert portal
    eventually(lambda: page.title() and frame.url.startswith("chrome-error:"), what="the frame is refused")
    page.close()
