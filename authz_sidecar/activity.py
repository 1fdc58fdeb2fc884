"""Who is really watching: notes each session with an allowed request, and tells the control plane every ten seconds.

It must never delay or fail an authorization: noting is a dictionary store, hashing and sending are the reporter's.
While the control plane is away, what was noted is kept, within bounds, and goes with the next report.
"""

import hmac
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, Protocol

import anyio
import structlog
from anyio.lowlevel import checkpoint

from authz_sidecar.link import ReportRefused

REPORT_EVERY_SECONDS: Final = 10
MAX_SESSIONS: Final = 50_000
MAX_CLIENTS: Final = 8  # of one session; more would say nothing new: it is shared
_MAX_AGENT_BYTES: Final = 200
_SESSIONS_A_REPORT: Final = 1000
_SESSIONS_A_BREATH: Final = 50
_CLIENT_DIGITS: Final = 16

Client = tuple[bytes, bytes]  # address, user agent
Seen = dict[str, dict[Client, float]]
Columns = dict[str, list[Any]]  # of a report: what it says of each session, in lists of the same length

log = structlog.get_logger()


class Activity:
    """The sessions with an allowed request since the last report."""

    def __init__(self) -> None:
        self._seen: Seen = {}

    def note(self, sid: str, address: bytes, agent: bytes, now: float) -> None:
        clients = self._seen.get(sid)
        if clients is None:
            if len(self._seen) >= MAX_SESSIONS:
                return
            clients = self._seen[sid] = {}
        client = address, agent[:_MAX_AGENT_BYTES]
        if client in clients or len(clients) < MAX_CLIENTS:
            clients[client] = now

    def take(self) -> Seen:
        seen, self._seen = self._seen, {}
        return seen


class Reports(Protocol):
    """The control plane's side of the reports."""

    async def report(self, columns: Columns) -> None:
        """Raise ReportRefused, httpx2.HTTPError or OSError."""


class Reporter:
    """Sends what was noted. `key` keys the hashes of clients, so that they mean nothing to who reads them."""

    def __init__(self, activity: Activity, reports: Reports, key: bytes) -> None:
        self._activity = activity
        self._reports = reports
        self._key = key
        self._pending: dict[str, tuple[float, frozenset[str]]] = {}  # the one seen last stands last
        self._is_heard = True

    def __len__(self) -> int:
        """Count the sessions that are still to be reported."""
        return len(self._pending)

    async def run(self) -> None:
        """Report for ever; whatever goes wrong is logged and survived."""
        while True:
            await anyio.sleep(REPORT_EVERY_SECONDS)
            try:
                await self.report_once()
            except Exception as error:  # noqa: BLE001 - an authorization never fails because of a report
                self._note_failure(error)

    async def report_once(self) -> None:
        """Report what is known, a part at a time. Raise httpx2.HTTPError or OSError with the rest kept."""
        await self._merge(self._activity.take())
        while part := dict(islice(self._pending.items(), _SESSIONS_A_REPORT)):
            try:
                await self._reports.report(_columns(part))
            except ReportRefused as error:
                log.error("activity_refused", sessions=len(part), error=str(error))
            for sid in part:
                del self._pending[sid]
        if not self._is_heard:
            log.info("activity_reported_again")
        self._is_heard = True

    async def _merge(self, seen: Seen) -> None:
        for number, (sid, clients) in enumerate(seen.items()):
            _, before = self._pending.pop(sid, (0.0, frozenset[str]()))
            names = before.union(map(self._name, clients))
            self._pending[sid] = max(clients.values()), frozenset(islice(names, MAX_CLIENTS))
            if len(self._pending) > MAX_SESSIONS:
                del self._pending[next(iter(self._pending))]
            if number % _SESSIONS_A_BREATH == 0:
                await checkpoint()

    def _name(self, client: Client) -> str:
        return hmac.digest(self._key, b"\n".join(client), "sha256").hex()[:_CLIENT_DIGITS]

    def _note_failure(self, error: Exception) -> None:
        if self._is_heard:
            log.warning("activity_not_reported", error=f"{type(error).__name__}: {error}")
        self._is_heard = False


def _columns(part: Mapping[str, tuple[float, Iterable[str]]]) -> Columns:
    """Say when each session was last seen, in seconds since 1970, and by which clients it is used."""
    return {
        "sids": list(part),
        "lastSeen": [round(seen, 3) for seen, _ in part.values()],
        "clients": [sorted(clients) for _, clients in part.values()],
    }
