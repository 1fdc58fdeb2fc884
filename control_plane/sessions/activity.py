"""Activity reported by sidecars: which sessions are really watching, and how many clients use each of them.

reports.py parses the reports; last_seen.py stores when sessions were last seen.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.sessions import last_seen
from control_plane.sessions.reports import ActivityReport

CLIENTS_REMEMBERED_SECONDS: Final = 300
_MAX_CLIENTS: Final = 50  # per session: beyond that the exact number does not matter


class Clients:
    """The clients that used each session in the last minutes, over all edges. In memory only: this is not a record."""

    def __init__(self) -> None:
        self._last_seen: dict[str, dict[str, float]] = {}
        self._cleared_at = 0.0

    def note(self, report: ActivityReport, now: datetime) -> None:
        seconds, known = now.timestamp(), self._last_seen
        for sid, at, names in zip(*report, strict=True):
            if not names:
                continue
            clients = known.get(sid)
            if clients is None:
                clients = known[sid] = {}
            seen = min(seconds, at)
            for client in names:
                before = clients.get(client)
                if len(clients) < _MAX_CLIENTS if before is None else before < seen:
                    clients[client] = seen
        if seconds - self._cleared_at > CLIENTS_REMEMBERED_SECONDS:
            self._remove_old(seconds)

    def of(self, sids: Iterable[str], now: datetime) -> dict[str, int]:
        """Return the number of clients of each session; more than one means that it is shared."""
        since = now.timestamp() - CLIENTS_REMEMBERED_SECONDS
        return {sid: sum(seen >= since for seen in self._last_seen.get(sid, {}).values()) for sid in sids}

    def _remove_old(self, seconds: float) -> None:
        since, self._cleared_at = seconds - CLIENTS_REMEMBERED_SECONDS, seconds
        recent = {
            sid: {client: seen for client, seen in clients.items() if seen >= since}
            for sid, clients in self._last_seen.items()
        }
        self._last_seen = {sid: clients for sid, clients in recent.items() if clients}


async def note(db: AsyncSession, report: ActivityReport, now: datetime) -> None:
    """Move last-seen times forward; if a session is reported twice, the later time counts."""
    latest = dict(zip(report.sids, report.times, strict=True))
    if len(latest) != len(report.sids):
        for sid, at in zip(report.sids, report.times, strict=True):
            latest[sid] = max(at, latest[sid])
    if latest:
        await last_seen.move(db, latest, now)
