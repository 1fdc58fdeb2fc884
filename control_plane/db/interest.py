"""Which webhooks want to hear of what, remembered for two seconds: where nobody does, telling costs no look.

What is remembered may be out of date by that much; whoever writes for a webhook asks whether it is still there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

INTEREST: Final = "interest"
_REMEMBERED: Final = timedelta(seconds=2)


class Interest:
    def __init__(self) -> None:
        self._by_topic: Mapping[str, Sequence[str]] = {}
        self._learnt_at: datetime | None = None

    def of(self, topic: str, now: datetime) -> Sequence[str] | None:
        """Return the ids of the webhooks that want the topic, None when that is to be looked up again."""
        if self._learnt_at is None or not abs(now - self._learnt_at) < _REMEMBERED:
            return None
        return self._by_topic.get(topic, ())

    def learn(self, by_topic: Mapping[str, Sequence[str]], now: datetime) -> None:
        self._by_topic, self._learnt_at = by_topic, now

    def forget(self) -> None:
        self._learnt_at = None
