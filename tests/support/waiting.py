"""Waiting for something to become true: polling with a deadline, never a bare sleep."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# For what is pushed: polling alone would take up to 30 s. How fast it really is, `make bench` measures.
PUSHED_WITHIN = 10.0
_MOST_BETWEEN = 0.25  # seconds; many tests wait at the same time, and looking costs as much as what is waited for
_SLOWER = 1.2
_never = threading.Event()


def eventually(
    look: Callable[[], T], within: float = 20.0, every: float = 0.02, what: str | Callable[[], str] = ""
) -> T:
    """Return the first truthy result of `look`; fail with what was seen last after `within` seconds.

    It looks after `every` seconds, then less and less often. `what` is asked when it failed, if it is a function: to
    show what a process printed until then.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            what = what() if callable(what) else what
            raise AssertionError(f"{what or 'it'} did not happen within {within} s; seen last: {seen!r}")
        _never.wait(every)
        every = max(every, min(every * _SLOWER, _MOST_BETWEEN))


def stays(look: Callable[[], bool], during: float, every: float = 0.05, what: str = "") -> None:
    """Fail as soon as `look` is false within `during` seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert look(), f"{what or 'it'} did not stay so"
        _never.wait(every)
