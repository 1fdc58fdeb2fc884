"""The audit log: who did what, when, from where, and how it ended. Only ever added to.

No code, password, token or key may stand in an entry: tickets by their id, unknown codes by `code_digest`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access.actors import Actor
from control_plane.models_admin import AuditEntry

DONE: Final = "ok"

# What viewers do. The least entries that say it all: where a session begins, its first token is in the same entry.
REDEEM: Final = "ticket.redeem"  # a session has begun with a code
RESUME: Final = "session.resume"  # a session has begun in place of the browser's last one
LINK: Final = "token.issue"  # a player got a URL with a token; the first one of its session began it
APPROVE: Final = "tv.approve"  # a TV was let in by the code that it shows; its session has begun
REFRESH: Final = "token.refresh"
END: Final = "session.end"  # its detail says why; one entry for all that a revocation or a deactivation has ended
LOOK_UP: Final = "ticket.look-up"  # somebody asked for an event's status with a code that is none of its tickets'

# What users and API keys ask of the API beyond what they may: only refusals, its detail says on which route.
ASK: Final = "api.ask"


@dataclass(frozen=True, slots=True)
class About:
    """What an entry is about: a subject's id or name, the event and ticket whose history it belongs to."""

    subject: str | None = None
    event_id: str | None = None
    ticket_id: str | None = None
    detail: Mapping[str, str | int | bool | None] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody is about to do, for a rule that records it together with what it writes."""

    actor: Actor
    action: str
    detail: Mapping[str, str | int | bool | None] | None = None

    def row(self, subject: str, event_id: str, ticket_id: str, now: datetime) -> dict[str, Any]:
        """Give the entry's columns."""
        return _row(self.actor, self.action, now, About(subject, event_id, ticket_id, self.detail), DONE)


def record(db: AsyncSession, actor: Actor, action: str, now: datetime, about: About, outcome: str = DONE) -> None:
    """Add an entry to this transaction; `outcome` is "ok" or the word of a refusal."""
    db.add(entry(actor, action, now, about, outcome))


def entry(actor: Actor, action: str, now: datetime, about: About, outcome: str = DONE) -> AuditEntry:
    """Make an entry, for who has no session of ours to add it to."""
    return AuditEntry(**_row(actor, action, now, about, outcome))


def _row(actor: Actor, action: str, now: datetime, about: About, outcome: str) -> dict[str, Any]:
    return {
        "at": now,
        "actor_kind": actor.kind.value,
        "actor": actor.name[:100],
        "address": actor.address,
        "action": action,
        "outcome": outcome,
        "subject": about.subject,
        "event_id": about.event_id,
        "ticket_id": about.ticket_id,
        "detail": json.dumps(dict(about.detail), sort_keys=True) if about.detail else None,
    }


def code_digest(code: str) -> str:
    """Return what stands for a code that is no ticket's: 12 hex digits of its SHA-256."""
    return sha256(code.encode()).hexdigest()[:12]
