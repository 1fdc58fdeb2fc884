"""The current time, and times parsed from text and checked as seconds."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

Clock = Callable[[], datetime]
# Ticket and token times are calculated from these; within this range no such sum overflows a datetime.
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_LATEST_SECONDS: Final = LATEST.timestamp()


def utc_now() -> datetime:
    return datetime.now(UTC)


def parse_moment(text: str) -> datetime:
    """Parse an ISO 8601 time with a time zone, from 1970 to 9000. Raise ValueError."""
    parse_seconds([text])
    return datetime.fromisoformat(text).astimezone(UTC)


def parse_seconds(texts: Sequence[str]) -> list[float]:
    """Parse several such times into seconds since 1970. Raise ValueError, or TypeError if one is not a string."""
    moments = [datetime.fromisoformat(text) for text in texts]
    if not all([moment.tzinfo for moment in moments]):  # noqa: C419 - a generator takes three times as long
        raise ValueError("a time without a time zone")
    seconds = [moment.timestamp() for moment in moments]
    check_seconds(seconds)
    return seconds


def check_seconds(seconds: Sequence[float]) -> None:
    """Raise TypeError unless all are numbers, and ValueError unless all are seconds between 1970 and 9000."""
    if {type(each) for each in seconds} - {int, float}:
        raise TypeError("not a number")
    if seconds and not 0 <= min(seconds) <= max(seconds) <= _LATEST_SECONDS:
        raise ValueError("a time out of range")
