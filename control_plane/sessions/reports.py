"""Parse a sidecar's report of which sessions had an allowed request. An invalid report is rejected as a whole.

Its sessions are columns: `sids`, `lastSeen` in seconds since 1970, and `clients`, one list per session. An older
sidecar sends one row per session, `sessions`, with times in ISO 8601; parsing these takes twice as long.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.clock import check_seconds, parse_seconds
from control_plane.errors import MalformedRequest

MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of an edge, a sidecar, a session or a client
_NOT_A_NAME: Final = f" must match {NAME.pattern}."
_NO_CLIENTS: Final[list[str]] = []
_NAMES: Final = re.compile(rf"(?:{NAME.pattern}\n)*")
_NOT_A_NUMBER: Final = " must be a number of seconds since 1970."
_NOT_A_TIME: Final = " must be an ISO 8601 time with a time zone."
_INVALID: Final = (TypeError, ValueError)


class ActivityReport(NamedTuple):
    """What a report says about each session: its id, its last allowed request, and the clients that used it.

    Three columns of equal length. Times are seconds since 1970; clients are hashes.
    """

    sids: list[str]
    times: list[float]
    clients: list[list[str]]


def parse_report(body: bytes) -> ActivityReport:
    """Parse a report. Raise MalformedRequest with what is wrong in it, and where. Unknown members are ignored."""
    try:
        report = parse_object(body)
    except JsonRefused:
        raise MalformedRequest("The report is not a JSON object.") from None
    for member in ("edge", "instance"):
        if not _is_name(report.get(member)):
            raise MalformedRequest(member + _NOT_A_NAME)
    return _from_rows(report["sessions"]) if "sessions" in report else _from_columns(report)


def _from_columns(report: dict[str, Any]) -> ActivityReport:
    sids, times, clients = [report.get(name) for name in ("sids", "lastSeen", "clients")]
    if not (isinstance(sids, list) and isinstance(times, list) and isinstance(clients, list)):
        raise MalformedRequest("sids, lastSeen and clients must be lists.")
    if len({len(column) for column in (sids, times, clients)}) > 1:
        raise MalformedRequest("sids, lastSeen and clients must have the same length.")
    try:
        _check_names(sids, clients)
        check_seconds(times)
    except _INVALID:
        index, member, problem = _first_error(zip(sids, times, clients, strict=True), _is_number, _NOT_A_NUMBER)
        raise MalformedRequest(f"{'sids' if member == 'sid' else member}[{index}]{problem}") from None
    return ActivityReport(sids, times, clients)


def _from_rows(rows: Any) -> ActivityReport:
    if not isinstance(rows, list):
        raise MalformedRequest("sessions must be a list.")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise MalformedRequest(f"sessions[{index}] is not an object.")
    sids, times = ([row.get(name) for row in rows] for name in ("sid", "lastSeen"))
    clients = [row.get("clients", _NO_CLIENTS) for row in rows]
    try:
        _check_names(sids, clients)
        return ActivityReport(sids, parse_seconds(times), clients)
    except _INVALID:
        index, member, problem = _first_error(zip(sids, times, clients, strict=True), _is_iso_time, _NOT_A_TIME)
        raise MalformedRequest(f"sessions[{index}].{member}{problem}") from None


def _check_names(sids: Sequence[Any], clients: Sequence[Any]) -> None:
    """Raise TypeError or ValueError if anything is invalid. The exact error is located only in that case."""
    if {type(each) for each in clients} - {list}:
        raise TypeError
    names = [*chain(sids, *clients), ""]
    joined = "\n".join(names)
    if joined.count("\n") != len(names) - 1 or not _NAMES.fullmatch(joined):
        raise ValueError


def _first_error(
    sessions: Iterable[tuple[Any, Any, Any]], is_time: Callable[[Any], bool], not_a_time: str
) -> tuple[int, str, str]:
    """Return the index of the first invalid session, the member, and what is wrong with it."""
    for index, (sid, at, clients) in enumerate(sessions):
        if not isinstance(clients, list):
            return index, "clients", " must be a list."
        if not all(map(_is_name, clients)):
            return index, "clients", _NOT_A_NAME
        if not _is_name(sid):
            return index, "sid", _NOT_A_NAME
        if not is_time(at):
            return index, "lastSeen", not_a_time
    raise MalformedRequest("The report is invalid.")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return _is_valid(check_seconds, value)


def _is_iso_time(value: Any) -> bool:
    return _is_valid(parse_seconds, value)


def _is_valid(check: Callable[[list[Any]], object], value: Any) -> bool:
    try:
        check([value])
    except _INVALID:
        return False
    return True
