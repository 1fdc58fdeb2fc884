"""Changes on behalf of an actor: with permission, and in one transaction with the audit entry, or not at all.

The JSON API, the console and the commands make all their changes through `audited_change`. A change is judged and
stamped by one clock: the moment at which its transaction begins, after it has waited for other writers.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor, Owned, Permission
from control_plane.access.audit import About
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import Refusal


class Action(Enum):
    """The actions: the word in the audit log, and the permission that is needed."""

    EVENT_CREATE = "event.create", Permission.EVENTS
    EVENT_UPDATE = "event.update", Permission.EVENTS
    EVENT_ORIGIN_CREDENTIALS = "event.origin-credentials", Permission.EVENTS
    EVENT_POSTER = "event.poster", Permission.EVENTS
    EVENT_DELETE = "event.delete", Permission.EVENTS
    EVENT_DEACTIVATE = "event.deactivate", Permission.EVENTS
    EVENT_REACTIVATE = "event.reactivate", Permission.EVENTS
    EVENT_ARCHIVE = "event.archive", Permission.EVENTS
    EVENT_UNARCHIVE = "event.unarchive", Permission.EVENTS
    EVENT_OPEN_DOORS = "event.open-doors", Permission.EVENTS
    EVENT_CLOSE_DOORS = "event.close-doors", Permission.EVENTS
    EVENT_PREVIEW = "event.preview", Permission.EVENTS
    TICKET_GENERATE = "ticket.generate", Permission.TICKETS
    TICKET_IMPORT = "ticket.import", Permission.TICKETS
    TICKET_DELETE = "ticket.delete", Permission.TICKETS
    TICKET_REVOKE = "ticket.revoke", Permission.REVOKE
    TICKET_UNREVOKE = "ticket.unrevoke", Permission.REVOKE
    SESSION_KICK = "session.kick", Permission.REVOKE
    USER_CREATE = "user.create", Permission.ADMINISTER
    USER_UPDATE = "user.update", Permission.ADMINISTER
    PASSWORD_CHANGE = "password.change", Permission.OWN_ACCOUNT
    TOTP_ENABLE = "totp.enable", Permission.OWN_ACCOUNT
    TOTP_DISABLE = "totp.disable", Permission.OWN_ACCOUNT
    ADMIN_SESSION_END = "admin-session.end", Permission.OWN_ACCOUNT
    API_KEY_CREATE = "api-key.create", Permission.ADMINISTER
    API_KEY_REVOKE = "api-key.revoke", Permission.ADMINISTER
    WEBHOOK_CREATE = "webhook.create", Permission.ADMINISTER
    WEBHOOK_UPDATE = "webhook.update", Permission.ADMINISTER
    WEBHOOK_DELETE = "webhook.delete", Permission.ADMINISTER
    WEBHOOK_TEST = "webhook.test", Permission.ADMINISTER
    WEBHOOK_RETRY = "webhook.retry", Permission.ADMINISTER
    SETUP_LINK_CREATE = "setup-link.create", Permission.ADMINISTER
    SECRETS_RESET = "secrets.reset", Permission.ADMINISTER
    BACKUP_RESTORE = "backup.restore", Permission.ADMINISTER

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def permission(self) -> Permission:
        return self.value[1]


@dataclass(slots=True)
class AuditedChange:
    """A change in progress: its transaction, when that began, and what its audit entry is about."""

    db: AsyncSession
    now: datetime
    subject: str | None = None
    event_id: str | None = None
    ticket_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def about(self) -> About:
        return About(self.subject, self.event_id, self.ticket_id, self.detail)


@asynccontextmanager
async def audited_change(
    database: Database, actor: Actor, action: Action, subject: str | None = None, on: Owned | None = None
) -> AsyncIterator[AuditedChange]:
    """Provide a transaction for the change. Raise Forbidden if the actor lacks the permission, also as owner of `on`.

    That and every refusal from within the block are recorded and raised again. The JSON API checks the permission
    before it gets here, and records its refusals in the background (web/authentication.py).
    """
    change = None
    try:
        actor.require(action.permission, on)
        async with database.write() as db:
            change = AuditedChange(db, utc_now(), subject)
            yield change
            audit.record(db, actor, action.word, change.now, change.about())
    except Refusal as refusal:
        about = change.about() if change else About(subject)
        async with database.write() as db:
            audit.record(db, actor, action.word, utc_now(), about, refusal.reason)
        raise
