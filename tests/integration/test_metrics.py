"""The control plane's metrics: they are accurate and contain no identifiers."""

import math

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from control_plane import cost_limited_cache
from control_plane.access.audit_queue import AuditQueue, RefusedAction
from control_plane.clock import utc_now
from control_plane.tables import Base
from tests.support.clients.api import (
    INTERNAL_KEY,
    UNKNOWN_ID,
    Admin,
    ControlPlane,
    ViewerClient,
    claims_of,
    make_settings,
    running,
)

pytestmark = pytest.mark.anyio
Samples = dict[tuple[str, ...], float]


async def text(plane: ControlPlane) -> str:
    async with plane.browser() as prometheus:
        answer = await prometheus.get("/internal/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


async def samples(plane: ControlPlane) -> Samples:
    """Return the values by name and label values."""
    families = text_string_to_metric_families(await text(plane))
    found = (sample for family in families for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in found}


async def test_requests_are_counted_by_the_template_of_their_route(plane: ControlPlane, phone: ViewerClient) -> None:
    for path in ("/", f"/api/events/{UNKNOWN_ID}/status", "/api/nowhere", "/nowhere", "/static/none.js"):
        await phone.http.get(path)
    await phone.http.request("BREW", "/")
    found = await samples(plane)
    counted = {key[1:]: n for key, n in found.items() if key[0] == "streamgate_requests_total" and n}
    assert counted == {
        ("GET", "/", "200"): 1,
        ("GET", "/api/events/{event_id:uuid}/status", "400"): 1,
        ("GET", "/api", "404"): 1,
        ("GET", "none", "404"): 1,
        ("GET", "/static", "404"): 1,
        ("other", "/", "405"): 1,
    }
    assert found["streamgate_request_seconds_count", "GET", "/"] == 1


async def test_a_crash_is_counted_with_its_response_status(plane: ControlPlane, admin: Admin) -> None:
    async with plane.services.database.write() as db:
        await (await db.connection()).run_sync(Base.metadata.tables["audit_entry"].drop)
    with pytest.raises(Exception, match="audit_entry"):
        await admin.http.get("/api/admin/audit")
    assert (await samples(plane))["streamgate_requests_total", "GET", "/api/admin/audit", "500"] == 1


async def test_redemptions_are_counted_by_outcome(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    code = (await admin.ticket())["code"]
    for given in (code, "Nobodys12345", "", code):
        await phone.validate(given)
    found = await samples(plane)
    outcomes = {key[1]: n for key, n in found.items() if key[0] == "streamgate_redemptions_total"}
    assert outcomes == {"ok": 2, "unknown": 1, "malformed": 1}


async def test_live_sessions_and_the_head_of_the_feed_are_exported(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_limited_cache, "QUICK_SECONDS", math.inf)  # never cache a slow count
    for device in (phone, laptop):
        await device.validate((await admin.ticket())["code"])
    before = await samples(plane)
    await laptop.release()
    after = await samples(plane)
    assert (before["streamgate_live_sessions",], after["streamgate_live_sessions",]) == (2, 1)
    assert after["streamgate_feed_head",] > before["streamgate_feed_head",]
    assert after["streamgate_database_reachable",] == 1


async def test_followers_of_the_feed_are_counted_while_they_wait(plane: ControlPlane) -> None:
    cursor = (await plane.feed())["cursor"]
    followers = plane.services.metrics.feed_followers
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(plane.feed, cursor, 20)
        while not next(iter(followers.collect())).samples[0].value:
            await anyio.lowlevel.checkpoint()
        assert (await samples(plane))["streamgate_feed_followers",] == 1
        plane.services.database.announcements.close()
    assert (await samples(plane))["streamgate_feed_followers",] == 0


async def test_each_edge_is_exported_with_its_lag(plane: ControlPlane, admin: Admin) -> None:
    async with plane.browser() as sidecar:
        query = {"cursor": (await plane.feed())["cursor"], "edge": "berlin", "instance": "1"}
        await sidecar.get("/internal/feed", params=query, headers={"X-Internal-Api-Key": INTERNAL_KEY})
    assert ("streamgate_edge_lag_seconds", "berlin") not in await samples(plane)
    await admin.patch("tokens", (await admin.ticket())["id"], "revoke")
    found = await samples(plane)
    assert 0 <= found["streamgate_edge_lag_seconds", "berlin"] < 30
    assert 0 <= found["streamgate_edge_receipt_age_seconds", "berlin"] < 30
    assert found["streamgate_edge_live_sidecars", "berlin"] == 1


async def test_the_audit_queue_and_its_dropped_entries_are_exported(plane: ControlPlane, phone: ViewerClient) -> None:
    queue = AuditQueue(plane.services.database, most=2)
    for number in range(5):
        queue.note(RefusedAction("ticket.redeem", "unknown", "192.0.2.1", f"Code{number}"), utc_now())
    assert (len(queue), queue.dropped) == (2, 3)
    await queue.write_behind()
    queue.note(RefusedAction("ticket.redeem", "unknown", "192.0.2.1", "Code9"), utc_now())
    assert (len(queue), queue.dropped) == (1, 3)
    await phone.validate("Nobodys12345")
    found = await samples(plane)
    assert found["streamgate_audit_queue_waiting",] in {0, 1}
    assert found["streamgate_audit_queue_dropped_total",] == 0


async def test_without_the_database_the_other_metrics_are_exported(database_url: str) -> None:
    async with running(make_settings(database_url)) as plane:
        async with plane.services.database.write() as db:
            await (await db.connection()).run_sync(Base.metadata.tables["viewing_session"].drop)
        found = await samples(plane)
    assert found["streamgate_database_reachable",] == 0
    assert ("streamgate_live_sessions",) not in found
    assert ("streamgate_database_connections_in_use", "read") in found


async def test_two_applications_in_one_process_count_separately(plane: ControlPlane, phone: ViewerClient) -> None:
    await phone.validate("Nobodys12345")
    async with running(plane.services.settings) as another:
        assert ("streamgate_redemptions_total", "unknown") not in await samples(another)


async def test_metrics_contain_no_identifiers(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    await phone.http.get(f"/api/events/{ticket['eventId']}/status", params={"code": ticket["code"]})
    await admin.patch("tokens", ticket["id"], "revoke")
    shown = await text(plane)
    secrets = [ticket["code"], ticket["id"], ticket["eventId"], str(claims_of(phone.token).sid), "192.0.2.10"]
    assert [secret for secret in secrets if secret in shown] == []
    assert "process_resident_memory_bytes" in shown
