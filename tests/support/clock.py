"""A clock to inject into code under test."""

from datetime import datetime, timedelta

from control_plane.clock import utc_now


class Clock:
    """Run like the real clock until it is stopped; it can be moved forward instead of waiting."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stopped_at or utc_now()) + self._ahead

    def stop(self) -> None:
        self._stopped_at = utc_now()

    def forward(self, **how_far: float) -> None:
        self._ahead += timedelta(**how_far)
