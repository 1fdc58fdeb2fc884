"""What sidecars report of who is really watching: signs of life of sessions, and by how many clients each is used.

A report that makes no sense is refused whole. What signs of life do is in last_seen.py.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.refusals import MalformedRequest
from control_plane.schemas import parse_seconds
from control_plane.viewing import last_seen

MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
CLIENTS_REMEMBERED_SECONDS: Final = 300
_MOST_CLIENTS: Final = 50  # a session: whether hundreds share it is no other news
NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of an edge, a sidecar, a session, a client
_NO_NAME: Final = f" is a text that matches {NAME.pattern}."
_NOBODY: Final[list[str]] = []
_NAMES: Final = re.compile(rf"(?:{NAME.pattern}\n)*")


class Signs(NamedTuple):
    """What a report says of each session: its id, when it was last allowed something, and the clients that used it.

    Three columns of the same length, since rows take twice the time. Times are seconds since 1970; clients are hashes.
    """

    sids: list[str]
    times: list[float]
    clients: list[list[str]]


class Clients:
    """Which clients used a session in the last minutes, merged over all edges. In memory: it is news, not record."""

    def __init__(self) -> None:
        self._last_seen: dict[str, dict[str, float]] = {}
        self._cleared_at = 0.0

    def note(self, signs: Signs, now: datetime) -> None:
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


def parse_report(body: bytes) -> Signs:
    """Read a report. Raise MalformedRequest with what is wrong in it, and where. Members it does not know are none."""
    try:
        report = parse_object(body)
    except JsonRefused:
        raise MalformedRequest("The report is not a JSON object.") from None
    sessions = report.get("sessions")
    if not isinstance(sessions, list):
        raise MalformedRequest("sessions is a list.")
    for member in ("edge", "instance"):
        if not _is_name(report.get(member)):
            raise MalformedRequest(member + _NO_NAME)
    try:
        return _signs(sessions)
    except (TypeError, ValueError, LookupError):
        raise MalformedRequest(_first_wrong(sessions)) from None


def _signs(items: Sequence[Any]) -> Signs:
    """Raise an error of several kinds where something is wrong. What and where is sought only then."""
    sids = [item["sid"] for item in items]
    clients = [item.get("clients", _NOBODY) for item in items]
    if {type(each) for each in clients} - {list}:
        raise TypeError
    names = [*chain(sids, *clients), ""]
    together = "\n".join(names)
    if together.count("\n") != len(names) - 1 or not _NAMES.fullmatch(together):
        raise ValueError
    return Signs(sids, parse_seconds([item["lastSeen"] for item in items]), clients)


def _first_wrong(items: Sequence[Any]) -> str:
    said = (f"sessions[{place}]{wrong}" for place, item in enumerate(items) if (wrong := _what_is_wrong(item)))
    return next(said, "sessions make no sense.")


def _what_is_wrong(item: Any) -> str | None:
    if not isinstance(item, dict):
        return " is no object."
    clients = item.get("clients", _NOBODY)
    if not isinstance(clients, list):
        return ".clients is a list."
    if not all(map(_is_name, clients)):
        return ".clients" + _NO_NAME
    if not _is_name(item.get("sid")):
        return ".sid" + _NO_NAME
    try:
        parse_seconds([item["lastSeen"]])
    except (TypeError, ValueError, LookupError):
        return ".lastSeen is an ISO 8601 time with its zone."
    return None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


async def note(db: AsyncSession, signs: Signs, now: datetime) -> None:
    """Move last-seen times forward; of a session that is there twice the later sign counts."""
    latest = dict(zip(signs.sids, signs.times, strict=True))
    if len(latest) != len(signs.sids):
        for sid, at in zip(signs.sids, signs.times, strict=True):
            latest[sid] = max(at, latest[sid])
    if latest:
        await last_seen.move(db, latest, now)
