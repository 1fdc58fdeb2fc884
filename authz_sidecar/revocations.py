"""The revocations in force, in memory: each check is one lookup, however many entries there are.

A million entries have to fit beside a second million while a snapshot is read, so an entry is one dictionary slot:
entries with equal threshold and lifetime share one `RefusedBefore`. An entry that a live token could match is never
dropped.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.contract.playback_token import LATEST_TIME, LEEWAY_SECONDS

EVERY_TOKEN: Final = LATEST_TIME + 1  # later than any `iat`
_FORGET_MARGIN_SECONDS: Final = 60
_LIFETIME_GRAIN_SECONDS: Final = 60  # lifetimes are rounded up to multiples of it, so that many entries share one


class RefusedBefore(NamedTuple):
    """Refuse tokens issued before `before`; no live token matches after `forget_at`. Times are seconds since 1970.

    An event is held until `until`, except for tokens that pass closed doors.
    """

    before: int
    forget_at: int
    until: int = 0


class Subjects:
    """The refusals for one kind of subject.

    Nearly all lookups are for subjects without an entry. A set answers those with one memory access, where a dictionary
    of strings needs four: with a million entries none of them is in the processor's cache.
    """

    __slots__ = ("_by_id", "_ids")

    def __init__(self) -> None:
        self._by_id: dict[str, RefusedBefore] = {}
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def refuses(self, subject: str, issued_at: int) -> bool:
        return subject in self._ids and issued_at < self._by_id[subject].before

    def holds(self, subject: str, now: float) -> bool:
        return subject in self._ids and now < self._by_id[subject].until

    def get(self, subject: str) -> RefusedBefore | None:
        return self._by_id.get(subject)

    def put(self, subject: str, refusal: RefusedBefore) -> None:
        self._by_id[subject] = refusal
        self._ids.add(subject)

    def forget(self, subject: str) -> None:
        self._ids.discard(subject)
        self._by_id.pop(subject, None)


class Revocations:
    """For each subject the time before which a token must have been issued to be refused.

    A revocation in force refuses every token; a lifted one refuses those issued before its `not_before`. A held event
    also refuses those, and holds everyone else until its time.
    """

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self.events, self.codes, self.sessions = Subjects(), Subjects(), Subjects()
        self.by_kind: Mapping[Kind, Subjects] = {
            Kind.EVENT: self.events,
            Kind.CODE: self.codes,
            Kind.SESSION: self.sessions,
        }
        self._shared: dict[tuple[int, int, int], RefusedBefore] = {}
        # If the clock is set back before this time, tokens that a dropped entry refused may be live again.
        self.complete_from = 0.0
        self.apply(changes)

    def __len__(self) -> int:
        return sum(map(len, self.by_kind.values()))

    def apply(self, changes: Iterable[Change]) -> None:
        """Put changes in force, in order: the last change of a subject wins."""
        for kind, subject, revoked, not_before, _, expires_at, until in changes:
            held_until = math.ceil(until) if revoked and until is not None and kind is Kind.EVENT else 0
            before = EVERY_TOKEN if revoked and not held_until else not_before or 0
            self.put(kind, subject, before, math.ceil(expires_at) + _FORGET_MARGIN_SECONDS, held_until)

    def put(self, kind: Kind, subject: str, before: int, forget_at: int, until: int = 0) -> None:
        key = before, -(-forget_at // _LIFETIME_GRAIN_SECONDS) * _LIFETIME_GRAIN_SECONDS, until
        self.by_kind[kind].put(subject, self._shared.get(key) or self._shared.setdefault(key, RefusedBefore(*key)))

    def forget_expired(self, now: float) -> Iterator[int]:
        """Drop entries that no live token can match any more. Yield the number dropped after each slice."""
        expired = {refusal for refusal in self._shared.values() if refusal.forget_at < now}
        if not expired:
            return
        latest = max(refusal.forget_at for refusal in expired)
        self.complete_from = max(self.complete_from, latest - _FORGET_MARGIN_SECONDS + LEEWAY_SECONDS)
        for kind, entries in self.slices():
            subjects = self.by_kind[kind]
            gone = [subject for subject in entries if subjects.get(subject) in expired]
            for subject in gone:
                subjects.forget(subject)
            yield len(gone)
        for refusal in expired:
            self._shared.pop(refusal, None)

    def slices(self, size: int = 1000) -> Iterator[tuple[Kind, dict[str, RefusedBefore]]]:
        """Yield all entries in slices. Entries may be added and removed meanwhile, also by another thread."""
        for kind, subjects in self.by_kind.items():
            ids = iter(list(subjects))
            while some := list(islice(ids, size)):
                found = ((subject, subjects.get(subject)) for subject in some)
                yield kind, {subject: refusal for subject, refusal in found if refusal is not None}
