"""Which webhooks subscribe to which topics, cached for two seconds: without subscribers no query is needed.

The cache may be out of date by that much; code that writes for a webhook checks that it still exists.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import per_process

_CACHED_FOR: Final = timedelta(seconds=2)


class Interest:
    def __init__(self) -> None:
        self._by_topic: Mapping[str, Sequence[str]] = {}
        self._learned_at: datetime | None = None

    def of(self, topic: str, now: datetime) -> Sequence[str] | None:
        """Return the ids of the webhooks that subscribe to the topic; None if they have to be queried again."""
        if self._learned_at is None or not abs(now - self._learned_at) < _CACHED_FOR:
            return None
        return self._by_topic.get(topic, ())

    def learn(self, by_topic: Mapping[str, Sequence[str]], now: datetime) -> None:
        self._by_topic, self._learned_at = by_topic, now

    def forget(self) -> None:
        self._learned_at = None


def interest_of(db: AsyncSession) -> Interest:
    return per_process(db, Interest)
