"""What sidecars report of who is really watching: signs of life of sessions, and by how many clients each is used.

A sign of life moves a session's last-seen forward, never past now, and never revives a session that has ended. A
report that makes no sense is refused whole.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.refusals import MalformedRequest
from control_plane.schemas import parse_moment
from control_plane.storage.direct import sqlite_time

MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
CLIENTS_REMEMBERED_SECONDS: Final = 300
_MOST_CLIENTS: Final = 50  # a session: whether hundreds share it is no other news
NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of an edge, a sidecar, a session, a client


class SignOfLife(NamedTuple):
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
    sessions = report.get("sessions")
    if not isinstance(sessions, list):
        raise MalformedRequest("sessions is a list.")
    try:
        _name(report.get("edge"), "edge")
        _name(report.get("instance"), "instance")
        return _signs(sessions)
    except ValueError as error:
        raise MalformedRequest(str(error)) from None


def _signs(items: Sequence[Any]) -> list[SignOfLife]:
    """Raise ValueError with what is wrong. Where it is, is put into words only then: a report is long."""
    signs: list[SignOfLife] = []
    try:
        for item in items:
            signs.append(_sign(item))  # noqa: PERF401 - how many there are is the place
    except ValueError as error:
        raise ValueError(f"sessions[{len(signs)}]{error}") from None
    return signs


async def note(db: AsyncSession, signs: Iterable[SignOfLife], now: datetime) -> None:
    """Move last-seen times forward, all in one statement; sessions that are over or unknown are passed over."""
    latest: dict[str, datetime] = {}
    for sign in signs:
        latest[sign.sid] = max(sign.last_seen, latest.get(sign.sid, sign.last_seen))
    if latest:
        seen = {sid: sqlite_time(min(moment, now)) for sid, moment in latest.items()}
        move_forward = _ON_POSTGRESQL if db.get_bind().dialect.name == "postgresql" else _ON_SQLITE
        await db.execute(move_forward, {"seen": json.dumps(seen)})


# Rows are held first, in the order in which everybody holds them.
_ON_POSTGRESQL: Final = text("""
    WITH held AS MATERIALIZED (
        SELECT session.sid, seen.at
        FROM (
            SELECT key AS sid, CAST(value AS timestamp) AT TIME ZONE 'UTC' AS at
            FROM json_each_text(CAST(:seen AS json))
        ) AS seen
        JOIN viewing_session AS session ON session.sid = seen.sid
        WHERE session.ended_at IS NULL AND session.last_seen_at < seen.at
        ORDER BY session.sid FOR NO KEY UPDATE OF session
    )
    UPDATE viewing_session AS session SET last_seen_at = held.at FROM held WHERE session.sid = held.sid
""")
_ON_SQLITE: Final = text("""
    UPDATE viewing_session SET last_seen_at = seen.value FROM json_each(:seen) AS seen
    WHERE sid = seen.key AND ended_at IS NULL AND last_seen_at < seen.value
""")


def _sign(item: Any) -> SignOfLife:
    """Raise ValueError with what is wrong, to be read after the item's place."""
    if not isinstance(item, dict):
        raise ValueError(" is no object.")  # noqa: TRY004 - as all that is wrong with it
    clients = item.get("clients", [])
    if not isinstance(clients, list):
        raise ValueError(".clients is a list.")  # noqa: TRY004
    names = tuple([_name(client, ".clients") for client in clients])
    return SignOfLife(_name(item.get("sid"), ".sid"), _moment(item.get("lastSeen")), names)


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{place} is a text that matches {NAME.pattern}.")
    return value


def _moment(value: Any) -> datetime:
    try:
        return parse_moment(value)
    except (TypeError, ValueError):
        raise ValueError(".lastSeen is an ISO 8601 time with its zone.") from None
