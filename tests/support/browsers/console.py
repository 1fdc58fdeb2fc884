"""The console as a browser without JavaScript uses it."""

import re

from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.clients.api import PASSWORD

NOWHERE = "00000000-0000-4000-8000-000000000000"
EVENT = {
    "title": "Opening night",
    "description": "",
    "posterUrl": "",
    "startsAt": "2100-05-01T19:00",
    "endsAt": "2100-05-01T22:00",
    "accessWindowHours": "24",
    "sessionPolicy": "refuse",
    "maxDevices": "2",
}


def sign_in(client: TestClient, password: str = PASSWORD, onward: str = "/admin") -> Response:
    return client.post("/admin/login", data={"username": "admin", "password": password, "next": onward})


def create(admin: TestClient, **changes: str) -> str:
    answer = admin.post("/admin/events/new", data=EVENT | changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


def generate(admin: TestClient, event: str, count: int, label: str = "") -> list[str]:
    answer = admin.post(f"{event}/codes", data={"count": str(count), "label": label})
    assert answer.status_code == 303, answer.text
    page = admin.get(answer.headers["location"]).text
    return re.findall(r'<code id="code-\d+" class="code">(\w+)</code>', page)


def ticket_rows(page: str) -> list[tuple[str, str]]:
    """Return code and status of each ticket that the page lists."""
    return re.findall(r'class="mono">(\w{12})</th>.*?class="badge \w+">(\w+)<', page, re.DOTALL)


def question(page: str, word: str) -> str:
    """Return the URL of the first link to revoke or restore a ticket."""
    found = re.search(rf'href="(/admin/tickets/[0-9a-f-]+/{word}\?back=[^"]*)"', page)
    assert found, page
    return found[1]


def answer_yes(admin: TestClient, address: str) -> Response:
    """Submit the form of the confirmation page."""
    page = admin.get(address)
    assert page.status_code == 200
    back = re.search(r'name="back" value="([^"]*)"', page.text)
    assert back
    return admin.post(address, data={"back": back[1].replace("&amp;", "&")})


def validate(client: TestClient, code: str) -> Response:
    return client.post("/api/tokens/validate", json={"code": code})
