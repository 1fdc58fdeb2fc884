"""Cleanup of sessions that were never released."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from authz_sidecar.contract.playback_token import verify
from control_plane.clock import utc_now
from control_plane.lifecycle import reaper
from control_plane.tables import LastSeen, RevocationChange, Ticket, ViewingSession
from tests.support.clients.api import Admin, ControlPlane, ViewerClient
from tests.support.data.forging import RING

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


async def end_reason(plane: ControlPlane, token: str) -> str | None:
    sid = verify(token, RING, utc_now().timestamp()).sid
    async with plane.services.database.read() as db:
        return await db.scalar(select(ViewingSession.end_reason).where(ViewingSession.sid == sid))


async def test_a_session_past_its_ticket_is_ended(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    await phone.validate((await admin.ticket())["code"])
    await reaper.clear_up(plane.services.database)
    assert await end_reason(plane, phone.token) is None
    async with plane.services.database.write() as db:
        await db.execute(update(Ticket).values(expires_at=utc_now() - timedelta(minutes=2)))
    await reaper.clear_up(plane.services.database)
    assert await end_reason(plane, phone.token) == "expired"


async def test_a_session_silent_for_a_day_is_ended_and_its_token_is_refused(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    await phone.validate((await admin.ticket())["code"])
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=utc_now() - timedelta(hours=25)))
    await reaper.clear_up(plane.services.database)
    assert await end_reason(plane, phone.token) == "timeout"
    assert [change["kind"] for change in (await plane.feed())["changes"]] == ["session"]


@pytest.mark.parametrize(("hours", "left"), [(23, 1), (25, 0)])
async def test_a_clock_that_is_hours_ahead_drops_no_entry_of_the_feed(
    plane: ControlPlane, admin: Admin, hours: int, left: int
) -> None:
    await admin.patch("tokens", (await admin.ticket())["id"], "revoke")
    async with plane.services.database.write() as db:
        await db.execute(update(RevocationChange).values(expires_at=utc_now() - timedelta(hours=hours)))
    await reaper.clear_up(plane.services.database)
    assert len((await plane.feed())["changes"]) == left


async def test_a_body_that_is_not_a_form_is_refused(plane: ControlPlane) -> None:
    async with plane.browser() as browser:
        answer = await browser.post("/api/tokens/validate", content=b"{" + b" " * 70_000 + b"}")
    assert answer.status_code == 413
