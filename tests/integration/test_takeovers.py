"""Takeovers of a seat, and their limit."""

from collections.abc import AsyncIterator

import pytest

from control_plane.db.database import Database
from control_plane.errors import TakenOverTooOften
from control_plane.sessions import takeovers
from tests.support.clients.api import Admin, ViewerClient
from tests.support.data.scenario import LAPTOP, NOON, PHONE, Scenario, after, new_scenario

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def take_turns(scenario: Scenario, times: int) -> None:
    """Let two devices take the seat from each other, a minute apart."""
    await scenario.redeem(PHONE, NOON)
    for turn in range(1, times + 1):
        await scenario.redeem(LAPTOP if turn % 2 else PHONE, after(60 * turn - 30), takeover=True)


async def test_two_devices_cannot_take_over_a_ticket_from_each_other_forever(database: Database) -> None:
    scenario = await new_scenario(database, session_policy="takeover")
    await take_turns(scenario, takeovers.MOST)
    with pytest.raises(TakenOverTooOften) as refused:
        await scenario.redeem(LAPTOP, after(240), takeover=True)
    assert refused.value.retry_after == 390
    assert "too often" in str(refused.value)
    assert await scenario.seats() == {"phone": 0}


async def test_after_a_while_the_ticket_can_be_taken_over_again(database: Database) -> None:
    scenario = await new_scenario(database, session_policy="takeover")
    await take_turns(scenario, takeovers.MOST)
    for seconds in (30, 90, 150, 210, 500, 600):  # of a device that keeps watching
        await scenario.beat_all(after(seconds))
    with pytest.raises(TakenOverTooOften):
        await scenario.redeem(LAPTOP, after(629), takeover=True)
    await scenario.redeem(LAPTOP, after(631), takeover=True)
    assert await scenario.seats() == {"laptop": 0}


async def test_other_tickets_and_free_seats_are_not_affected(database: Database) -> None:
    scenario = await new_scenario(database, session_policy="takeover")
    await take_turns(scenario, takeovers.MOST)
    await scenario.redeem(LAPTOP, after(240), ticket=1)
    await scenario.release_all(after(241))
    await scenario.redeem(LAPTOP, after(242), takeover=True)


async def test_a_viewer_learns_how_long_to_wait(admin: Admin, phone: ViewerClient, laptop: ViewerClient) -> None:
    ticket = await admin.ticket(sessionPolicy="takeover")
    await phone.validate(ticket["code"])
    for turn in range(takeovers.MOST):
        taker = phone if turn % 2 else laptop
        taker.http.cookies.clear()
        assert (await taker.validate(ticket["code"], takeover=True)).status_code == 200
    laptop.http.cookies.clear()
    offered = await laptop.validate(ticket["code"])
    assert (offered.status_code, offered.json()["canTakeOver"]) == (409, True)
    answer = await laptop.validate(ticket["code"], takeover=True)
    assert (answer.status_code, answer.json()["reason"]) == (429, "taken-over-too-often")
    assert 500 <= int(answer.headers["retry-after"]) <= 600
    assert (await phone.heartbeat()).status_code == 200
