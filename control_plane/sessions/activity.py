"""What sidecars tell of who is really watching: signs of life of sessions, and by how many clients each is used.

How a report is read is in reports.py, what signs of life do in last_seen.py.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.sessions import last_seen
from control_plane.sessions.reports import ActivityReport

CLIENTS_REMEMBERED_SECONDS: Final = 300
_MOST_CLIENTS: Final = 50  # a session: whether hundreds share it is no other news


class Clients:
    """Which clients used a session in the last minutes, merged over all edges. In memory: it is news, not record."""

    def __init__(self) -> None:
        self._last_seen: dict[str, dict[str, float]] = {}
        self._cleared_at = 0.0

    def note(self, signs: ActivityReport, now: datetime) -> None:
        seconds = now.timestamp()
        for sid, at, names in zip(*signs, strict=True):
            clients = self._last_seen.setdefault(sid, {}) if names else {}
            seen = min(at, seconds)
            for client in names:
                if clients.get(client, 0) < seen and (client in clients or len(clients) < _MOST_CLIENTS):
                    clients[client] = seen
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


async def note(db: AsyncSession, signs: ActivityReport, now: datetime) -> None:
    """Move last-seen times forward; of a session that is there twice the later sign counts."""
    latest = dict(zip(signs.sids, signs.times, strict=True))
    if len(latest) != len(signs.sids):
        for sid, at in zip(signs.sids, signs.times, strict=True):
            latest[sid] = max(at, latest[sid])
    if latest:
        await last_seen.move(db, latest, now)
