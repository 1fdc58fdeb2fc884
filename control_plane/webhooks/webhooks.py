"""Webhooks: which server is notified of what. The secret signs every message, and is shown once when it is created."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import Lock, hold
from control_plane.db.sealing import sealer_of
from control_plane.errors import Conflict, NotFound
from control_plane.tables import Webhook, WebhookDelivery
from control_plane.webhooks import outbox
from control_plane.webhooks.interest import interest_of
from control_plane.webhooks.outbox import Topic
from control_plane.webhooks.webhook_client import new_secret

MOST: Final = 50
_HIGHEST_ID: Final = 2**63 - 1
_IS_OFF: Final = "This webhook is turned off; turn it on first."


async def create(
    db: AsyncSession, url: str, topics: Iterable[Topic], now: datetime, *, is_active: bool
) -> tuple[Webhook, str]:
    """Add a webhook; return it with its new secret. Raise Conflict if there are fifty already."""
    await hold(db, Lock.WEBHOOKS)  # otherwise several requests could count forty-nine at the same moment
    if (await db.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST:
        raise Conflict(f"There are already {MOST} webhooks.")
    secret = new_secret()
    sealed = sealer_of(db).seal(secret)
    webhook = Webhook(url=url, secret=sealed, topics=_joined(topics), is_active=is_active, created_at=now, failures=0)
    db.add(webhook)
    await db.flush()
    interest_of(db).forget()
    return webhook, secret


async def change(db: AsyncSession, webhook_id: str, url: str, topics: Iterable[Topic], *, is_active: bool) -> Webhook:
    """Change a webhook and reset its count of failures. Raise NotFound."""
    webhook = await find(db, webhook_id)
    webhook.url, webhook.topics, webhook.is_active = url, _joined(topics), is_active
    webhook.failures = 0
    interest_of(db).forget()
    return webhook


async def remove(db: AsyncSession, webhook_id: str) -> None:
    """Delete a webhook with all its messages, delivered or not. Raise NotFound."""
    await db.delete(await find(db, webhook_id))
    interest_of(db).forget()


async def find(db: AsyncSession, webhook_id: str) -> Webhook:
    """Return the webhook; raise NotFound."""
    webhook = await db.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFound
    return webhook


async def page(db: AsyncSession, offset: int, limit: int) -> tuple[list[Webhook], int]:
    """Return one page of webhooks, oldest first, and how many there are in all."""
    total = await db.scalar(select(func.count()).select_from(Webhook))
    query = select(Webhook).order_by(Webhook.created_at, Webhook.id).offset(offset).limit(limit)
    return list(await db.scalars(query)), total or 0


async def test(db: AsyncSession, webhook_id: str, now: datetime) -> WebhookDelivery:
    """Write a test message, which shows only that it arrives. Raise NotFound, or Conflict if the webhook is off."""
    webhook = await find(db, webhook_id)
    if not webhook.is_active:
        raise Conflict(_IS_OFF)
    return await outbox.put_test(db, webhook, now)


async def deliveries(db: AsyncSession, webhook_id: str, offset: int, limit: int) -> tuple[list[WebhookDelivery], int]:
    """Return one page of a webhook's messages of the last week, newest first, and how many there are in all."""
    own = WebhookDelivery.webhook_id == webhook_id
    total = await db.scalar(select(func.count()).select_from(WebhookDelivery).where(own))
    query = select(WebhookDelivery).where(own).order_by(WebhookDelivery.id.desc()).offset(offset).limit(limit)
    return list(await db.scalars(query)), total or 0


async def retry(db: AsyncSession, webhook_id: str, delivery_id: int, now: datetime) -> WebhookDelivery:
    """Send a message again as soon as possible, whatever its outcome was. Raise NotFound or Conflict."""
    webhook = await find(db, webhook_id)
    delivery = await db.get(WebhookDelivery, delivery_id) if delivery_id <= _HIGHEST_ID else None
    if delivery is None or delivery.webhook_id != webhook.id:
        raise NotFound
    if not webhook.is_active:
        raise Conflict(_IS_OFF)
    delivery.next_attempt_at, delivery.delivered_at = now, None
    return delivery


def _joined(topics: Iterable[Topic]) -> str:
    return " ".join(dict.fromkeys(topic.value for topic in topics))
