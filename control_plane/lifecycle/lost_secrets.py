"""Replace secrets in the database whose key is lost, because they can no longer be opened.

Only what none of the keys opens is changed. A second factor stays required: remaining recovery codes still work.
"""

from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import sealed_columns
from control_plane.accounts import second_factor, totp
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.tables import AdminUser, Event, Webhook
from control_plane.webhooks.webhook_client import new_secret


class LostSecrets(NamedTuple):
    """How many of each hold a secret that no key opens; `codeless` counts users who also have no recovery code left."""

    users: int
    codeless: int
    webhooks: int
    events: int

    @property
    def total(self) -> int:
        return self.users + self.webhooks + self.events


async def count(db: AsyncSession) -> LostSecrets:
    users, webhooks, events = await _users(db), await _webhooks(db), await _events(db)
    codeless = [user for user in users if not await second_factor.recovery_codes_left(db, user.id)]
    return LostSecrets(len(users), len(codeless), len(webhooks), len(events))


async def replace(db: AsyncSession) -> LostSecrets:
    """Replace these with secrets sealed by the current key, and make it the database's key. Raise SecretsKeyMissing."""
    lost, seal = await count(db), sealer_of(db).seal
    for user in await _users(db):
        if await second_factor.recovery_codes_left(db, user.id):
            user.totp_secret = seal(totp.new_secret())  # that no authenticator app knows
        else:
            await second_factor.remove(db, user)
    for webhook in await _webhooks(db):
        webhook.secret, webhook.is_active = seal(new_secret()), False
    for event in await _events(db):
        event.origin_header = event.origin_query = None
    await sealed_columns.adopt(db, sealer_of(db))
    return lost


async def _users(db: AsyncSession) -> list[AdminUser]:
    found = await db.scalars(select(AdminUser).where(AdminUser.totp_secret.is_not(None)))
    return [user for user in found if _is_lost(db, user.totp_secret)]


async def _webhooks(db: AsyncSession) -> list[Webhook]:
    return [webhook for webhook in await db.scalars(select(Webhook)) if _is_lost(db, webhook.secret)]


async def _events(db: AsyncSession) -> list[Event]:
    has_any = or_(Event.origin_header.is_not(None), Event.origin_query.is_not(None))
    found = await db.scalars(select(Event).where(has_any))
    return [event for event in found if _is_lost(db, event.origin_header, event.origin_query)]


def _is_lost(db: AsyncSession, *values: str | None) -> bool:
    try:
        for value in values:
            sealer_of(db).open(value or "")
    except SealBroken:
        return True
    return False
