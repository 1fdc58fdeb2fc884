"""Doors at the API: organisers' actions, the status for viewers, and the number of viewers."""

from datetime import timedelta

import pytest

from authz_sidecar.contract.playback_token import PREVIEW_SID, PREVIEW_SUB
from control_plane.tables import LastSeen
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, older

pytestmark = pytest.mark.anyio


async def status_of(viewer: ViewerClient, event_id: str) -> str:
    """Request it as the page does, without a code in the URL."""
    headers = {"Authorization": f"Bearer {viewer.token}"}
    return str((await viewer.http.get(f"/api/events/{event_id}/status", headers=headers)).json().get("status"))


async def test_doors_are_reported_to_organisers_viewers_and_edges(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket(starts_in_hours=1, ends_in_hours=2)
    event_id = ticket["eventId"]
    granted = (await phone.validate(ticket["code"])).json()
    assert (granted["isHeld"], await status_of(phone, event_id)) == (True, "not-started")
    [entry] = (await plane.feed())["changes"]
    shown = (await admin.list(f"/events/{event_id}"))["data"]
    assert entry["until"] == shown["startsAt"].replace("Z", "+00:00")
    assert (shown["holdUntilStart"], shown["doors"], shown["standing"]) == (True, None, "upcoming")

    opened = await admin.patch("events", event_id, "open-doors")
    assert (opened["doors"], opened["standing"]) == ("open", "live")
    [entry] = (await plane.feed())["changes"]
    assert (entry["revoked"], entry["notBefore"], entry.get("until")) == (False, None, None)
    assert not (await phone.refresh()).json()["isHeld"]
    assert await status_of(phone, event_id) == "live"

    await admin.patch("events", event_id, "close-doors")
    assert (await phone.refresh()).json()["isHeld"]
    assert await status_of(phone, event_id) == "held"
    await admin.patch("events", event_id, "deactivate")
    refused = await admin.http.patch(f"/api/admin/events/{event_id}/open-doors")
    assert refused.status_code == 409
    actions = {entry["action"]: entry["outcome"] for entry in (await admin.list("/audit", action="event."))["data"]}
    assert actions["event.close-doors"] == "ok"
    assert "event.open-doors" in actions


async def test_a_preview_has_no_session_and_is_in_the_audit_log(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(starts_in_hours=1, ends_in_hours=2)
    url = f"/api/admin/events/{ticket['eventId']}/preview"
    given = (await admin.http.post(url)).json()["data"]
    claims = claims_of(given["playbackToken"])
    assert (claims.sub, claims.sid, claims.preview) == (PREVIEW_SUB, PREVIEW_SID, True)
    assert (given["tokenExpiresIn"], given["streamUrl"]) == (300, f"/streams/{ticket['eventId']}/stream.m3u8")
    assert (await admin.list("/audit", action="event.preview"))["pagination"]["total"] == 1
    for action in ("refresh", "heartbeat"):
        headers = {"Authorization": f"Bearer {given['playbackToken']}"}
        assert (await phone.http.post(f"/api/playback/{action}", headers=headers)).status_code in {401, 404}
    await admin.patch("events", ticket["eventId"], "deactivate")
    assert (await admin.http.post(url)).status_code == 409


async def test_the_sessions_token_is_enough_to_read_the_status(admin: Admin, phone: ViewerClient) -> None:
    ticket, other = await admin.ticket(), await admin.ticket()
    await phone.validate(ticket["code"])
    assert await status_of(phone, ticket["eventId"]) == "live"
    path = f"/api/events/{ticket['eventId']}/status"
    for token, status in ((older(phone.token, 4000), 401), ("nonsense", 401)):
        answer = await phone.http.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    headers = {"Authorization": f"Bearer {phone.token}"}
    assert (await phone.http.get(f"/api/events/{other['eventId']}/status", headers=headers)).status_code == 404
    await admin.patch("tokens", ticket["id"], "revoke")
    assert (await phone.http.get(path, headers=headers)).json()["reason"] == "revoked"


async def test_a_silent_session_no_longer_counts_as_watching_anywhere(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    event_id = await admin.create_event()
    for viewer, ticket in zip((phone, laptop), await admin.codes(event_id, 2), strict=True):
        await viewer.validate(ticket["code"])
    async with plane.services.database.write() as db:
        seen = await db.get(LastSeen, claims_of(phone.token).sid)
        assert seen
        seen.at -= timedelta(seconds=61)
    assert (await admin.list("/dashboard"))["data"]["watching"] == 1
    assert (await admin.list(f"/events/{event_id}"))["data"]["watching"] == 1
    assert [one["watching"] for one in (await admin.list("/events"))["data"]] == [1]
    assert sum(one["watching"] for one in (await admin.list("/tokens"))["data"]) == 1
    watchers = await admin.list("/sessions")
    assert [one["sid"] for one in watchers["data"]] == [claims_of(laptop.token).sid]
    assert watchers["pagination"]["total"] == 1
    numbers = (await plane.browser().get("/internal/metrics")).text
    assert "streamgate_live_sessions 1.0" in numbers
    page = (await admin.http.get("/admin")).text
    assert '<td role="cell" data-label="Watching now" class="number">1</td>' in page


async def test_the_console_has_a_button_for_each_state_of_the_doors(admin: Admin) -> None:
    event_id = await admin.create_event(1, 2)
    address = f"/admin/events/{event_id}"
    for button, there in (("open-doors", "Closed until the start"), ("close-doors", "Open: everybody")):
        page = (await admin.http.get(address)).text
        assert f'href="{address}/{button}"' in page
        assert there in page
        done = await admin.http.post(f"{address}/{button}", data={}, follow_redirects=True)
        assert done.status_code == 200
    assert "Closed until you open them" in (await admin.http.get(address)).text
    preview = await admin.http.get(f"{address}/preview")
    assert "Only you see this" in preview.text
    assert "media-src 'self' blob:" in preview.headers["content-security-policy"]
