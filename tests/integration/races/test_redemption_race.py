"""A hundred simultaneous requests, on real servers: one on SQLite, or two that share a PostgreSQL."""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import select

from control_plane.db.database import Database
from control_plane.sessions import takeovers
from control_plane.tables import Ticket, ViewingSession
from tests.support.clients.api import Admin, ViewerClient, claims_of
from tests.support.clients.races import at_once, followed, live, statuses
from tests.support.services.server import ControlPlaneProcess
from tests.support.variants import short_or_long

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
DEVICES, RUNS = 100, short_or_long(3, 10)
ON_A_SEAT = 1 + takeovers.MOST  # the redemption, and the takeovers before the limit


async def test_of_a_hundred_simultaneous_redemptions_exactly_one_wins_in_every_run(
    devices: list[httpx2.AsyncClient], admins: list[Admin], database: Database
) -> None:
    made = await admins[0].codes(await admins[0].create_event(), RUNS)
    for ticket in made:

        async def redeem(device: httpx2.AsyncClient, code: str = ticket["code"]) -> httpx2.Response:
            device.cookies.clear()
            return await ViewerClient(device).validate(code)

        assert await statuses(redeem, devices) == {200: 1, 409: DEVICES - 1}
    assert await live(database, made) == dict.fromkeys((ticket["id"] for ticket in made), 1)


async def test_of_a_hundred_takeovers_of_one_seat_the_last_one_wins(
    planes: list[ControlPlaneProcess], devices: list[httpx2.AsyncClient], admins: list[Admin], database: Database
) -> None:
    ticket = await admins[0].ticket(sessionPolicy="takeover")
    people = [ViewerClient(device) for device in devices]
    async with followed(planes, database):
        answered = await statuses(lambda person: person.validate(ticket["code"], takeover=True), people)
    assert answered == {
        200: ON_A_SEAT,
        429: DEVICES - ON_A_SEAT,
    }  # the others are limited
    await the_last_one_has_it(people, [ticket], database)


async def test_a_hundred_simultaneous_takeovers_leave_exactly_one_session_per_seat(
    planes: list[ControlPlaneProcess], devices: list[httpx2.AsyncClient], admins: list[Admin], database: Database
) -> None:
    event_id = await admins[0].create_event(sessionPolicy="takeover")
    made = await admins[0].codes(event_id, DEVICES // ON_A_SEAT)
    people = [(ViewerClient(device), made[number % len(made)]["code"]) for number, device in enumerate(devices)]
    async with followed(planes, database):
        answered = await statuses(lambda one: one[0].validate(one[1], takeover=True), people)
    assert answered == {200: DEVICES}
    await the_last_one_has_it([person for person, _ in people], made, database)


async def the_last_one_has_it(people: list[ViewerClient], made: list[dict[str, Any]], database: Database) -> None:
    """Check that each ticket has one live session, and that every earlier one was taken over exactly once."""
    admitted = Counter(claims_of(person.token).sub for person in people if person.token)
    assert admitted == {ticket["code"]: ON_A_SEAT for ticket in made}
    assert await live(database, made) == dict.fromkeys((ticket["id"] for ticket in made), 1)
    at_home = [person for person in people if person.token]
    assert await statuses(ViewerClient.heartbeat, at_home) == {200: len(made), 409: len(made) * (ON_A_SEAT - 1)}
    async with database.read() as db:
        for ticket in made:
            reasons = select(ViewingSession.end_reason).where(ViewingSession.ticket_id == ticket["id"])
            assert Counter(await db.scalars(reasons)) == {None: 1, "taken-over": ON_A_SEAT - 1}


async def test_a_hundred_simultaneous_batches_are_all_complete(admins: list[Admin], database: Database) -> None:
    event_id, orders = await admins[0].create_event(), Counter[str]()

    async def order(number: int) -> None:
        made = await admins[number % len(admins)].codes(event_id, 10, f"batch {number}")
        orders.update(ticket["label"] for ticket in made)

    await at_once(order, range(100))
    async with database.read() as db:
        assert Counter(await db.scalars(select(Ticket.label).where(Ticket.event_id == event_id))) == orders
    assert orders == {f"batch {number}": 10 for number in range(100)}


async def test_revoking_and_restoring_a_ticket_during_a_hundred_redemptions_ends_in_the_last_state(
    planes: list[ControlPlaneProcess], devices: list[httpx2.AsyncClient], admins: list[Admin], database: Database
) -> None:
    ticket, is_over, tokens = await admins[0].ticket(), anyio.Event(), list[str]()

    async def change_ones_mind(_: Any = None) -> None:
        for number in range(6):
            await admins[number % len(admins)].patch("tokens", ticket["id"], "revoke")
            await admins[(number + 1) % len(admins)].patch("tokens", ticket["id"], "unrevoke")
        await admins[0].patch("tokens", ticket["id"], "revoke")
        is_over.set()

    async def come_and_go(device: httpx2.AsyncClient) -> None:
        person = ViewerClient(device)
        while not is_over.is_set():
            answer = await person.validate(ticket["code"])
            assert answer.status_code in {200, 403, 409}, answer.text
            if answer.status_code == 200:
                tokens.append(person.token)
                assert (await person.release()).status_code == 200

    async with followed(planes, database), anyio.create_task_group() as tasks:
        tasks.start_soon(at_once, come_and_go, devices)
        await change_ones_mind()
    assert await live(database, [ticket]) == {}
    assert tokens
    viewer = ViewerClient(devices[0])
    assert {(await viewer.heartbeat(token)).status_code for token in tokens} == {404}
    assert (await viewer.validate(ticket["code"])).json()["reason"] == "revoked"


def visit(person: ViewerClient, code: str) -> list[Callable[[], Awaitable[httpx2.Response]]]:
    """Make all requests of a page, from the code to the release, whatever the responses are."""

    async def link() -> httpx2.Response:
        return await person.http.post("/api/playback/tv", headers={"Authorization": f"Bearer {person.token}"})

    begin = partial(person.validate, code, takeover=True)
    return [begin, person.refresh, link, person.resume, person.heartbeat, person.release]


async def test_all_operations_at_once_do_not_deadlock(
    planes: list[ControlPlaneProcess], devices: list[httpx2.AsyncClient], admins: list[Admin], database: Database
) -> None:
    """Code that takes locks in a different order deadlocks here."""
    event_id = await admins[0].create_event(sessionPolicy="takeover", maxDevices=2)
    made, is_over = await admins[0].codes(event_id, 5), anyio.Event()
    refused = {200, 401, 403, 404, 409, 429}

    async def view(device: httpx2.AsyncClient) -> None:
        person = ViewerClient(device)
        person.token = "none yet"
        for ticket in itertools.cycle(made):
            for step in visit(person, ticket["code"]):
                if is_over.is_set():
                    return
                answer = await step()
                assert answer.status_code in refused, answer.text

    async def change(_: Any = None) -> None:
        for number in range(4):
            admin, ticket = admins[number % len(admins)], made[number % len(made)]
            await admin.patch("tokens", ticket["id"], "revoke")
            for session in (await admin.list("/sessions"))["data"]:
                await admin.http.delete(f"/api/admin/sessions/{session['sid']}")
            await admin.patch("tokens", ticket["id"], "unrevoke")
            await admin.codes(event_id, 10)
            with anyio.fail_after(50):
                await admin.patch("events", event_id, "deactivate")
            await admin.patch("events", event_id, "reactivate")

    async with followed(planes, database), anyio.create_task_group() as tasks:
        tasks.start_soon(at_once, view, devices[:12])
        async with anyio.create_task_group() as changing:
            for _ in admins:
                changing.start_soon(change)
        is_over.set()
    assert max((await live(database, made)).values(), default=0) <= 2
