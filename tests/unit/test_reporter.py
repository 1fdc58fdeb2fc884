"""Activity reports: nothing is lost while the control plane is unreachable, and memory is bounded."""

import anyio
import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from authz_sidecar.activity import MAX_CLIENTS, MAX_SESSIONS, REPORT_EVERY_SECONDS, Activity, Reporter
from authz_sidecar.link import ReportRefused
from tests.support.data.forging import NOW, SID
from tests.support.services.feeds import GivenReports

pytestmark = pytest.mark.anyio
PHONE, LAPTOP = (b"192.0.2.1", b"a phone"), (b"192.0.2.1", b"a laptop")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def make(*failures: Exception) -> tuple[Activity, Reporter, GivenReports]:
    activity, given = Activity(), GivenReports(list(failures))
    return activity, Reporter(activity, given, b"a key"), given


async def test_a_session_is_reported_once_with_its_last_time_and_clients() -> None:
    activity, reporter, given = make()
    for client, seen in ((PHONE, NOW), (LAPTOP, NOW + 5), (PHONE, NOW + 3)):
        activity.note(SID, *client, seen)
    await reporter.report_once()
    (session,) = given.taken
    assert session["sids"] == SID
    assert session["lastSeen"] == NOW + 5
    assert len(session["clients"]) == 2
    await reporter.report_once()
    assert given.posts == 1


async def test_clients_are_sixteen_hex_digits_that_depend_on_the_key() -> None:
    clients = []
    for key in (b"a key", b"a key", b"another key"):
        activity, given = Activity(), GivenReports()
        activity.note(SID, *PHONE, NOW)
        await Reporter(activity, given, key).report_once()
        clients += given.taken[0]["clients"]
    assert clients[0] == clients[1] != clients[2]
    assert all(len(bytes.fromhex(client)) == 8 for client in clients)


async def test_nothing_is_lost_while_the_control_plane_is_unreachable() -> None:
    activity, reporter, given = make(OSError("away"), OSError("away"))
    for number, sid in enumerate(["first" * 4, "second" * 4, "first" * 4]):
        activity.note(sid, b"192.0.2.1", b"agent %d" % number, NOW + number)
        if given.failures:
            with pytest.raises(OSError, match="away"):
                await reporter.report_once()
    await reporter.report_once()
    seen = {session["sids"]: session for session in given.taken}
    assert seen["first" * 4]["lastSeen"] == NOW + 2
    assert [len(seen[sid * 4]["clients"]) for sid in ("first", "second")] == [2, 1]
    assert len(reporter) == 0


async def test_a_report_that_the_control_plane_rejects_is_not_sent_again() -> None:
    activity, reporter, given = make(ReportRefused("answered 422"))
    activity.note(SID, *PHONE, NOW)
    with capture_logs() as logs:
        await reporter.report_once()
    assert (given.posts, len(reporter)) == (1, 0)
    assert [entry["event"] for entry in logs] == ["activity_refused"]


async def test_many_sessions_go_in_several_reports_and_those_that_arrived_are_not_sent_again() -> None:
    activity, reporter, given = make()
    for number in range(2500):
        activity.note(f"session-{number:014d}", *PHONE, NOW)
    await reporter.report_once()
    assert given.posts == 3
    assert len({session["sids"] for session in given.taken}) == len(given.taken) == 2500


async def test_pending_sessions_are_bounded_and_the_most_recent_are_kept() -> None:
    activity, reporter, given = make(*[OSError("away")] * 2)
    for start in (0, MAX_SESSIONS):
        for number in range(start, start + MAX_SESSIONS + 100):
            activity.note(f"session-{number:014d}", *PHONE, NOW)
        with pytest.raises(OSError, match="away"):
            await reporter.report_once()
        assert len(reporter) == MAX_SESSIONS
    await reporter.report_once()
    assert min(session["sids"] for session in given.taken) == f"session-{MAX_SESSIONS:014d}"


async def test_one_session_with_many_clients_takes_no_memory_from_others() -> None:
    activity, reporter, given = make()
    for number in range(1000):
        activity.note(SID, b"192.0.2.1", b"%d" % number + b"x" * 8000, NOW)
    activity.note("another-session-0001", *PHONE, NOW)
    (clients, _) = activity._seen.values()
    assert len(clients) == MAX_CLIENTS
    assert max(len(agent) for _, agent in clients) <= 200
    await reporter.report_once()
    assert [len(session["clients"]) for session in given.taken] == [MAX_CLIENTS, 1]


async def test_it_reports_every_ten_seconds_despite_failures_and_logs_them_once() -> None:
    activity, reporter, given = make(OSError("away"), ZeroDivisionError("a bug"))
    activity.note(SID, *PHONE, NOW)
    with capture_logs() as logs, anyio.move_on_after(REPORT_EVERY_SECONDS * 3 + 1):
        await reporter.run()
    assert (given.posts, len(given.taken)) == (3, 1)
    assert [entry["event"] for entry in logs] == ["activity_not_reported", "activity_reported_again"]
