"""The revocation feed, as a sidecar receives and applies it."""

import json
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from authz_sidecar.contract.feed import Change, FeedPage, Kind, parse_page
from authz_sidecar.gate import MediaRequest, Reason, decide
from authz_sidecar.revocations import Revocations
from control_plane.db.database import Database
from control_plane.lifecycle import revocation
from control_plane.revocations import revocation_feed
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, ViewerClient, claims_of

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


def subjects(page: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(change["kind"], change["id"], change["revoked"]) for change in page["changes"]]


async def refusal(plane: ControlPlane, token: str) -> Reason | None:
    """Return the refusal of a token by a sidecar that follows the feed, or None."""
    revocations = Revocations(parse_page(json.dumps(await plane.feed()).encode()).changes)
    claims = claims_of(token)
    request = MediaRequest(token, f"{claims.sp}stream.m3u8", "GET")
    return decide(request, lambda _token: claims, revocations, datetime.now(UTC).timestamp()).refusal


async def until_a_follower_waits(plane: ControlPlane) -> None:
    with anyio.fail_after(20):
        while not plane.services.metrics.feed_followers._value.get():  # noqa: ASYNC110
            await anyio.sleep(0.001)


@pytest.mark.parametrize("key", [None, "", "wrong", INTERNAL_KEY[:-1], INTERNAL_KEY + " x", INTERNAL_KEY.upper(), "é"])
async def test_the_feed_requires_the_internal_key(plane: ControlPlane, key: str | None) -> None:
    headers = [] if key is None else [(b"X-Internal-Api-Key", key.encode("latin-1"))]
    async with plane.browser() as http:
        answer = await http.get("/internal/feed", headers=headers)
    assert answer.status_code == 401
    assert "changes" not in answer.json()


async def test_the_first_answer_is_a_snapshot_and_the_next_ones_continue_from_its_cursor(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    first, second = await admin.codes(event_id, 2)
    await admin.patch("tokens", first["id"], "revoke")
    snapshot = await plane.feed()
    assert (snapshot["snapshot"], snapshot["more"]) == (True, False)
    assert subjects(snapshot) == [("code", first["code"], True)]
    await admin.patch("tokens", second["id"], "revoke")
    await admin.patch("events", event_id, "deactivate")
    news = await plane.feed(snapshot["cursor"])
    assert news["snapshot"] is False
    assert subjects(news) == [("code", second["code"], True), ("event", event_id, True)]
    assert subjects(await plane.feed(news["cursor"])) == []


async def test_a_change_has_the_published_form(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    await admin.patch("tokens", ticket["id"], "revoke")
    [change] = (await plane.feed())["changes"]
    at, expires_at = datetime.fromisoformat(change.pop("at")), datetime.fromisoformat(change.pop("expiresAt"))
    assert change == {"kind": "code", "id": ticket["code"], "revoked": True, "notBefore": None}
    assert at.tzinfo is not None
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert expires_at.tzinfo is not None


async def test_of_several_changes_of_one_subject_the_last_is_returned(plane: ControlPlane, admin: Admin) -> None:
    ticket, other = await admin.codes(await admin.create_event(), 2)
    await admin.patch("tokens", ticket["id"], "revoke")
    await admin.patch("tokens", other["id"], "revoke")
    await admin.patch("tokens", ticket["id"], "unrevoke")
    assert subjects(await plane.feed()) == [("code", other["code"], True), ("code", ticket["code"], False)]


async def test_the_same_name_as_a_code_and_as_a_session_is_two_subjects(plane: ControlPlane) -> None:
    async with plane.services.database.write() as db:
        for kind in (Kind.CODE, Kind.SESSION):
            await revocation_feed.append(db, Change(kind, "K7F2X9M4B1C3K7F2", True, None, 0, 2**32))
    assert [kind for kind, _, _ in subjects(await plane.feed())] == ["code", "session"]


@pytest.mark.parametrize(
    "cursor", ["other.1", "other.99999", "nonsense", "1", ".", "e.-1", "e." + "9" * 30, "e." + "9" * 5000, "'--"]
)
async def test_an_unknown_cursor_gets_a_snapshot(plane: ControlPlane, admin: Admin, cursor: str) -> None:
    ticket = await admin.ticket()
    await admin.patch("tokens", ticket["id"], "revoke")
    answer = await plane.feed(cursor, wait=30)
    assert answer["snapshot"] is True
    assert subjects(answer) == [("code", ticket["code"], True)]


async def test_a_snapshot_is_returned_in_pages_that_are_complete_together(plane: ControlPlane, admin: Admin) -> None:
    made = await admin.codes(await admin.create_event(), 5)
    for ticket in made:
        await admin.patch("tokens", ticket["id"], "revoke")
    pages: list[FeedPage] = []
    async with plane.services.database.read() as db:
        while not pages or pages[-1].more:
            pages.append(await revocation_feed.read_page(db, (pages[-1].next or "") if pages else "", limit=2))
    assert [len(page.changes) for page in pages] == [2, 2, 1]
    assert all(page.snapshot for page in pages)
    assert [change.id for page in pages for change in page.changes] == [ticket["code"] for ticket in made]
    assert pages[-1].next is None
    assert (await plane.feed(pages[-1].cursor))["snapshot"] is False


async def test_the_response_is_what_the_contract_serializes(plane: ControlPlane) -> None:
    for number, revoked in enumerate((True, False)):
        not_before = None if revoked else 1_800_000_001
        for kind in Kind:
            change = Change(kind, f"subject-{number}", revoked, not_before, 1_800_000_000.25, 4_000_000_000 + number)
            async with plane.services.database.write() as db:
                await revocation_feed.append(db, change)
    async with plane.services.database.read() as db:
        page = await revocation_feed.read_page(db, "")
    assert len(page.changes) == 6
    assert (
        parse_page(json.dumps(await plane.feed()).encode()) == page == parse_page(json.dumps(page.to_json()).encode())
    )


async def test_changes_are_also_returned_in_pages(plane: ControlPlane, admin: Admin) -> None:
    start = (await plane.feed())["cursor"]
    made = await admin.codes(await admin.create_event(), 3)
    for ticket in made:
        await admin.patch("tokens", ticket["id"], "revoke")
    async with plane.services.database.read() as db:
        first = await revocation_feed.read_page(db, start, limit=2)
        second = await revocation_feed.read_page(db, first.cursor, limit=2)
    assert (first.more, first.snapshot, second.more) == (True, False, False)
    assert [change.id for page in (first, second) for change in page.changes] == [ticket["code"] for ticket in made]


async def test_waiting_followers_get_a_revocation_as_soon_as_it_is_committed(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    cursor = (await plane.feed())["cursor"]
    answers: list[dict[str, Any]] = []

    async def poll() -> None:
        answers.append(await plane.feed(cursor, wait=30))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            tasks.start_soon(poll)
            await until_a_follower_waits(plane)
            assert not answers
            await admin.patch("tokens", ticket["id"], "revoke")
    assert [subjects(answer) for answer in answers] == [[("code", ticket["code"], True)]] * 2


async def test_a_wait_without_changes_ends_with_an_empty_answer_and_the_same_cursor(plane: ControlPlane) -> None:
    cursor = (await plane.feed())["cursor"]
    with anyio.fail_after(20):
        answer = await plane.feed(cursor, wait=0.05)
    del answer["mark"]
    assert answer == {"cursor": cursor, "snapshot": False, "more": False, "changes": []}


async def test_waiting_followers_are_answered_when_the_control_plane_stops(plane: ControlPlane) -> None:
    cursor = (await plane.feed())["cursor"]
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(plane.feed, cursor, 30)
            await until_a_follower_waits(plane)
            plane.services.database.announcements.close()


async def test_a_rolled_back_change_is_neither_announced_nor_returned(
    plane: ControlPlane, admin: Admin, database_url: str
) -> None:
    ticket, database = await admin.ticket(), Database(database_url)  # which no other code wakes
    announced = database.announcements.next(revocation_feed.TOPIC)

    async def fail() -> None:
        async with database.write() as db:
            await revocation.revoke(db, ticket["id"], datetime.now(UTC))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await fail()
    assert not announced.is_set()
    assert subjects(await plane.feed()) == []
    async with database.write() as db:
        await revocation.revoke(db, ticket["id"], datetime.now(UTC))
    assert announced.is_set()
    assert subjects(await plane.feed()) == [("code", ticket["code"], True)]
    await database.close()


@pytest.mark.parametrize("wait", ["nan", "-1", "soon", "-inf"])
async def test_an_invalid_wait_is_refused(plane: ControlPlane, wait: str) -> None:
    async with plane.browser() as http:
        headers = {"X-Internal-Api-Key": INTERNAL_KEY}
        answer = await http.get("/internal/feed", params={"wait": wait}, headers=headers)
    assert answer.status_code == 400


async def test_closing_an_event_is_one_entry_regardless_of_the_number_of_viewers(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    tokens = []
    for ticket in await admin.codes(event_id, 20):
        viewer = ViewerClient(plane.browser())
        await viewer.validate(ticket["code"])
        tokens.append(viewer.token)
    await admin.patch("events", event_id, "deactivate")
    assert subjects(await plane.feed()) == [("event", event_id, True)]
    assert {await refusal(plane, token) for token in tokens} == {Reason.EVENT}


async def test_ending_a_session_is_an_entry_that_lives_as_long_as_its_token(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    await phone.validate((await admin.ticket())["code"])
    await phone.release()
    [change] = parse_page(json.dumps(await plane.feed()).encode()).changes
    claims = claims_of(phone.token)
    assert (change.kind, change.id, change.revoked, change.expires_at) == (Kind.SESSION, claims.sid, True, claims.exp)
    assert await refusal(plane, phone.token) is Reason.SESSION


@pytest.mark.parametrize("subject", ["tokens", "events"])
async def test_refused_tokens_stay_refused_and_new_ones_play_even_within_one_second(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, subject: str
) -> None:
    ticket = await admin.ticket()
    identifier = ticket["id"] if subject == "tokens" else ticket["eventId"]
    cut, lift = ("revoke", "unrevoke") if subject == "tokens" else ("deactivate", "reactivate")
    expected = Reason.REVOKED if subject == "tokens" else Reason.EVENT
    old: list[str] = []
    for _ in range(10):
        await phone.validate(ticket["code"])
        assert await refusal(plane, phone.token) is None
        old.append(phone.token)
        await admin.patch(subject, identifier, cut)
        assert {await refusal(plane, token) for token in old} <= {expected, Reason.SESSION}
        await admin.patch(subject, identifier, lift)
        assert {await refusal(plane, token) for token in old} <= {expected, Reason.SESSION}
    assert (await phone.validate(ticket["code"])).status_code == 200
    assert await refusal(plane, phone.token) is None
    [change] = [change for change in (await plane.feed())["changes"] if change["kind"] != "session"]
    assert change["revoked"] is False
    assert claims_of(phone.token).iat >= datetime.fromisoformat(change["notBefore"]).timestamp()


async def test_a_lifted_revocation_is_kept_until_the_last_token_that_it_refuses_has_expired(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    for action in ("revoke", "unrevoke"):
        await admin.patch("tokens", ticket["id"], action)
        [change] = parse_page(json.dumps(await plane.feed()).encode()).changes
        assert change.expires_at >= claims_of(phone.token).exp


async def test_only_entries_that_no_token_can_match_are_dropped(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket, idle = await admin.codes(await admin.create_event(), 2)
    await phone.validate(ticket["code"])
    exp = claims_of(phone.token).exp
    await admin.patch("tokens", ticket["id"], "revoke")
    await admin.patch("tokens", idle["id"], "revoke")
    for now, left in ((exp + 60, [("code", ticket["code"], True)]), (exp + 121, [])):
        async with plane.services.database.write() as db:
            await revocation_feed.forget_expired(db, datetime.fromtimestamp(now, UTC))
        assert subjects(await plane.feed()) == left


async def test_a_cursor_stays_valid_after_entries_were_dropped(plane: ControlPlane, admin: Admin) -> None:
    first, second = await admin.codes(await admin.create_event(), 2)
    await admin.patch("tokens", first["id"], "revoke")
    cursor = (await plane.feed())["cursor"]
    async with plane.services.database.write() as db:
        await revocation_feed.forget_expired(db, datetime(2100, 1, 1, tzinfo=UTC))
    await admin.patch("tokens", second["id"], "revoke")
    news = await plane.feed(cursor)
    assert (news["snapshot"], subjects(news)) == (False, [("code", second["code"], True)])


async def test_the_health_check_reports_the_database(plane: ControlPlane) -> None:
    async with plane.browser() as http:
        answer = await http.get("/internal/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "unnamedProxies": []})
