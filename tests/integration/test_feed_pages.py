"""Many followers: a change is read from the database once and serialized once for all of them."""

import time

import anyio
import anyio.lowlevel
import httpx2
import pytest

from authz_sidecar.contract.feed import Change, Cursor, Kind
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.revocations.edges import Instance, Receipts, known, write_behind
from control_plane.revocations.feed_pages import FeedPages, RenderedPage
from tests.support.clients.api import INTERNAL_KEY, ControlPlane

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
FOLLOWERS = 60
FEW_READS = FOLLOWERS / 4  # periodic reads may occur in between, but never one per follower


async def append(database: Database, subject: str) -> str:
    now = time.time()
    async with database.write() as db:
        await revocation_feed.append(db, Change(Kind.CODE, subject, True, None, now, now + 3600))
        return await revocation_feed.head(db)


async def ask(plane: ControlPlane, number: int, cursor: str, answers: list[httpx2.Response]) -> None:
    query = {"cursor": cursor, "wait": "30", "edge": f"edge-{number}", "instance": "0"}
    async with plane.browser() as sidecar:
        headers = {"X-Internal-Api-Key": INTERNAL_KEY}
        answers.append(await sidecar.get("/internal/feed", params=query, headers=headers, timeout=60))


async def are_waiting(plane: ControlPlane, count: int) -> None:
    registry = plane.services.metrics.registry
    while registry.get_sample_value("streamgate_feed_followers") != count:  # noqa: ASYNC110 - there is no event to wait for
        await anyio.sleep(0.01)


async def test_a_change_is_read_once_for_all_followers_and_all_get_the_same_bytes(plane: ControlPlane) -> None:
    cursor, pages = (await plane.feed())["cursor"], plane.services.feed_pages
    answers: list[httpx2.Response] = []
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(FOLLOWERS):
                tasks.start_soon(ask, plane, number, cursor, answers)
            await are_waiting(plane, FOLLOWERS)
            before = pages.reads
            await append(plane.services.database, "revoked-for-all")
    assert len(answers) == FOLLOWERS
    assert {answer.status_code for answer in answers} == {200}
    [body] = {answer.content for answer in answers}
    assert b"revoked-for-all" in body
    assert pages.reads - before < FEW_READS


async def test_followers_with_the_newest_cursor_also_share_a_read(plane: ControlPlane) -> None:
    newest, pages = await append(plane.services.database, "x"), plane.services.feed_pages
    before = pages.reads
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(FOLLOWERS):
                tasks.start_soon(ask, plane, number, newest, [])
            await are_waiting(plane, FOLLOWERS)
            assert pages.reads - before < FEW_READS
            tasks.cancel_scope.cancel()


async def test_no_answer_is_older_than_its_request(plane: ControlPlane) -> None:
    database, pages = plane.services.database, FeedPages(plane.services.database)
    cursor = (await plane.feed())["cursor"]
    call = database.announcements.next(revocation_feed.TOPIC)
    assert (await pages.after(cursor, call)).is_empty
    await append(database, "x")
    assert call.is_set()
    assert not (await pages.after(cursor, database.announcements.next(revocation_feed.TOPIC))).is_empty


async def test_a_request_without_waiting_gets_the_current_state_of_the_database(plane: ControlPlane) -> None:
    pages, call, cursor = FeedPages(plane.services.database), anyio.Event(), (await plane.feed())["cursor"]
    assert (await pages.after(cursor, call)).is_empty
    await append(plane.services.database, "x")
    assert (await pages.after(cursor, call)).is_empty, "whoever waits hears the call"
    assert not (await pages.after(cursor, call, fresh=True)).is_empty


async def test_a_failed_read_affects_only_its_own_request(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, call, cursor = FeedPages(plane.services.database), anyio.Event(), (await plane.feed())["cursor"]
    handouts: list[RenderedPage] = []
    real, failures = revocation_feed.read_encoded_page, [OSError("away")]

    async def failing_once(*asked: object) -> revocation_feed.EncodedPage:
        await anyio.lowlevel.checkpoint()
        if failures:
            raise failures.pop()
        return await real(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(revocation_feed, "read_encoded_page", failing_once)

    async def first() -> None:
        with pytest.raises(OSError, match="away"):
            await pages.after(cursor, call)

    async def second() -> None:
        handouts.append(await pages.after(cursor, call))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        tasks.start_soon(second)
    assert [handout.is_empty for handout in handouts] == [True]


@pytest.mark.parametrize(
    ("query", "key", "status"),
    [
        ("cursor=x&wait=nan", INTERNAL_KEY, 400),
        ("cursor=x&wait=0&edge=%F0", INTERNAL_KEY, 400),
        ("cursor=x", "wrong", 401),
        ("cursor=a&cursor=b&wait=0", INTERNAL_KEY, 200),
        ("", INTERNAL_KEY, 200),
        ("wait", INTERNAL_KEY, 400),
    ],
)
async def test_an_unusual_request_gets_the_same_answer(plane: ControlPlane, query: str, key: str, status: int) -> None:
    async with plane.browser() as sidecar:
        answer = await sidecar.get(f"/internal/feed?{query}", headers={"X-Internal-Api-Key": key})
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"


async def test_a_thousand_receipts_are_written_at_once_and_newer_ones_of_other_processes_stay(
    plane: ControlPlane,
) -> None:
    database, now = plane.services.database, utc_now()
    newest = (await plane.feed())["cursor"]
    place = Cursor.parse(newest)
    assert place
    earlier, later = Receipts(), Receipts()
    for number in range(1000):
        earlier.record_receipt(Instance(f"edge-{number:04}", "0"), place, now.timestamp() - 5)
    later.record_receipt(Instance("edge-0007", "0"), place, now.timestamp())
    await write_behind(database, later, now)
    await write_behind(database, earlier, now)
    async with database.read() as db:
        found = {state.name: state.heard_at for state in await known(db, Receipts(), now.timestamp())}
    assert len(found) == 1000
    assert found["edge-0007"] == pytest.approx(now.timestamp())
    assert found["edge-0008"] == pytest.approx(now.timestamp() - 5)
