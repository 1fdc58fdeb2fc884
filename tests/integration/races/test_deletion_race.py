"""Deletions and changes during a hundred redemptions, on real servers: nobody keeps playing, and nothing crashes.

Meanwhile followers read the feed of each control plane.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest
from sqlalchemy import func, select

from authz_sidecar.contract.playback_token import Claims
from authz_sidecar.revocations import Revocations
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.tables import Ticket, ViewingSession
from tests.support.clients.api import Admin, ViewerClient, claims_of
from tests.support.clients.races import at_once, followed
from tests.support.services.server import ControlPlaneProcess
from tests.support.variants import short_or_long

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
DEVICES, RUNS = 100, short_or_long(2, 3)


class Crowd:
    """Devices that redeem while their tickets are changed. Every other one releases its seat, to keep the feed busy."""

    def __init__(self, devices: list[httpx2.AsyncClient], tickets: list[dict[str, Any]]) -> None:
        self._pairs = list(zip(devices, tickets, strict=True))
        self.answered: Counter[int] = Counter()
        self.tokens: list[Claims] = []

    async def redeem_while(self, change: Callable[[], Awaitable[httpx2.Response]], run: int) -> httpx2.Response:
        """Run the change first, in the middle or last, on open connections.

        One device redeems before all others and one after them, so that the answers of these two are deterministic.
        """
        answers: list[httpx2.Response] = []

        async def one(pair: tuple[httpx2.AsyncClient, dict[str, Any]] | None) -> None:
            if pair is None:
                answers.append(await change())
                return
            pair[0].cookies.clear()
            viewer = ViewerClient(pair[0])
            answer = await viewer.validate(pair[1]["code"])
            self.answered[answer.status_code] += 1
            if answer.status_code == 200:
                self.tokens.append(claims_of(viewer.token))
                if len(self.tokens) % 2:
                    assert (await viewer.release()).status_code == 200

        before, *crowd, after = self._pairs[run:] + self._pairs[:run]  # other devices each time, or limits answer 429
        place = len(crowd) * run // (RUNS - 1)
        await one(before)
        await at_once(lambda pair: pair[0].get("/internal/health"), crowd[:place])
        await at_once(one, [*crowd[:place], None, *crowd[place:]])
        await one(after)
        return answers[0]

    async def still_playing(self, database: Database) -> list[Claims]:
        """Return the tokens that a gate would allow."""
        async with database.read() as db:
            known = Revocations((await revocation_feed.read_page(db, "")).changes)
        return [
            token
            for token in self.tokens
            if not known.events.refuses(token.eid, token.iat)
            and not known.codes.refuses(token.sub or "", token.iat)
            and not known.sessions.refuses(token.sid or "", token.iat)
        ]


async def rows(database: Database, event_id: str) -> tuple[int, int]:
    async with database.read() as db:
        mine = select(Ticket.id).where(Ticket.event_id == event_id)
        live = ViewingSession.ticket_id.in_(mine) & ViewingSession.ended_at.is_(None)
        sessions = await db.scalar(select(func.count()).select_from(ViewingSession).where(live))
        return await db.scalar(select(func.count()).select_from(mine.subquery())) or 0, sessions or 0


async def test_nobody_keeps_playing_if_the_event_is_deleted_during_redemption(
    planes: list[ControlPlaneProcess], admins: list[Admin], devices: list[httpx2.AsyncClient], database: Database
) -> None:
    answered: Counter[int] = Counter()
    for run in range(RUNS):
        event_id = await admins[0].create_event()
        crowd = Crowd(devices, await admins[0].codes(event_id, DEVICES))
        headers = {"X-Confirm-Delete": quote("Concert")}
        path = f"/api/admin/events/{event_id}"
        async with followed(planes, database):
            answer = await crowd.redeem_while(partial(admins[-1].http.delete, path, headers=headers), run)
        assert answer.status_code == 204, answer.text
        answered += crowd.answered
        assert await rows(database, event_id) == (0, 0)
        assert await crowd.still_playing(database) == []
    assert answered.keys() == {200, 401}


async def test_nobody_keeps_playing_if_the_ticket_is_deleted_during_redemption(
    planes: list[ControlPlaneProcess], admins: list[Admin], devices: list[httpx2.AsyncClient], database: Database
) -> None:
    answered: Counter[int] = Counter()
    for run in range(RUNS):
        ticket = await admins[0].ticket(maxDevices=10)
        crowd = Crowd(devices, [ticket] * DEVICES)
        path = f"/api/admin/tokens/{ticket['id']}"
        async with followed(planes, database):
            answer = await crowd.redeem_while(partial(admins[-1].http.delete, path), run)
        assert answer.status_code == 204, answer.text
        answered += crowd.answered
        assert await rows(database, ticket["eventId"]) == (0, 0)
        assert await crowd.still_playing(database) == []
    assert {200, 401} <= answered.keys() <= {200, 401, 409}


async def test_tickets_revoked_together_during_redemption_are_all_refused(
    planes: list[ControlPlaneProcess], admins: list[Admin], devices: list[httpx2.AsyncClient], database: Database
) -> None:
    answered: Counter[int] = Counter()
    for run in range(RUNS):
        event_id = await admins[0].create_event()
        tickets = await admins[0].codes(event_id, 200)
        crowd, body = Crowd(devices, tickets[:DEVICES]), {"tokenIds": [ticket["id"] for ticket in tickets]}
        path = "/api/admin/tokens/bulk-revoke"
        async with followed(planes, database):
            answer = await crowd.redeem_while(partial(admins[-1].http.post, path, json=body), run)
        assert answer.status_code == 200, answer.text
        answered += crowd.answered
        assert await rows(database, event_id) == (200, 0)
        assert await crowd.still_playing(database) == []
    assert answered.keys() == {200, 403}


async def test_a_window_that_ends_during_redemption_leaves_nobody_watching(
    planes: list[ControlPlaneProcess], admins: list[Admin], devices: list[httpx2.AsyncClient], database: Database
) -> None:
    answered: Counter[int] = Counter()
    for run in range(RUNS):
        event_id = await admins[0].create_event(-10, 5)
        crowd = Crowd(devices, await admins[0].codes(event_id, DEVICES))
        event = (await admins[0].list(f"/events/{event_id}"))["data"]
        body = {name: event[name] for name in ("title", "startsAt", "version")} | {"accessWindowHours": 1}
        body |= {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"}
        path = f"/api/admin/events/{event_id}"
        async with followed(planes, database):
            answer = await crowd.redeem_while(partial(admins[-1].http.put, path, json=body), run)
        assert answer.status_code == 200, answer.text
        answered += crowd.answered
        assert (await rows(database, event_id))[1] == 0
        assert await crowd.still_playing(database) == []
    assert answered.keys() == {200, 410}


async def test_of_simultaneous_imports_of_the_same_codes_exactly_one_succeeds(
    admins: list[Admin], database: Database
) -> None:
    for run in range(RUNS):
        event_id = await admins[0].create_event()
        body = "\n".join(f"RUN{run}CODE{number:06d}" for number in range(500))
        answered: Counter[int] = Counter()

        async def send(admin: Admin, event_id: str = event_id, body: str = body, seen: Counter[int] = answered) -> None:
            path = f"/api/admin/events/{event_id}/tokens/import?doubtful=import"  # they differ by one
            answer = await admin.http.post(path, content=body.encode(), headers={"Content-Type": "text/csv"})
            seen[answer.status_code] += 1

        with anyio.fail_after(60):
            await at_once(send, admins * 3)
        assert answered[201] == 1
        assert answered.keys() <= {201, 409, 422}
        assert (await rows(database, event_id))[0] == 500
