"""The outbox: what webhooks are told, written in the transaction of what it tells of, so that neither is there alone.

Who delivers takes turns: one process at a time has a webhook's turn, for at most `LEASE`, and sends its messages in
their order. A process that dies in its turn loses it when the lease is over, and then they are sent once more.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog
from sqlalchemy import Integer, String, Text, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import UtcDateTime
from control_plane.db.interest import INTEREST, Interest
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.models_admin import Webhook, WebhookDelivery
from control_plane.webhooks.retries import next_attempt, rest_until

LEASE: Final = timedelta(seconds=20)
KEPT_FOR: Final = timedelta(days=7)
_A_TURN: Final = 20  # messages
_AT_ONCE: Final = 1_000  # rows forgotten by one statement: other writers wait for it
_GONE: Final = 410
_LONGEST_ERROR: Final = 200
log = structlog.get_logger()


class Topic(StrEnum):
    """What a webhook can ask to hear of."""

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
    """One message on its way."""

    id: int
    body: str
    created_at: datetime
    attempts: int

    @property
    def message_id(self) -> str:
        """Name the message for its receiver: the same with every attempt, another for every other message."""
        return message_id(self.id, self.created_at)


@dataclass(frozen=True, slots=True)
class Lease:
    """What its holder may send now, in this order. `failures` counts the turns in a row that ended with one."""

    webhook_id: str
    url: str
    secret: str
    failures: int
    parcels: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `status` is the receiver's, `error` None when it took the message."""

    parcel: Message
    at: datetime
    status: int | None
    error: str | None

    @property
    def is_gone(self) -> bool:
        return self.status == _GONE


def message_id(row: int, created_at: datetime) -> str:
    """Make an id that outlives the row: a database may give a deleted row's number again."""
    return f"msg_{row}_{int(created_at.timestamp() * 1_000_000)}"


async def is_wanted(db: AsyncSession, topic: Topic, now: datetime) -> bool:
    return bool(await _wanted_by(db, topic, now))


async def put(db: AsyncSession, topic: Topic, data: Mapping[str, Any], now: datetime) -> None:
    """Write a message to every webhook that wants the topic."""
    await put_all(db, topic, [data], now)


async def put_all(db: AsyncSession, topic: Topic, several: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Write several messages on one topic, in their order."""
    for webhook_id in await _wanted_by(db, topic, now):
        rows = [_row(webhook_id, topic.value, data, now) for data in several]
        if rows:
            await (await db.connection()).execute(_WRITE, rows)


async def put_test(db: AsyncSession, webhook: Webhook, now: datetime) -> WebhookDelivery:
    """Write a message to one webhook that tells nothing but that it arrives."""
    row = _row(webhook.id, TEST, {"webhookId": webhook.id}, now)
    delivery = WebhookDelivery(webhook_id=webhook.id, topic=TEST, body=row["body"], created_at=now, next_attempt_at=now)
    db.add(delivery)
    await db.flush()
    return delivery


async def due(db: AsyncSession, now: datetime) -> list[str]:
    """Return the ids of the webhooks that have something to be told and whose turn nobody has."""
    waiting = select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == Webhook.id, WebhookDelivery.next_attempt_at <= now
    )
    return list(await db.scalars(select(Webhook.id).where(*_free(now), waiting.exists())))


async def take_lease(db: AsyncSession, webhook_id: str, now: datetime) -> Lease | None:
    """Take a webhook's turn for `LEASE`; None where somebody else has it, or there is nothing to send."""
    taken = update(Webhook).where(Webhook.id == webhook_id, *_free(now)).values(free_at=now + LEASE)
    columns = Webhook.url, Webhook.secret, Webhook.failures
    row = (await db.execute(taken.returning(*columns).execution_options(synchronize_session=False))).one_or_none()
    if row is None:
        return None
    try:
        secret = sealer_of(db).open(row.secret)
    except SealBroken:
        rest: dict[str, Any] = {"failures": row.failures + 1, "free_at": rest_until(row.failures + 1, now)}
        await db.execute(update(Webhook).where(Webhook.id == webhook_id).values(**rest))
        log.error("webhook_secret_not_opened", webhook=webhook_id)
        return None
    delivery = WebhookDelivery
    waiting = (
        select(delivery.id, delivery.body, delivery.created_at, delivery.attempts)
        .where(delivery.webhook_id == webhook_id, delivery.next_attempt_at <= now)
        .order_by(delivery.id)
        .limit(_A_TURN)
    )
    return Lease(webhook_id, row.url, secret, row.failures, [Message(*found) for found in await db.execute(waiting)])


async def end_lease(db: AsyncSession, turn: Lease, outcomes: Iterable[Outcome], now: datetime) -> None:
    """Write how it went and give the turn back. After a failure the webhook rests for a while, all of it."""
    failures, is_gone = turn.failures, False
    for outcome in outcomes:
        await db.execute(
            update(WebhookDelivery).where(WebhookDelivery.id == outcome.parcel.id).values(**_written(outcome))
        )
        failures = failures + 1 if outcome.error else 0
        is_gone = is_gone or outcome.is_gone
    values: dict[str, Any] = {"failures": failures, "free_at": rest_until(failures, now)}
    await db.execute(update(Webhook).where(Webhook.id == turn.webhook_id).values(**values))
    if is_gone:
        await _give_up(db, turn.webhook_id)
        interest_of(db).forget()


async def forget(db: AsyncSession, now: datetime) -> tuple[int, Counter[str]]:
    """Drop up to a thousand of the oldest messages, a week after they were written.

    Return how many, and how many of them still waited for each webhook: one that is switched off, or was away for so
    long that its messages have not had their attempts.
    """
    oldest = await db.scalar(select(func.min(WebhookDelivery.id)))
    if oldest is None:
        return 0, Counter()
    old = WebhookDelivery.id < oldest + _AT_ONCE, WebhookDelivery.created_at < now - KEPT_FOR
    columns = WebhookDelivery.webhook_id, WebhookDelivery.next_attempt_at
    dropped = (await db.execute(delete(WebhookDelivery).where(*old).returning(*columns))).all()
    return len(dropped), Counter(webhook_id for webhook_id, due_at in dropped if due_at)


def interest_of(db: AsyncSession) -> Interest:
    interest = db.info.get(INTEREST)
    return interest if isinstance(interest, Interest) else Interest()


async def _wanted_by(db: AsyncSession, topic: Topic, now: datetime) -> Sequence[str]:
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


def _free(now: datetime) -> tuple[Any, ...]:
    return Webhook.is_active, or_(Webhook.free_at.is_(None), Webhook.free_at <= now)


def _written(outcome: Outcome) -> dict[str, Any]:
    attempts = outcome.parcel.attempts + 1
    told = {"attempts": attempts, "last_status": outcome.status}
    if outcome.error is None:
        return told | {"delivered_at": outcome.at, "next_attempt_at": None, "last_error": None}
    following = None if outcome.is_gone else next_attempt(attempts, outcome.at)
    return told | {"next_attempt_at": following, "last_error": outcome.error[:_LONGEST_ERROR]}


async def _give_up(db: AsyncSession, webhook_id: str) -> None:
    """Switch off a webhook whose receiver says that it is gone, with all that waits for it."""
    await db.execute(update(Webhook).where(Webhook.id == webhook_id).values(is_active=False))
    waiting = WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.next_attempt_at.is_not(None)
    await db.execute(update(WebhookDelivery).where(*waiting).values(next_attempt_at=None))


def _row(webhook_id: str, topic: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    body = json.dumps({"type": topic, "timestamp": now.isoformat(), "data": data}, separators=(",", ":"))
    return {"to": webhook_id, "topic": topic, "body": body, "now": now}


def _make_statement() -> Any:
    """Write for a webhook that is still there: it may have been deleted since somebody looked."""
    now = bindparam("now", type_=UtcDateTime())
    there = (
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
    return insert(WebhookDelivery).from_select(columns, there, include_defaults=False)


_WRITE: Final = _make_statement()
