"""Behind haproxy, Caddy and nginx, which terminate TLS: a browser plays under any name and port."""

from collections.abc import Iterator
from shutil import which

import pytest
from dotenv import dotenv_values
from playwright.sync_api import Browser, Playwright

from control_plane.ops.doctor import Finding, Installation, Level, proxies
from tests.support.browsers.screen import BrowserDevice, new_device
from tests.support.clients.people import Organiser
from tests.support.leaks import remember
from tests.support.services.fronts import FORGOTTEN, NAME, Front, fronts
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

OTHER_NAME = "karten.example"
DOORS = [(name, door) for door in ("kept", "rewritten") for name in ("haproxy", "caddy", "nginx")]


_ASK_FOR_LINK = """async token => {
    const asked = await fetch("/api/playback/tv", {method: "POST", headers: {Authorization: `Bearer ${token}`}});
    return (await asked.json()).url;
}"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with StackUnderTest(tmp_path_factory.mktemp("behind"), settings={"TRUSTED_PROXIES": "127.0.0.1"}) as running:
        yield running


@pytest.fixture(scope="module")
def front(gate: StackUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Front]]:
    with fronts(tmp_path_factory.mktemp("fronts"), gate.described.listen[1]) as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium that resolves both names to this machine."""
    rules = f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP {OTHER_NAME} 127.0.0.1"
    args = ["--no-sandbox", "--disable-quic", rules]
    running = playwright.chromium.launch(executable_path=which("chromium"), args=args)
    yield running
    running.close()


@pytest.fixture(scope="module")
def codes(organiser: Organiser, recording: str) -> Iterator[str]:
    return iter([ticket.code for ticket in organiser.tickets(recording, 10)])


def plays_at(browser: Browser, url: str, code: str) -> BrowserDevice:
    """Play at this address, and check the link for a TV."""
    device = new_device(browser, url, ignore_https_errors=True)
    device.enter(code)
    device.plays()
    return device


def link_for_the_tv(device: BrowserDevice) -> str:
    """Request the TV link as the page does; return its origin."""
    url = str(device.page.evaluate(_ASK_FOR_LINK, device.token))
    remember(url.split("/")[4])
    return url.partition("/t/")[0]


@pytest.mark.parametrize(("name", "door"), short_or_long([*DOORS[:2], DOORS[-1]], DOORS))
def test_it_plays_and_links_have_the_viewers_address(
    browser: Browser, front: dict[str, Front], codes: Iterator[str], name: str, door: str
) -> None:
    host = OTHER_NAME if door == "rewritten" else NAME
    url = f"https://{host}:{getattr(front[name], door)}"
    device = plays_at(browser, url, next(codes))
    cookies = {cookie["name"]: cookie["secure"] for cookie in device.context.cookies()}
    assert cookies.keys() >= {"sg_playback", "sg_resume"}
    assert all(cookies.values())
    assert device.failed_media == []
    assert link_for_the_tv(device) == url
    assert device.complaints == []
    device.close()


def test_an_unnamed_proxy_is_reported_in_the_log_and_by_the_doctor(
    browser: Browser, gate: StackUnderTest, front: dict[str, Front], codes: Iterator[str]
) -> None:
    assert [finding.level for finding in eventually(lambda: proxy_findings(gate))] == [Level.OK]
    url = f"https://{NAME}:{front['nginx'].forgotten}"
    device = plays_at(browser, url, next(codes))
    device.close()
    line = f"TRUSTED_PROXIES=127.0.0.1,{FORGOTTEN}"
    warnings = [each for each in gate.control_plane.printed().splitlines() if "proxy_not_trusted" in each]
    assert len(warnings) == 1
    assert line in warnings[0]
    [finding] = eventually(lambda: proxy_findings(gate), what="the control plane answers the doctor")
    assert (finding.level, line in finding.fix) == (Level.WARNING, True)


def proxy_findings(gate: StackUnderTest) -> list[Finding]:
    environment = {name: value or "" for name, value in dotenv_values(gate.home / ".env", interpolate=False).items()}
    return proxies.examine(Installation(environment, gate.home))
