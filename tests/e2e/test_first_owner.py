"""The set-up link in a real browser: from the file to the console, then a sign-in with a code; axe finds no faults."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from control_plane.accounts import totp
from control_plane.clock import utc_now
from tests.support.browsers.screen import BrowserDevice, new_device
from tests.support.services.stack import StackUnderTest

PASSWORD = "a long enough password"
SIZES = [(390, 844), (1440, 900)]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with StackUnderTest(tmp_path_factory.mktemp("first"), settings={"ADMIN_PASSWORD_HASH": "''"}) as running:
        yield running


def is_faultless(device: BrowserDevice) -> None:
    assert device.accessibility_faults() == []
    overflow = device.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page scrolls sideways"


def test_the_first_owner_sets_up_their_account_and_signs_in_with_a_code(browser: Browser, gate: StackUnderTest) -> None:
    link = (gate.home / "setup-link").read_text().strip()
    token = link.partition("#")[2]
    assert link.startswith(f"{gate.url}/admin/setup#")
    for width, height in SIZES:
        device = new_device(browser, gate.url, width, height)
        page = device.page
        page.goto(f"{gate.url}/admin/login")
        is_faultless(device)
        page.goto(f"{gate.url}/admin/setup")
        expect(page.get_by_label("Set-up code")).to_be_visible()
        is_faultless(device)
        page.goto("about:blank")  # on the same page a changed fragment does not load it
        page.goto(link)
        page.wait_for_url(f"{gate.url}/admin/setup")  # the token has been removed from the address
        expect(page.get_by_label("Set-up code")).to_be_hidden()
        is_faultless(device)
        page.get_by_label("User name").fill("anna")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD + "!")
        page.get_by_role("button", name="Create the account").click()
        page.get_by_text("The passwords do not match.").wait_for()
        is_faultless(device)
        assert device.complaints == []
        if (width, height) != SIZES[-1]:
            device.close()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("Your account is ready, and you are signed in.").wait_for()
    assert not (gate.home / "setup-link").exists()
    secret = use_codes(device)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("The user name, password or authentication code is wrong.").wait_for()
    is_faultless(device)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Authentication code").fill(totp.code_at(secret, totp.step_at(utc_now()) + 1))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Events", exact=True).wait_for()
    device.close()
    logs = "".join(file.read_text(errors="replace") for file in (gate.home / "log").iterdir())
    assert [word for word in (token, PASSWORD, secret) if word in logs] == []


def use_codes(device: BrowserDevice) -> str:
    """Switch authentication codes on in the signed-in page."""
    script = """async ([path, body]) => {
        const headers = {"Content-Type": "application/json"};
        const answer = await fetch(`/api/admin/account${path}`, {method: "POST", headers, body: JSON.stringify(body)});
        return await answer.json();
    }"""
    secret = str(device.page.evaluate(script, ["/totp", {"password": PASSWORD}])["data"]["secret"])
    code = totp.code_at(secret, totp.step_at(utc_now()))
    assert device.page.evaluate(script, ["/totp/confirm", {"code": code}])["data"]["recoveryCodes"]
    return secret
