"""Record viewers' actions in the audit log and the metrics.

Successful actions are recorded in their own transaction, refusals are written later: no request may wait for them. A
first visit with no session to resume is not recorded as a refusal.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit_queue import RefusedAction
from control_plane.clock import utc_now
from control_plane.digests import digest
from control_plane.errors import NoSession, Refusal, TooManyAttempts
from control_plane.services import Request
from control_plane.sessions.sessions import Grant
from control_plane.sessions.tv import Link
from control_plane.web.requests import client_address, services


@dataclass(slots=True)
class ViewerAttempt:
    """The credentials of a viewer's request, filled in as they become known."""

    code: str | None = None
    sid: str | None = None
    resume_secret: str | None = None

    def with_token(self, claims: Claims) -> None:
        self.code, self.sid = claims.sub, claims.sid


@contextmanager
def recording_refusals(request: Request, action: str) -> Iterator[ViewerAttempt]:
    """Record a refusal raised in the block and raise it again; count redemptions by their outcome."""
    app, attempt, outcome = services(request), ViewerAttempt(), audit.DONE
    try:
        yield attempt
    except Refusal as refusal:
        outcome = refusal.reason
        if not isinstance(refusal, NoSession):
            app.audit_queue.note(_refused(request, action, attempt, refusal), utc_now())
        raise
    finally:
        if action == audit.REDEEM:
            app.metrics.redemptions.labels(outcome).inc()


def record_done(
    db: AsyncSession,
    request: Request,
    action: str,
    done: Grant | Link,
    now: datetime,
    detail: Mapping[str, str | int | bool | None] | None = None,
) -> None:
    """Record what a viewer has done, in the same transaction and at the same time."""
    about = audit.About(done.claims.sid, done.claims.eid, done.ticket.id, detail)
    audit.record(db, Actor.viewer(client_address(request)), action, now, about)


def _refused(request: Request, action: str, attempt: ViewerAttempt, refusal: Refusal) -> RefusedAction:
    """Return the entry for the audit log, without credentials if there were too many attempts."""
    address = client_address(request)
    if isinstance(refusal, TooManyAttempts):
        return RefusedAction(action, refusal.reason, address)
    resume_hash = digest(attempt.resume_secret) if attempt.resume_secret else None
    return RefusedAction(action, refusal.reason, address, attempt.code, attempt.sid, resume_hash)
