"""The revocations in force, in memory: two dictionary look-ups answer for any number of them."""

from collections.abc import Iterable
from typing import Final

from authz_sidecar.contract.feed import Change, Kind

_EVERY_TOKEN: Final = 1 << 62
_FORGET_MARGIN_SECONDS: Final = 60


class Revocations:
    """For each subject the time before which a token must have been issued to be refused.

    A revocation in force refuses every token; a lifted one those issued before its `not_before`.
    """

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._by_kind: dict[Kind, dict[str, Change]] = {kind: {} for kind in Kind}
        self._refused_before: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}
        self.apply(changes)

    def __len__(self) -> int:
        return sum(len(subjects) for subjects in self._by_kind.values())

    def refuses(self, kind: Kind, subject: str, issued_at: int) -> bool:
        return issued_at < self._refused_before[kind].get(subject, 0)

    def apply(self, changes: Iterable[Change]) -> None:
        """Put changes in force, in their order: the last one about a subject wins."""
        for change in changes:
            self._by_kind[change.kind][change.id] = change
            threshold = _EVERY_TOKEN if change.revoked else change.not_before or 0
            self._refused_before[change.kind][change.id] = threshold

    def forget_expired(self, now: float) -> None:
        """Drop entries that no living token can meet any more."""
        for kind, subjects in self._by_kind.items():
            expired = [i for i, change in subjects.items() if change.expires_at + _FORGET_MARGIN_SECONDS < now]
            for subject in expired:
                del subjects[subject], self._refused_before[kind][subject]

    def changes(self) -> tuple[Change, ...]:
        """Return the whole state as changes, for the state file."""
        return tuple(change for subjects in self._by_kind.values() for change in subjects.values())
