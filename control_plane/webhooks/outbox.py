"""The outbox: messages to webhooks, each written in the transaction of the change that it reports.

To deliver, one process at a time takes a lease on a webhook, for at most `LEASE`, and sends its messages in order. If
the process dies, the lease expires and the messages are sent again.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog
from sqlalchemy import Integer, String, Text, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import UtcDateTime
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.jobs import leases
from control_plane.tables import Webhook, WebhookDelivery
from control_plane.webhooks.interest import interest_of
from control_plane.webhooks.retries import next_attempt, rest_until

LEASE: Final = timedelta(seconds=20)
KEPT_FOR: Final = timedelta(days=7)
_MAX_MESSAGES: Final = 20  # in a lease
_BATCH_SIZE: Final = 1_000  # rows deleted by one statement: other writers wait for it
_GONE: Final = 410
_LONGEST_ERROR: Final = 200
log = structlog.get_logger()


class Topic(StrEnum):
    """What a webhook can subscribe to."""

    TICKET_REDEEMED = "ticket.redeemed"
    TICKET_REVOKED = "ticket.revoked"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    EVENT_LIVE = "event.live"
    EVENT_ENDED = "event.ended"
    EVENT_TROUBLE = "event.trouble"


TEST: Final = "webhook.test"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be sent."""

    id: int
    body: str
    created_at: datetime
    attempts: int
    due_at: datetime | None

    @property
    def message_id(self) -> str:
        """The id for the receiver: the same in every attempt, and unique to the message."""
        return message_id(self.id, self.created_at)


@dataclass(frozen=True, slots=True)
class Lease:
    """The messages that its holder may send now, in this order. `failures` counts the consecutive failures."""

    webhook_id: str
    until: datetime
    url: str
    secret: str
    failures: int
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `status` is the receiver's, `error` is None if it accepted the message."""

    message: Message
    at: datetime
    status: int | None
    error: str | None

    @property
    def is_gone(self) -> bool:
        return self.status == _GONE


def message_id(row: int, created_at: datetime) -> str:
    """Return an id that outlives the row: a database may reuse the number of a deleted row."""
    return f"msg_{row}_{int(created_at.timestamp() * 1_000_000)}"


async def is_wanted(db: AsyncSession, topic: Topic, now: datetime) -> bool:
    return bool(await _subscribers(db, topic, now))


async def put(db: AsyncSession, topic: Topic, data: Mapping[str, Any], now: datetime) -> None:
    """Write a message to every webhook that subscribes to the topic."""
    await put_all(db, topic, [data], now)


async def put_all(db: AsyncSession, topic: Topic, messages: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Write several messages on one topic, in their order."""
    for webhook_id in await _subscribers(db, topic, now):
        rows = [_row(webhook_id, topic.value, data, now) for data in messages]
        if rows:
            await (await db.connection()).execute(_WRITE, rows)


async def put_test(db: AsyncSession, webhook: Webhook, now: datetime) -> WebhookDelivery:
    """Write a test message to one webhook: it shows only that it arrives."""
    row = _row(webhook.id, TEST, {"webhookId": webhook.id}, now)
    delivery = WebhookDelivery(webhook_id=webhook.id, topic=TEST, body=row["body"], created_at=now, next_attempt_at=now)
    db.add(delivery)
    await db.flush()
    return delivery


async def due(db: AsyncSession, now: datetime) -> list[str]:
    """Return the ids of the webhooks that have messages due and can be leased."""
    waiting = select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == Webhook.id, WebhookDelivery.next_attempt_at <= now
    )
    can_be_leased = Webhook.is_active, leases.is_free(Webhook, now)
    return list(await db.scalars(select(Webhook.id).where(*can_be_leased, waiting.exists())))


async def take_lease(db: AsyncSession, webhook_id: str, now: datetime) -> Lease | None:
    """Take a lease on a webhook; return None if it is leased or paused, or its secret cannot be opened."""
    until, which = now + LEASE, Webhook.id == webhook_id
    columns = Webhook.url, Webhook.secret, Webhook.failures
    row = await leases.take(db, Webhook, and_(which, Webhook.is_active), now, until, columns)
    if row is None:
        return None
    try:
        secret = sealer_of(db).open(row.secret)
    except SealBroken:
        failures = row.failures + 1
        await leases.give_back(db, Webhook, which, until, rest_until(failures, now), failures=failures)
        log.error("webhook_secret_not_opened", webhook=webhook_id)
        return None
    delivery = WebhookDelivery
    waiting = (
        select(delivery.id, delivery.body, delivery.created_at, delivery.attempts, delivery.next_attempt_at)
        .where(delivery.webhook_id == webhook_id, delivery.next_attempt_at <= now)
        .order_by(delivery.id)
        .limit(_MAX_MESSAGES)
    )
    messages = [Message(*found) for found in await db.execute(waiting)]
    return Lease(webhook_id, until, row.url, secret, row.failures, messages)


async def end_lease(db: AsyncSession, lease: Lease, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Record the outcomes and give the lease back. After a failure the whole webhook pauses for a while.

    If the lease has run out and another process holds the next one, only what was delivered is recorded.
    """
    failures = lease.failures
    for outcome in outcomes:
        failures = failures + 1 if outcome.error else 0
    free_at = rest_until(failures, now)
    which = Webhook.id == lease.webhook_id
    is_held = await leases.give_back(db, Webhook, which, lease.until, free_at, failures=failures)
    for outcome in outcomes:
        if is_held or outcome.error is None:
            await _record(db, outcome)
    if is_held and any(outcome.is_gone for outcome in outcomes):
        await _give_up(db, lease.webhook_id)
        interest_of(db).forget()


async def _record(db: AsyncSession, outcome: Outcome) -> None:
    """Record an outcome, unless the message was changed meanwhile: then somebody wants it sent again."""
    delivery, message = WebhookDelivery, outcome.message
    unchanged = delivery.id == message.id, delivery.next_attempt_at == message.due_at
    await db.execute(update(delivery).where(*unchanged).values(**_delivery_values(outcome)))


async def forget(db: AsyncSession, now: datetime) -> tuple[int, Counter[str]]:
    """Delete up to a thousand of the oldest messages, a week after they were written.

    Return how many, and how many of them were still waiting for each webhook: one that is switched off, or was
    unavailable for so long that its messages have not had all of their attempts.
    """
    oldest = await db.scalar(select(func.min(WebhookDelivery.id)))
    if oldest is None:
        return 0, Counter()
    old = WebhookDelivery.id < oldest + _BATCH_SIZE, WebhookDelivery.created_at < now - KEPT_FOR
    columns = WebhookDelivery.webhook_id, WebhookDelivery.next_attempt_at
    dropped = (await db.execute(delete(WebhookDelivery).where(*old).returning(*columns))).all()
    return len(dropped), Counter(webhook_id for webhook_id, due_at in dropped if due_at)


async def _subscribers(db: AsyncSession, topic: Topic, now: datetime) -> Sequence[str]:
    interest = interest_of(db)
    known = interest.of(topic.value, now)
    if known is None:
        by_topic: defaultdict[str, list[str]] = defaultdict(list)
        for webhook_id, topics in await db.execute(
            select(Webhook.id, Webhook.topics).where(Webhook.is_active).order_by(Webhook.id)
        ):
            for wanted in topics.split():
                by_topic[wanted].append(webhook_id)
        interest.learn(by_topic, now)
        known = by_topic.get(topic.value, ())
    return known


def _delivery_values(outcome: Outcome) -> dict[str, Any]:
    attempts = outcome.message.attempts + 1
    values = {"attempts": attempts, "last_status": outcome.status}
    if outcome.error is None:
        return values | {"delivered_at": outcome.at, "next_attempt_at": None, "last_error": None}
    next_at = None if outcome.is_gone else next_attempt(attempts, outcome.at)
    return values | {"next_attempt_at": next_at, "last_error": outcome.error[:_LONGEST_ERROR]}


async def _give_up(db: AsyncSession, webhook_id: str) -> None:
    """Switch off a webhook whose receiver says that it is gone, and give up its waiting messages."""
    await db.execute(update(Webhook).where(Webhook.id == webhook_id).values(is_active=False))
    waiting = WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.next_attempt_at.is_not(None)
    await db.execute(update(WebhookDelivery).where(*waiting).values(next_attempt_at=None))


def _row(webhook_id: str, topic: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    body = json.dumps({"type": topic, "timestamp": now.isoformat(), "data": data}, separators=(",", ":"))
    return {"to": webhook_id, "topic": topic, "body": body, "now": now}


def _make_statement() -> Any:
    """Return the statement that writes a message if the webhook still exists: it may have just been deleted."""
    now = bindparam("now", type_=UtcDateTime())
    row = (
        select(
            Webhook.id,
            bindparam("topic", type_=String()),
            bindparam("body", type_=Text()),
            now,
            bindparam("attempts", 0, type_=Integer()),
            now,
        )
        .where(Webhook.id == bindparam("to"), Webhook.is_active)
        .with_for_update(read=True, key_share=True)
    )
    columns = ["webhook_id", "topic", "body", "created_at", "attempts", "next_attempt_at"]
    return insert(WebhookDelivery).from_select(columns, row, include_defaults=False)


_WRITE: Final = _make_statement()
