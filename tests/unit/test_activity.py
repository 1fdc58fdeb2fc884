"""Reports of activity: read whole or refused whole; clients are merged over all edges and forgotten after minutes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.refusals import MalformedRequest
from control_plane.viewing.activity import CLIENTS_REMEMBERED_SECONDS, Clients, Signs, parse_report
from tests.support.forging import NOW, SID

AT = datetime.fromtimestamp(NOW, UTC)
SESSION: dict[str, Any] = {"sid": SID, "lastSeen": "2027-01-15T08:00:00Z", "clients": ["c1", "c2"]}
REPORT: dict[str, Any] = {"edge": "north", "instance": "a1", "sessions": [SESSION]}


def encoded(**changes: Any) -> bytes:
    return json.dumps(REPORT | changes).encode()


def seen(*clients_of: tuple[str, ...], at: datetime = AT) -> Signs:
    """Make signs of life of sessions, each with its clients."""
    return Signs([sid for sid, *_ in clients_of], [at.timestamp()] * len(clients_of), [list(c) for _, *c in clients_of])


def test_a_report_is_read() -> None:
    assert parse_report(encoded()) == Signs([SID], [NOW], [["c1", "c2"]])


def test_members_that_are_not_known_are_passed_over_and_clients_may_be_missing() -> None:
    session = {"sid": SID, "lastSeen": "2027-01-15T09:00:00+01:00", "new": {}}
    assert parse_report(encoded(sessions=[session], also=1)) == Signs([SID], [NOW], [[]])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"[]", "JSON"),
        (b'{"edge":"a","edge":"b"}', "JSON"),
        (encoded(edge=None), "edge"),
        (encoded(edge="a b"), "edge"),
        (encoded(edge="a\n"), "edge"),
        (encoded(instance=""), "instance"),
        (encoded(instance="x" * 65), "instance"),
        (encoded(sessions={}), "sessions"),
        (encoded(sessions=None), "sessions"),
        (encoded(sessions=[SESSION, "sid"]), "sessions[1]"),
        (encoded(sessions=[SESSION | {"sid": None}]), "sessions[0].sid"),
        (encoded(sessions=[SESSION | {"sid": "\0"}]), "sessions[0].sid"),
        (encoded(sessions=[SESSION | {"sid": "a\nb"}]), "sessions[0].sid"),
        (encoded(sessions=[SESSION, SESSION | {"sid": ""}]), "sessions[1].sid"),
        (encoded(sessions=[SESSION | {"sid": "x" * 65}]), "sessions[0].sid"),
        (encoded(sessions=[SESSION, {"sid": SID}]), "sessions[1].lastSeen"),
        (encoded(sessions=[SESSION | {"lastSeen": "0001-01-01T00:00:00"}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"lastSeen": "9000-01-01T00:00:01Z"}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"clients": ["c1", "c2\n"]}]), "sessions[0].clients"),
        (encoded(sessions=[SESSION | {"clients": ["c1\nc2", ""]}]), "sessions[0].clients"),
        (encoded(sessions=[SESSION | {"clients": {}}]), "sessions[0].clients"),
        (encoded(sessions=[SESSION | {"lastSeen": 1_800_000_000}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"lastSeen": "2027-01-15T08:00:00"}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"lastSeen": "1969-01-01T00:00:00Z"}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"lastSeen": "soon"}]), "sessions[0].lastSeen"),
        (encoded(sessions=[SESSION | {"clients": "c1"}]), "sessions[0].clients"),
        (encoded(sessions=[SESSION | {"clients": [1]}]), "sessions[0].clients"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_by_naming_the_place(body: bytes, named: str) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        parse_report(body)
    assert named in str(refusal.value)


def test_clients_of_a_session_are_counted_over_all_reports_and_each_once() -> None:
    clients = Clients()
    clients.note(seen(("s1", "a"), ("s2", "a")), AT)
    clients.note(seen(("s1", "a", "b"), ("s3",)), AT)
    assert clients.of(["s1", "s2", "s3", "s4"], AT) == {"s1": 2, "s2": 1, "s3": 0, "s4": 0}


def test_a_client_that_was_not_seen_for_minutes_does_not_count() -> None:
    clients, later = Clients(), AT + timedelta(seconds=CLIENTS_REMEMBERED_SECONDS + 1)
    clients.note(seen(("s1", "a", "b")), AT)
    clients.note(seen(("s1", "b"), at=later), later)
    assert clients.of(["s1"], later) == {"s1": 1}


def test_a_clock_that_runs_ahead_does_not_make_a_client_last_longer() -> None:
    clients = Clients()
    clients.note(seen(("s1", "a"), at=AT + timedelta(days=1)), AT)
    assert clients.of(["s1"], AT + timedelta(seconds=CLIENTS_REMEMBERED_SECONDS + 1)) == {"s1": 0}


def test_what_is_forgotten_takes_no_room() -> None:
    clients, later = Clients(), AT + timedelta(seconds=2 * CLIENTS_REMEMBERED_SECONDS)
    clients.note(seen(*((f"s{number}", "a") for number in range(100))), AT)
    clients.note(seen(("s1", *(f"c{number}" for number in range(1_000))), at=later), later)
    assert list(clients._last_seen) == ["s1"]
    assert 1 < len(clients._last_seen["s1"]) <= 50
