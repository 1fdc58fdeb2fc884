"""Wait for conditions by polling with a deadline, never with a bare sleep."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# For pushed changes: polling alone would take up to 30 s. `make bench` measures the real delay.
PUSHED_WITHIN = 10.0
# Of processor time. Quadratic code takes minutes with the input of the tests that use this.
HANGS_AFTER_SECONDS = 10.0
_MOST_BETWEEN = 0.25  # seconds; many tests wait at the same time, and polling competes with the code they wait for
_SLOWER = 1.2
_never = threading.Event()


def eventually(
    look: Callable[[], T], within: float = 20.0, every: float = 0.02, what: str | Callable[[], str] = ""
) -> T:
    """Return the first truthy result of `look`; fail with its last result after `within` seconds.

    The first interval is `every` seconds, and it grows. If `what` is a function, it is called only on failure, to show
    what a process has printed until then.
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
