"""What viewers do, for the audit log and the counters: what is done in its own transaction, refusals written behind.

Nobody's request may wait for a refusal to be written, and a first visit that has nothing to resume is none.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit_queue import RefusedAction
from control_plane.clock import utc_now
from control_plane.errors import NoSession, Refusal, TooManyAttempts
from control_plane.services import Request
from control_plane.sessions.sessions import digest
from control_plane.web.requests import client_address, services


@dataclass(slots=True)
class ViewerAttempt:
    """What somebody tries something with, as soon as it is known."""

    code: str | None = None
    sid: str | None = None
    resume_secret: str | None = None

    def with_token(self, claims: Claims) -> None:
        self.code, self.sid = claims.sub, claims.sid


@contextmanager
def asking(request: Request, action: str) -> Iterator[ViewerAttempt]:
    """Note how it ends; refusals go on."""
    app, asked, outcome = services(request), ViewerAttempt(), audit.DONE
    try:
        yield asked
    except Refusal as refusal:
        outcome = refusal.reason
        if not isinstance(refusal, NoSession):
            app.audit_queue.note(_refused(request, action, asked, refusal), utc_now())
        raise
    finally:
        if action == audit.REDEEM:
            app.metrics.redemptions.labels(outcome).inc()


def done(
    db: AsyncSession,
    request: Request,
    action: str,
    claims: Claims,
    ticket_id: str,
    detail: Mapping[str, str | int | bool | None] | None = None,
) -> None:
    """Record what a viewer has done, in the transaction in which it is done."""
    about = audit.About(claims.sid, claims.eid, ticket_id, detail)
    audit.record(db, Actor.viewer(client_address(request)), action, utc_now(), about)


def _refused(request: Request, action: str, asked: ViewerAttempt, refusal: Refusal) -> RefusedAction:
    """Say what was refused. Of one who tries too often it does not matter any more with what."""
    address = client_address(request)
    if isinstance(refusal, TooManyAttempts):
        return RefusedAction(action, refusal.reason, address)
    resume_hash = digest(asked.resume_secret) if asked.resume_secret else None
    return RefusedAction(action, refusal.reason, address, asked.code, asked.sid, resume_hash)
