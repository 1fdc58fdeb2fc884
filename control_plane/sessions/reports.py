"""Reading a sidecar's report of who was allowed something. One that makes no sense is refused whole.

Its sessions stand in columns: `sids`, `lastSeen` in seconds since 1970, and `clients`, one list a session. An older
sidecar writes a row for each, `sessions`, with times in ISO 8601; reading these takes twice as long.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.clock import check_seconds, parse_seconds
from control_plane.errors import MalformedRequest

MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of an edge, a sidecar, a session, a client
_NO_NAME: Final = f" is a text that matches {NAME.pattern}."
_NOBODY: Final[list[str]] = []
_NAMES: Final = re.compile(rf"(?:{NAME.pattern}\n)*")
_NO_NUMBER: Final = " is a number of seconds since 1970."
_NO_TIME: Final = " is an ISO 8601 time with its zone."
_NO_SENSE: Final = (TypeError, ValueError)


class ActivityReport(NamedTuple):
    """What a report says of each session: its id, when it was last allowed something, and the clients that used it.

    Three columns of the same length. Times are seconds since 1970; clients are hashes.
    """

    sids: list[str]
    times: list[float]
    clients: list[list[str]]


def parse_report(body: bytes) -> ActivityReport:
    """Read a report. Raise MalformedRequest with what is wrong in it, and where. Members it does not know are none."""
    try:
        report = parse_object(body)
    except JsonRefused:
        raise MalformedRequest("The report is not a JSON object.") from None
    for member in ("edge", "instance"):
        if not _is_name(report.get(member)):
            raise MalformedRequest(member + _NO_NAME)
    return _of_rows(report["sessions"]) if "sessions" in report else _of_columns(report)


def _of_columns(report: dict[str, Any]) -> ActivityReport:
    sids, times, clients = [report.get(name) for name in ("sids", "lastSeen", "clients")]
    if not (isinstance(sids, list) and isinstance(times, list) and isinstance(clients, list)):
        raise MalformedRequest("sids, lastSeen and clients are lists.")
    if len({len(column) for column in (sids, times, clients)}) > 1:
        raise MalformedRequest("sids, lastSeen and clients are of the same length.")
    try:
        _check_names(sids, clients)
        check_seconds(times)
    except _NO_SENSE:
        place, member, why = _first_wrong(zip(sids, times, clients, strict=True), _is_number, _NO_NUMBER)
        raise MalformedRequest(f"{'sids' if member == 'sid' else member}[{place}]{why}") from None
    return ActivityReport(sids, times, clients)


def _of_rows(rows: Any) -> ActivityReport:
    if not isinstance(rows, list):
        raise MalformedRequest("sessions is a list.")
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise MalformedRequest(f"sessions[{place}] is no object.")
    sids, times = ([row.get(name) for row in rows] for name in ("sid", "lastSeen"))
    clients = [row.get("clients", _NOBODY) for row in rows]
    try:
        _check_names(sids, clients)
        return ActivityReport(sids, parse_seconds(times), clients)
    except _NO_SENSE:
        place, member, why = _first_wrong(zip(sids, times, clients, strict=True), _is_iso_time, _NO_TIME)
        raise MalformedRequest(f"sessions[{place}].{member}{why}") from None


def _check_names(sids: Sequence[Any], clients: Sequence[Any]) -> None:
    """Raise TypeError or ValueError where something is wrong. What and where is sought only then."""
    if {type(each) for each in clients} - {list}:
        raise TypeError
    names = [*chain(sids, *clients), ""]
    together = "\n".join(names)
    if together.count("\n") != len(names) - 1 or not _NAMES.fullmatch(together):
        raise ValueError


def _first_wrong(
    sessions: Iterable[tuple[Any, Any, Any]], is_time: Callable[[Any], bool], no_time: str
) -> tuple[int, str, str]:
    """Give the place, the member there, and what is wrong with it."""
    for place, (sid, at, clients) in enumerate(sessions):
        if not isinstance(clients, list):
            return place, "clients", " is a list."
        if not all(map(_is_name, clients)):
            return place, "clients", _NO_NAME
        if not _is_name(sid):
            return place, "sid", _NO_NAME
        if not is_time(at):
            return place, "lastSeen", no_time
    raise MalformedRequest("The report makes no sense.")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return _makes_sense(check_seconds, value)


def _is_iso_time(value: Any) -> bool:
    return _makes_sense(parse_seconds, value)


def _makes_sense(check: Callable[[list[Any]], object], value: Any) -> bool:
    try:
        check([value])
    except _NO_SENSE:
        return False
    return True
