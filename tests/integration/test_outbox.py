"""The outbox: messages are written in the same transaction as the change, to subscribers, and leases are exclusive."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import pytest
from sqlalchemy import event as hooks
from sqlalchemy import update

from control_plane.access.actors import Actor
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import revocation
from control_plane.sessions import redeeming, sessions
from control_plane.sessions.sessions import Device, SeatRules
from control_plane.tables import Webhook, WebhookDelivery
from control_plane.webhooks import outbox, webhooks
from control_plane.webhooks.outbox import LEASE, Lease, Outcome, Topic
from tests.support.clients.api import SEALER
from tests.support.data.hooks import add_event, add_ticket, add_webhook, outbox_of

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOW = utc_now()
URL = "https://hooks.example.org/streamgate"
RULES = SeatRules(token_seconds=3600, silence=timedelta(seconds=60), counting_since=NOW)
PHONE = Device("192.0.2.10", "Phone/1")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, SEALER)
    yield database
    await database.close()


async def put(database: Database, number: int = 0, topic: Topic = Topic.TICKET_REVOKED) -> None:
    async with database.write() as db:
        await outbox.put(db, topic, {"number": number}, NOW)


async def take(database: Database, webhook: Webhook, seconds: float = 0) -> Lease | None:
    async with database.write() as db:
        return await outbox.take_lease(db, webhook.id, NOW + timedelta(seconds=seconds))


async def end(database: Database, lease: Lease, *statuses: int, seconds: float = 0) -> None:
    at = NOW + timedelta(seconds=seconds)
    pairs = zip(lease.messages, statuses, strict=False)
    outcomes = [
        Outcome(message, at, status, None if status < 300 else f"Answered {status}.") for message, status in pairs
    ]
    async with database.write() as db:
        await outbox.end_lease(db, lease, outcomes, at)


async def test_a_rolled_back_message_is_never_sent(database: Database) -> None:
    await add_webhook(database, URL)

    async def fail() -> None:
        async with database.write() as db:
            await outbox.put(db, Topic.TICKET_REVOKED, {}, NOW)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await fail()
    assert await outbox_of(database) == []


async def test_a_message_goes_to_active_webhooks_with_its_topic(database: Database) -> None:
    wants = await add_webhook(database, URL, [Topic.TICKET_REVOKED, Topic.EVENT_LIVE])
    await add_webhook(database, URL, [Topic.EVENT_LIVE])
    await add_webhook(database, URL, [Topic.TICKET_REVOKED], is_active=False)
    await put(database, 7)
    [message] = await outbox_of(database)
    assert (message.webhook_id, message.topic, message.attempts) == (wants.id, "ticket.revoked", 0)
    assert json.loads(message.body) == {
        "type": "ticket.revoked",
        "timestamp": NOW.isoformat(),
        "data": {"number": 7},
    }


async def test_without_webhooks_publishing_makes_no_database_query(database: Database) -> None:
    asked: list[str] = []
    await put(database)
    engine = database._writing_engine.sync_engine
    hooks.listen(engine, "before_cursor_execute", lambda *event: asked.append(event[2]))
    async with database.write() as db:
        await outbox.put(db, Topic.TICKET_REVOKED, {}, NOW + timedelta(seconds=1))
        assert [statement for statement in asked if "webhook" in statement] == []
        await outbox.put(db, Topic.TICKET_REVOKED, {}, NOW + timedelta(seconds=3))
    assert len([statement for statement in asked if "webhook" in statement]) == 1


async def test_a_webhook_of_another_process_is_noticed_within_two_seconds(
    database: Database, database_url: str
) -> None:
    await put(database)
    other = Database(database_url, SEALER)
    await add_webhook(other, URL)
    await other.close()
    async with database.write() as db:
        await outbox.put(db, Topic.TICKET_REVOKED, {}, NOW + timedelta(seconds=2))
    assert len(await outbox_of(database)) == 1


async def test_a_webhook_deleted_by_another_process_causes_no_error(database: Database, database_url: str) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    other = Database(database_url, SEALER)
    async with other.write() as db:
        await webhooks.remove(db, webhook.id)
    await other.close()
    await put(database)
    assert await outbox_of(database) == []


async def test_messages_about_a_ticket_contain_neither_its_code_nor_an_address(database: Database) -> None:
    await add_webhook(database, URL)
    event = await add_event(database, NOW - timedelta(hours=1))
    ticket = await add_ticket(database, event)
    async with database.write() as db:
        grant = await redeeming.redeem(db, ticket.code, PHONE, RULES, NOW)
    async with database.write() as db:
        await sessions.release(db, grant.claims, NOW, Actor.viewer("192.0.2.10"))
    async with database.write() as db:
        again = await redeeming.redeem(db, ticket.code, PHONE, RULES, NOW)
    async with database.write() as db:
        await revocation.revoke(db, ticket.id, NOW)
    told = [json.loads(message.body) for message in await outbox_of(database)]
    about = {"ticketId": ticket.id, "label": "Row 5", "eventId": event.id, "eventTitle": "Concert"}
    first, second = {"sid": grant.claims.sid, **about}, {"sid": again.claims.sid, **about}
    assert [(message["type"], message["data"]) for message in told] == [
        ("ticket.redeemed", about),
        ("session.started", first),
        ("session.ended", first | {"reason": "released"}),
        ("session.started", second),
        ("ticket.revoked", about),
        ("session.ended", second | {"reason": "revoked"}),
    ]
    everything = " ".join(message.body for message in await outbox_of(database))
    assert not [secret for secret in (ticket.code, "192.0.2.10", str(grant.resume_secret)) if secret in everything]


async def test_a_deactivated_event_reports_every_ended_session_once(database: Database) -> None:
    await add_webhook(database, URL, [Topic.SESSION_ENDED])
    event = await add_event(database, NOW - timedelta(hours=1))
    sids = []
    for number in range(5):
        ticket = await add_ticket(database, event, f"CODE000{number}")
        async with database.write() as db:
            sids.append((await redeeming.redeem(db, ticket.code, PHONE, RULES, NOW)).claims.sid)
    for _ in range(2):
        async with database.write() as db:
            await revocation.deactivate(db, event.id, NOW)
    told = [json.loads(message.body)["data"] for message in await outbox_of(database)]
    assert sorted(one["sid"] for one in told) == sorted(str(sid) for sid in sids)
    assert {one["reason"] for one in told} == {"event"}


async def test_a_lease_has_one_holder_until_it_is_returned_or_expires(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    lease = await take(database, webhook)
    assert lease
    assert await take(database, webhook, LEASE.total_seconds() - 1) is None
    again = await take(database, webhook, LEASE.total_seconds())
    assert again
    assert [message.message_id for message in again.messages] == [message.message_id for message in lease.messages]
    await end(database, again, 204, seconds=LEASE.total_seconds())
    last = await take(database, webhook, LEASE.total_seconds())
    assert last
    assert last.messages == []


async def test_of_ten_simultaneous_requests_for_a_lease_one_succeeds(database: Database, database_url: str) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    others = [Database(database_url, SEALER) for _ in range(10)]
    turns: list[Lease | None] = []

    async def want(other: Database) -> None:
        turns.append(await take(other, webhook))

    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(want, other)
    for other in others:
        await other.close()
    assert len([lease for lease in turns if lease]) == 1


async def test_a_lease_has_twenty_messages_in_order(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    for number in range(25):
        await put(database, number)
    lease = await take(database, webhook)
    assert lease
    assert [json.loads(message.body)["data"]["number"] for message in lease.messages] == list(range(20))


async def test_a_message_that_failed_waits_and_its_webhook_pauses(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    await put(database, 1)
    await put(database, 2)
    lease = await take(database, webhook)
    assert lease
    await end(database, lease, 500)
    first, second = await outbox_of(database)
    assert (first.attempts, first.last_status, first.last_error) == (1, 500, "Answered 500.")
    assert first.next_attempt_at
    assert first.next_attempt_at > NOW + timedelta(seconds=3)
    assert (second.attempts, second.next_attempt_at) == (0, NOW)
    assert await take(database, webhook, 3) is None
    async with database.read() as db:
        assert await outbox.due(db, NOW + timedelta(seconds=3)) == []
        assert await outbox.due(db, NOW + timedelta(seconds=7)) == [webhook.id]


async def test_a_message_is_given_up_after_its_eighth_attempt(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    hours = 0
    while (await outbox_of(database))[0].next_attempt_at:
        hours += 48
        lease = await take(database, webhook, hours * 3600)
        assert lease
        await end(database, lease, 500, seconds=hours * 3600)
    [message] = await outbox_of(database)
    assert (message.attempts, message.delivered_at) == (8, None)


async def test_a_receiver_that_is_gone_is_deactivated_with_all_its_messages(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    await put(database, 1)
    await put(database, 2)
    lease = await take(database, webhook)
    assert lease
    await end(database, lease, 410)
    assert [message.next_attempt_at for message in await outbox_of(database)] == [None, None]
    await put(database, 3)
    assert len(await outbox_of(database)) == 2
    async with database.read() as db:
        assert not (await webhooks.find(db, webhook.id)).is_active


async def test_messages_are_deleted_after_a_week(database: Database) -> None:
    await add_webhook(database, URL)
    for number in range(3):
        await put(database, number)
    async with database.write() as db:
        old = update(WebhookDelivery).where(WebhookDelivery.id < (await outbox_of(database))[2].id)
        await db.execute(old.values(created_at=NOW - timedelta(days=7, seconds=1)))
    async with database.write() as db:
        assert (await outbox.forget(db, NOW))[0] == 2
        assert (await outbox.forget(db, NOW))[0] == 0
    assert [json.loads(message.body)["data"] for message in await outbox_of(database)] == [{"number": 2}]


async def test_a_message_that_is_to_be_sent_again_while_it_is_being_sent_is_sent_again(database: Database) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    lease = await take(database, webhook)
    assert lease
    async with database.write() as db:
        await webhooks.retry(db, webhook.id, lease.messages[0].id, NOW + timedelta(seconds=1))
    await end(database, lease, 200, seconds=2)
    again = await take(database, webhook, seconds=3)
    assert again
    assert [message.id for message in again.messages] == [lease.messages[0].id]


@pytest.mark.parametrize("late", [200, 500])
async def test_a_process_whose_lease_has_run_out_changes_nothing_of_the_next_one(database: Database, late: int) -> None:
    webhook = await add_webhook(database, URL)
    await put(database)
    slow = await take(database, webhook)
    fast = await take(database, webhook, seconds=21)
    assert slow
    assert fast
    await end(database, slow, late, seconds=22)
    assert await take(database, webhook, seconds=23) is None
    await end(database, fast, 200, seconds=24)
    [message] = await outbox_of(database)
    assert (message.next_attempt_at, message.last_status) == (None, 200)
