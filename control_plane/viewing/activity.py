"""What sidecars report of who is really watching: signs of life of sessions, and by how many clients each is used.

A sign of life moves a session's last-seen forward, never past now, and never revives a session that has ended. A
report that makes no sense is refused whole.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, String, Table, any_, bindparam, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.refusals import MalformedRequest
from control_plane.schemas import parse_moment
from control_plane.storage.database import UtcDateTime
from control_plane.storage.models import ViewingSession

MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
CLIENTS_REMEMBERED_SECONDS: Final = 300
_MOST_CLIENTS: Final = 50  # a session: whether hundreds share it is no other news
NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of an edge, a sidecar, a session, a client


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """A session and when it was last allowed something; `clients` are hashes that mean nothing here."""

    sid: str
    last_seen: datetime
    clients: tuple[str, ...]


class Clients:
    """Which clients used a session in the last minutes, merged over all edges. In memory: it is news, not record."""

    def __init__(self) -> None:
        self._last_seen: dict[str, dict[str, float]] = {}
        self._cleared_at = 0.0

    def note(self, signs: Iterable[SignOfLife], now: datetime) -> None:
        seconds = now.timestamp()
        for sign in signs:
            clients = self._last_seen.setdefault(sign.sid, {}) if sign.clients else {}
            for client in sign.clients:
                if client in clients or len(clients) < _MOST_CLIENTS:
                    clients[client] = min(seconds, max(sign.last_seen.timestamp(), clients.get(client, 0)))
        if seconds - self._cleared_at > CLIENTS_REMEMBERED_SECONDS:
            self._forget(seconds)

    def of(self, sids: Iterable[str], now: datetime) -> dict[str, int]:
        """Count the clients of each session; more than one means that it is shared."""
        since = now.timestamp() - CLIENTS_REMEMBERED_SECONDS
        return {sid: sum(seen >= since for seen in self._last_seen.get(sid, {}).values()) for sid in sids}

    def _forget(self, seconds: float) -> None:
        since, self._cleared_at = seconds - CLIENTS_REMEMBERED_SECONDS, seconds
        recent = {
            sid: {client: seen for client, seen in clients.items() if seen >= since}
            for sid, clients in self._last_seen.items()
        }
        self._last_seen = {sid: clients for sid, clients in recent.items() if clients}


def parse_report(body: bytes) -> list[SignOfLife]:
    """Read a report. Raise MalformedRequest with what is wrong in it, and where. Members it does not know are none."""
    try:
        report = parse_object(body)
    except JsonRefused:
        raise MalformedRequest("The report is not a JSON object.") from None
    for name in ("edge", "instance"):
        _name(report.get(name), name)
    sessions = report.get("sessions")
    if not isinstance(sessions, list):
        raise MalformedRequest("sessions is a list.")
    return [_sign(item, f"sessions[{place}]") for place, item in enumerate(sessions)]


async def note(db: AsyncSession, signs: Iterable[SignOfLife], now: datetime) -> None:
    """Move last-seen times forward, all in one statement; sessions that are over or unknown are passed over."""
    latest: dict[str, datetime] = {}
    for sign in signs:
        latest[sign.sid] = max(sign.last_seen, latest.get(sign.sid, sign.last_seen))
    if db.get_bind().dialect.name == "postgresql":
        latest = {sid: latest[sid] for sid in await _lock(db, list(latest))}
    rows = [{"of": sid, "seen": min(seen, now)} for sid, seen in latest.items()]
    if rows:
        await (await db.connection()).execute(_MOVE_FORWARD, rows)


async def _lock(db: AsyncSession, sids: Sequence[str]) -> Sequence[str]:
    """Lock the live ones of these sessions, in the database's own order as everybody does, and return them."""
    wanted = ViewingSession.sid == any_(literal(sids, ARRAY(String)))
    query = select(ViewingSession.sid).where(wanted, ViewingSession.ended_at.is_(None))
    return (await db.scalars(query.order_by(ViewingSession.sid).with_for_update())).all()


def _make_statement() -> Any:
    table, seen = ViewingSession.__table__, bindparam("seen", type_=UtcDateTime())
    assert isinstance(table, Table)  # noqa: S101 - a mapped class has one
    where = table.c.sid == bindparam("of"), table.c.ended_at.is_(None), table.c.last_seen_at < seen
    return update(table).where(*where).values(last_seen_at=seen)


_MOVE_FORWARD: Final = _make_statement()


def _sign(item: Any, place: str) -> SignOfLife:
    if not isinstance(item, dict):
        raise MalformedRequest(f"{place} is no object.")
    clients = item.get("clients", [])
    if not isinstance(clients, list):
        raise MalformedRequest(f"{place}.clients is a list.")
    names = tuple(_name(client, f"{place}.clients") for client in clients)
    return SignOfLife(_name(item.get("sid"), f"{place}.sid"), _moment(item.get("lastSeen"), place), names)


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise MalformedRequest(f"{place} is a text that matches {NAME.pattern}.")
    return value


def _moment(value: Any, place: str) -> datetime:
    try:
        return parse_moment(value)
    except (TypeError, ValueError):
        raise MalformedRequest(f"{place}.lastSeen is an ISO 8601 time with its zone.") from None
