"""The difference between a sidecar's clock and the control plane's, from the Date of answers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from authz_sidecar.clock_check import ClockCheck

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


def seen(seconds: float) -> str:
    """Return the Date of a control plane that this clock is ahead of by so many seconds."""
    return format_datetime(NOON - timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(("ahead", "is_off"), [(0, False), (4, False), (30, True), (-30, True), (7200, True)])
def test_it_reports_the_difference_and_whether_it_exceeds_the_tolerance(ahead: float, *, is_off: bool) -> None:
    check = ClockCheck(NOON.timestamp)
    check.note(seen(ahead))
    assert check.seconds == pytest.approx(ahead, abs=0.6)
    assert check.is_off is is_off


def test_a_difference_and_its_end_are_logged_once() -> None:
    check = ClockCheck(NOON.timestamp)
    with capture_logs() as logs:
        for ahead in (0, -20, -20, -21, 0, 0):
            check.note(seen(ahead))
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("clock_differs", "warning"),
        ("clock_agrees", "info"),
    ]


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Jan 2027 12:00:00 GMT", "9" * 5000, "\ud800"])
def test_an_invalid_date_is_ignored(date: str | None) -> None:
    check = ClockCheck(NOON.timestamp)
    check.note(date)
    assert check.seconds is None


@pytest.mark.parametrize("ahead", [0, 30, 7200])
def test_a_delayed_answer_is_ignored(ahead: int) -> None:
    check = ClockCheck(NOON.timestamp)
    check.note(seen(ahead), NOON.timestamp() - 30)
    assert check.seconds is None
    check.note(seen(ahead), NOON.timestamp() - 1)
    assert check.seconds == pytest.approx(ahead, abs=0.6)
