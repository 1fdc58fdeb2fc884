"""The audit log: who did what, when, from where, and with what outcome. Entries are only added.

An entry must not contain a code, password, token or key: tickets are named by id, unknown codes by `code_digest`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.fingerprint import fingerprint
from control_plane.access.actors import Actor
from control_plane.tables import AuditEntry

DONE: Final = "ok"

# What viewers do, in as few entries as possible: the entry for a new session also covers its first token.
REDEEM: Final = "ticket.redeem"  # a session was started with a code
RESUME: Final = "session.resume"  # a session was started in place of the browser's last one
LINK: Final = "token.issue"  # a player got a URL with a token; the first one starts its session
APPROVE: Final = "tv.approve"  # a TV was approved by the code that it shows, and its session was started
REFRESH: Final = "token.refresh"
END: Final = "session.end"  # the detail says why; one entry for all sessions that a revocation or deactivation ended
LOOK_UP: Final = "ticket.look-up"  # the status of an event was requested with a code of none of its tickets

# API requests of users and API keys without the permission: only refusals; the detail names the route.
ASK: Final = "api.ask"


@dataclass(frozen=True, slots=True)
class About:
    """What an entry is about: the id or name of its subject, and the event and ticket whose history it belongs to."""

    subject: str | None = None
    event_id: str | None = None
    ticket_id: str | None = None
    detail: Mapping[str, str | int | bool | None] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """An action that is about to be done, for a rule that writes the audit entry together with its own rows."""

    actor: Actor
    action: str
    detail: Mapping[str, str | int | bool | None] | None = None

    def row(self, subject: str, event_id: str, ticket_id: str, now: datetime) -> dict[str, Any]:
        """Return the columns of the entry."""
        return _row(self.actor, self.action, now, About(subject, event_id, ticket_id, self.detail), DONE)


def record(db: AsyncSession, actor: Actor, action: str, now: datetime, about: About, outcome: str = DONE) -> None:
    """Add an entry to this transaction; `outcome` is "ok" or the word of a refusal."""
    db.add(entry(actor, action, now, about, outcome))


def entry(actor: Actor, action: str, now: datetime, about: About, outcome: str = DONE) -> AuditEntry:
    """Return an entry, for callers that add it to a session themselves."""
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
    """Return the name in the log for a code of no ticket: the first 12 hex digits of its SHA-256."""
    return fingerprint(code)
