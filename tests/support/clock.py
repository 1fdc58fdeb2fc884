"""A clock for what takes its time from one that it is given."""

from datetime import datetime, timedelta

from control_plane.clock import utc_now


class Clock:
    """Goes on by itself until it is stopped, and is set forward where something is to be waited for."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stopped_at or utc_now()) + self._ahead

    def stop(self) -> None:
        self._stopped_at = utc_now()

    def forward(self, **how_far: float) -> None:
        self._ahead += timedelta(**how_far)
