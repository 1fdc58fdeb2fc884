"""When a webhook that did not take a message is tried again. Every pause is a little different from the planned one."""

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

# Between the attempts: eight of them in a day and a half, then it is given up.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
_SHORTEST_REST: Final = timedelta(seconds=5)
_LONGEST_REST: Final = timedelta(seconds=60)
_JITTER: Final = 0.2
_dice = SystemRandom()


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """Say when to try a message again after so many attempts; None: never."""
    return now + _about(PAUSES[attempts - 1]) if attempts <= len(PAUSES) else None


def rest_until(failures: int, now: datetime) -> datetime:
    """Say when to send a webhook anything again after so many failures in a row: five seconds, ten, ... a minute.

    A receiver that is down is so asked once a minute, however much waits for it, and a message that it can never
    take holds the others up for no longer than that.
    """
    if not failures:
        return now
    doubled = _SHORTEST_REST * 2 ** min(failures - 1, 10)
    return now + _about(min(doubled, _LONGEST_REST))


def _about(pause: timedelta) -> timedelta:
    return pause * _dice.uniform(1 - _JITTER, 1 + _JITTER)
