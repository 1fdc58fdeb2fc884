"""Clients of sessions: merged over all edges and removed after some minutes."""

from datetime import UTC, datetime, timedelta

from control_plane.sessions.activity import CLIENTS_REMEMBERED_SECONDS, Clients
from control_plane.sessions.reports import ActivityReport
from tests.support.data.forging import NOW

AT = datetime.fromtimestamp(NOW, UTC)


def seen(*clients_of: tuple[str, ...], at: datetime = AT) -> ActivityReport:
    """Return reported sessions, each with its clients."""
    return ActivityReport(
        [sid for sid, *_ in clients_of], [at.timestamp()] * len(clients_of), [list(c) for _, *c in clients_of]
    )


def test_clients_of_a_session_are_counted_over_all_reports_and_each_once() -> None:
    clients = Clients()
    clients.note(seen(("s1", "a"), ("s2", "a")), AT)
    clients.note(seen(("s1", "a", "b"), ("s3",)), AT)
    assert clients.of(["s1", "s2", "s3", "s4"], AT) == {"s1": 2, "s2": 1, "s3": 0, "s4": 0}


def test_a_client_that_was_not_seen_for_minutes_is_not_counted() -> None:
    clients, later = Clients(), AT + timedelta(seconds=CLIENTS_REMEMBERED_SECONDS + 1)
    clients.note(seen(("s1", "a", "b")), AT)
    clients.note(seen(("s1", "b"), at=later), later)
    assert clients.of(["s1"], later) == {"s1": 1}


def test_a_clock_that_runs_ahead_does_not_make_a_client_last_longer() -> None:
    clients = Clients()
    clients.note(seen(("s1", "a"), at=AT + timedelta(days=1)), AT)
    assert clients.of(["s1"], AT + timedelta(seconds=CLIENTS_REMEMBERED_SECONDS + 1)) == {"s1": 0}


def test_forgotten_clients_take_no_memory() -> None:
    clients, later = Clients(), AT + timedelta(seconds=2 * CLIENTS_REMEMBERED_SECONDS)
    clients.note(seen(*((f"s{number}", "a") for number in range(100))), AT)
    clients.note(seen(("s1", *(f"c{number}" for number in range(1_000))), at=later), later)
    assert list(clients._last_seen) == ["s1"]
    assert 1 < len(clients._last_seen["s1"]) <= 50
