"""Webhooks and their messages, written directly into a database."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import anyio
from sqlalchemy import select

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.tables import Event, Ticket, Webhook, WebhookDelivery
from control_plane.webhooks import webhooks
from control_plane.webhooks.outbox import Topic

ALL: Final = tuple(Topic)


async def add_webhook(
    database: Database, url: str, topics: Iterable[Topic] = ALL, *, is_active: bool = True
) -> Webhook:
    async with database.write() as db:
        webhook, _ = await webhooks.create(db, url, topics, utc_now(), is_active=is_active)
        return webhook


async def add_event(database: Database, starts_at: datetime, hours: float = 2, **values: object) -> Event:
    event = Event(
        title="Concert",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        created_at=starts_at,
        updated_at=starts_at,
        **values,
    )
    async with database.write() as db:
        db.add(event)
    return event


async def add_ticket(database: Database, event: Event, code: str = "K7F2X9M4B1C3") -> Ticket:
    ticket = Ticket(
        code=code,
        event_id=event.id,
        label="Row 5",
        expires_at=event.ends_at + timedelta(hours=48),
        created_at=utc_now(),
    )
    async with database.write() as db:
        db.add(ticket)
    return ticket


async def outbox_of(database: Database) -> list[WebhookDelivery]:
    """Return all messages in the outbox, in order."""
    async with database.read() as db:
        return list(await db.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


async def until(look: Callable[[], Awaitable[bool]], within: float = 15.0) -> None:
    """Wait until `look` is true, in the tests' event loop, where the services also run."""
    with anyio.fail_after(within):
        while not await look():  # noqa: ASYNC110 - it becomes true elsewhere: in a database, at a receiver
            await anyio.sleep(0.05)
