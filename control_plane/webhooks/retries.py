"""When to try again after a webhook did not accept a message. Every pause is varied at random (jitter)."""

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

# Between the attempts: eight in a day and a half, then the message is given up.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
_SHORTEST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(seconds=60)
_JITTER: Final = 0.2
_random = SystemRandom()


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """Return when to try a message again after so many attempts; None means never."""
    return now + _with_jitter(PAUSES[attempts - 1]) if attempts <= len(PAUSES) else None


def rest_until(failures: int, now: datetime) -> datetime:
    """Return when to send a webhook anything again after consecutive failures: in five seconds, ten, ... a minute.

    So a receiver that is down gets one request a minute, however many messages wait for it, and a message that it can
    never accept delays the others no longer than that.
    """
    if not failures:
        return now
    doubled = _SHORTEST_PAUSE * 2 ** min(failures - 1, 10)
    return now + _with_jitter(min(doubled, _LONGEST_PAUSE))


def _with_jitter(pause: timedelta) -> timedelta:
    return pause * _random.uniform(1 - _JITTER, 1 + _JITTER)
