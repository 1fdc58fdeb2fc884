"""Activity reports: note each session with an allowed request, and report them to the control plane every 10 seconds.

This must never delay or fail an authorization: noting a session is one dictionary store; the reporter hashes and sends.
While the control plane is unreachable, a bounded number of sessions is kept and sent with the next report.
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
MAX_CLIENTS: Final = 8  # per session; this many already prove that it is shared
_MAX_AGENT_BYTES: Final = 200
_SESSIONS_PER_REPORT: Final = 1000
_SESSIONS_PER_CHECKPOINT: Final = 50
_CLIENT_DIGITS: Final = 16

Client = tuple[bytes, bytes]  # address, user agent
Seen = dict[str, dict[Client, float]]
Columns = dict[str, list[Any]]  # of a report: one list per field, all of the same length, one item per session

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
    """Send the noted sessions. `key` is the HMAC key for client hashes, which are meaningless without it."""

    def __init__(self, activity: Activity, reports: Reports, key: bytes) -> None:
        self._activity = activity
        self._reports = reports
        self._key = key
        self._pending: dict[str, tuple[float, frozenset[str]]] = {}  # most recently seen last
        self._is_reachable = True

    def __len__(self) -> int:
        """Return the number of sessions that have not been reported yet."""
        return len(self._pending)

    async def run(self) -> None:
        """Report until cancelled. Every failure is logged, and the loop continues."""
        while True:
            await anyio.sleep(REPORT_EVERY_SECONDS)
            try:
                await self.report_once()
            except Exception as error:  # noqa: BLE001 - an authorization never fails because of a report
                self._note_failure(error)

    async def report_once(self) -> None:
        """Send all pending sessions in batches. Raise httpx2.HTTPError or OSError; unsent batches are kept."""
        await self._merge(self._activity.take())
        while part := dict(islice(self._pending.items(), _SESSIONS_PER_REPORT)):
            try:
                await self._reports.report(_columns(part))
            except ReportRefused as error:
                log.error("activity_refused", sessions=len(part), error=str(error))
            for sid in part:
                del self._pending[sid]
        if not self._is_reachable:
            log.info("activity_reported_again")
        self._is_reachable = True

    async def _merge(self, seen: Seen) -> None:
        for number, (sid, clients) in enumerate(seen.items()):
            _, before = self._pending.pop(sid, (0.0, frozenset[str]()))
            names = before.union(map(self._client_hash, clients))
            self._pending[sid] = max(clients.values()), frozenset(islice(names, MAX_CLIENTS))
            if len(self._pending) > MAX_SESSIONS:
                del self._pending[next(iter(self._pending))]
            if number % _SESSIONS_PER_CHECKPOINT == 0:
                await checkpoint()

    def _client_hash(self, client: Client) -> str:
        return hmac.digest(self._key, b"\n".join(client), "sha256").hex()[:_CLIENT_DIGITS]

    def _note_failure(self, error: Exception) -> None:
        if self._is_reachable:
            log.warning("activity_not_reported", error=f"{type(error).__name__}: {error}")
        self._is_reachable = False


def _columns(part: Mapping[str, tuple[float, Iterable[str]]]) -> Columns:
    """Return the report's columns. `lastSeen` is in seconds since 1970; `clients` are hashes."""
    return {
        "sids": list(part),
        "lastSeen": [round(seen, 3) for seen, _ in part.values()],
        "clients": [sorted(clients) for _, clients in part.values()],
    }
