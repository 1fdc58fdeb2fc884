"""Check that the database is reachable with the current schema, that an owner can sign in, and that edges keep up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from anyio import to_thread
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access.actors import Role
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.db.sealing import SETTING
from control_plane.errors import OperatorError
from control_plane.events.events import ticket_expiry
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.doctor.machine import health
from control_plane.ops.home_database import database_url, open_url, sealer
from control_plane.revocations import edges, revocation_feed
from control_plane.revocations.edges import LIVE_SECONDS, EdgeState, Receipts
from control_plane.sealed_columns import holds_secrets, is_of_this_key
from control_plane.tables import AdminUser, Event

_TOLERATED_SKEW_SECONDS: Final = 3.0
_LATE: Final = timedelta(seconds=60)
_MAX_EVENTS: Final = 50  # events
_NEW_KEY: Final = f"Set `{SETTING}` to the output of `openssl rand -base64 48` and restart."


async def examine(installation: Installation, now: datetime) -> tuple[list[Finding], Sequence[Event]]:
    """Return the findings, and the events whose streams should be checked."""
    try:
        async with open_url(database_url(installation.environment)) as database, database.read() as db:
            findings = [ok("database", "Reachable, with the current schema."), *await _clock(database, db)]
            findings += [*await _owner(installation, db), await _secrets_key(installation, db)]
            if await to_thread.run_sync(health, installation):
                findings += await _edges(db, now)
            return findings, await _events(db, now)
    except OperatorError as problem:
        return [error("database", str(problem), "The service cannot start without it.")], []
    except SQLAlchemyError as problem:
        what = f"It cannot be read ({type(problem).__name__})."
        return [error("database", what, "Restore a backup, or look at the database's own log.")], []


async def _clock(database: Database, db: AsyncSession) -> list[Finding]:
    """Compare with the database server's clock: tokens and tickets are checked on several machines."""
    if database.is_sqlite:
        return []
    server_time = await db.scalar(text("SELECT clock_timestamp()"))
    skew = abs((utc_now() - server_time).total_seconds()) if server_time else 0.0
    if skew > _TOLERATED_SKEW_SECONDS:
        return [
            warning("clock", f"It differs from the database server's by {skew:.0f} s.", "Synchronise both with NTP.")
        ]
    return []


async def _owner(installation: Installation, db: AsyncSession) -> list[Finding]:
    may_sign_in = AdminUser.role == Role.OWNER.value, AdminUser.is_active
    if owners := await db.scalar(select(func.count()).select_from(AdminUser).where(*may_sign_in)):
        return [ok("accounts", f"Owners who can sign in: {owners}.")]
    if await db.scalar(select(func.count()).select_from(AdminUser)):
        return [
            error("accounts", "No owner can sign in.", "Restore a backup made before the last owner was deactivated.")
        ]
    if installation.environment.get("ADMIN_PASSWORD_HASH"):
        return [ok("accounts", "The first start creates the owner `admin`.")]
    return [warning("accounts", "There is no account yet.", "Start the service and follow the link that it prints.")]


async def _secrets_key(installation: Installation, db: AsyncSession) -> Finding:
    """Check that the key that opens the secrets in the database is configured."""
    keys = sealer(installation.environment)
    is_right_key = await is_of_this_key(db, keys)
    if is_right_key is False:
        what = "It does not open" if keys.has_key else "It is missing, and needed to open"
        fix = "Put that key back. If it is lost: `streamgate secrets reset`."
        return error(SETTING, f"{what} the secrets in the database.", fix)
    if keys.has_key:
        return ok(
            SETTING, "It opens the secrets in the database." if is_right_key else "Set; used from the next start."
        )
    if await holds_secrets(db):
        return error(SETTING, "It is missing, and the database contains unencrypted secrets.", _NEW_KEY)
    return warning(SETTING, "It is missing: nothing secret can be stored (authentication apps, webhooks).", _NEW_KEY)


async def _edges(db: AsyncSession, now: datetime) -> list[Finding]:
    known = await edges.known(db, Receipts(), now.timestamp())
    return [await _edge(db, state, now) for state in known]


async def _edge(db: AsyncSession, state: EdgeState, now: datetime) -> Finding:
    about, silent = f"edge {state.name}", now.timestamp() - state.heard_at
    if silent > LIVE_SECONDS:
        fix = "Start its sidecar; an edge that is gone is forgotten after 7 days."
        return warning(about, f"Not heard from for {timedelta(seconds=round(silent))}.", fix)
    if str(state.cursor).partition(".")[0] != (await revocation_feed.head(db)).partition(".")[0]:
        return warning(about, "It has not joined the feed's new epoch yet.", "Run the doctor again in a moment.")
    waiting_since = await revocation_feed.oldest_after(db, state.cursor)
    if waiting_since and now - waiting_since > _LATE:
        seconds = (now - waiting_since).total_seconds()
        return error(
            about, f"Revocations have been waiting {seconds:.0f} s to take effect there.", "Look at its sidecar's log."
        )
    return ok(about, f"Every revocation is in force there; last heard from {silent:.0f} s ago.")


async def _events(db: AsyncSession, now: datetime) -> Sequence[Event]:
    """Return the events that can be watched now or later, ordered by their start."""
    is_open = Event.is_active.is_(True), Event.is_archived.is_(False)
    found = await db.scalars(select(Event).where(*is_open).order_by(Event.ends_at.desc()).limit(10 * _MAX_EVENTS))
    watchable = [event for event in found if ticket_expiry(event) > now]
    return sorted(watchable, key=lambda event: event.starts_at)[:_MAX_EVENTS]
