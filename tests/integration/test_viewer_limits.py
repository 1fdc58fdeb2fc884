"""Limits for viewers: guesses are limited, ticket holders are not."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.tables import Event, Ticket
from control_plane.tickets import tickets
from tests.support.clients.api import Admin, ControlPlane, ViewerClient

pytestmark = pytest.mark.anyio
WRONG = "K7F2X9M4B1C3"


async def test_the_sixth_wrong_code_of_a_minute_is_refused_with_the_time_to_wait(phone: ViewerClient) -> None:
    answers = [await phone.validate(WRONG) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].json() == {
        "error": "Too many attempts. Please wait a moment and try again.",
        "reason": "rate-limited",
    }
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_malformed_codes_and_failed_status_requests_also_count_as_guesses(
    admin: Admin, phone: ViewerClient
) -> None:
    ticket, other = await admin.ticket(), await admin.ticket()
    path = f"/api/events/{ticket['eventId']}/status"
    for query in ({"code": WRONG}, {"code": other["code"]}, {}):
        await phone.http.get(path, params=query)
    await phone.validate("?")
    await phone.http.post("/api/tokens/validate", content=b"no json")
    assert (await phone.validate(WRONG)).status_code == 429
    assert (await phone.http.get(path, params={"code": WRONG})).status_code == 429
    assert (await phone.http.get(path, params={"code": ticket["code"]})).status_code == 200


async def test_a_valid_code_passes_after_guesses_and_none_does_after_sixty(admin: Admin, phone: ViewerClient) -> None:
    first, second = await admin.codes(await admin.create_event(), 2)
    for _ in range(59):
        await phone.validate(WRONG)
    assert (await phone.validate(first["code"])).status_code == 200
    await phone.validate(WRONG)
    refused = await phone.validate(second["code"])
    assert (refused.status_code, refused.json()["reason"]) == (429, "rate-limited")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await phone.heartbeat()).status_code == 200


async def test_a_whole_venue_behind_one_address_gets_in(plane: ControlPlane, admin: Admin) -> None:
    made = await admin.codes(await admin.create_event(), 150)
    statuses: Counter[int] = Counter()
    for ticket in made:
        async with plane.browser("203.0.113.5") as http:
            statuses[(await ViewerClient(http).validate(ticket["code"])).status_code] += 1
    assert statuses == {200: 150}


async def test_of_many_simultaneous_wrong_codes_at_most_sixty_are_looked_up(
    admin: Admin, phone: ViewerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await admin.ticket()
    looked_up: list[str] = []
    look_up = tickets.find_by_code

    async def find(db: AsyncSession, code: str, *, for_update: bool = False) -> tuple[Ticket, Event]:
        looked_up.append(code)
        return await look_up(db, code, for_update=for_update)

    monkeypatch.setattr(tickets, "find_by_code", find)
    path = f"/api/events/{ticket['eventId']}/status"
    asking = [phone.http.get(path, params={"code": WRONG}) for _ in range(100)]
    answers = await asyncio.gather(*(phone.validate(WRONG) for _ in range(100)), *asking)
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 195}
    assert len(looked_up) == 60


async def test_refusals_of_valid_codes_do_not_count_as_guesses(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    assert {(await laptop.validate(ticket["code"])).status_code for _ in range(70)} == {409}


async def test_limits_are_shared_within_one_ipv6_network_of_a_household(plane: ControlPlane) -> None:
    guesses = [await ViewerClient(plane.browser(f"2001:db8:1:2::{device:x}")).validate(WRONG) for device in range(1, 8)]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429] * 2
    neighbour = await ViewerClient(plane.browser("2001:db8:1:3::1")).validate(WRONG)
    assert neighbour.status_code == 401


async def test_an_address_that_a_client_claims_is_ignored(plane: ControlPlane) -> None:
    statuses = []
    for claimed in range(6):
        async with plane.browser("192.0.2.77", **{"X-Forwarded-For": f"198.51.100.{claimed}"}) as http:
            statuses.append((await ViewerClient(http).validate(WRONG)).status_code)
    assert statuses == [401] * 5 + [429]


async def test_the_eleventh_sign_in_of_a_minute_is_refused_even_with_the_right_password(plane: ControlPlane) -> None:
    async with plane.browser("192.0.2.99") as http:
        admin = Admin(http)
        answers = [await admin.sign_in("wrong") for _ in range(10)] + [await admin.sign_in()]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
