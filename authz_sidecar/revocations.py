"""The revocations in force, in memory: a look-up a question answers for any number of them.

A million entries have to fit beside a second million while a snapshot is read, so an entry is one dictionary slot:
all that share threshold and lifetime share one `Refusal`. It must never forget what a living token could meet.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.contract.playback_token import LATEST_TIME, LEEWAY_SECONDS

EVERY_TOKEN: Final = LATEST_TIME + 1  # later than any `iat`
_FORGET_MARGIN_SECONDS: Final = 60
_LIFETIME_GRAIN_SECONDS: Final = 60  # lifetimes are rounded up to it, so that many entries share one


class Refusal(NamedTuple):
    """Tokens issued before `before` are refused; nobody can meet this after `forget_at`. Seconds since 1970.

    An event is held until `until`, for all but those who pass closed doors.
    """

    before: int
    forget_at: int
    until: int = 0


class Subjects:
    """The refusals about one kind of subject.

    Nearly all questions are about subjects that are not here. A set tells that from one place in memory, where a
    dictionary of strings goes to four: among a million none of them is in the processor's cache.
    """

    __slots__ = ("_by_id", "_ids")

    def __init__(self) -> None:
        self._by_id: dict[str, Refusal] = {}
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def refuses(self, subject: str, issued_at: int) -> bool:
        return subject in self._ids and issued_at < self._by_id[subject].before

    def holds(self, subject: str, now: float) -> bool:
        return subject in self._ids and now < self._by_id[subject].until

    def get(self, subject: str) -> Refusal | None:
        return self._by_id.get(subject)

    def put(self, subject: str, refusal: Refusal) -> None:
        self._by_id[subject] = refusal
        self._ids.add(subject)

    def forget(self, subject: str) -> None:
        self._ids.discard(subject)
        self._by_id.pop(subject, None)


class Revocations:
    """For each subject the time before which a token must have been issued to be refused.

    A revocation in force refuses every token; a lifted one those issued before its `not_before`. So does an event that
    is held, beside holding everybody.
    """

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self.events, self.codes, self.sessions = Subjects(), Subjects(), Subjects()
        self.by_kind: Mapping[Kind, Subjects] = {
            Kind.EVENT: self.events,
            Kind.CODE: self.codes,
            Kind.SESSION: self.sessions,
        }
        self._shared: dict[tuple[int, int, int], Refusal] = {}
        # Before this time somebody could bear a token that something forgotten refused: the clock went back.
        self.complete_from = 0.0
        self.apply(changes)

    def __len__(self) -> int:
        return sum(map(len, self.by_kind.values()))

    def apply(self, changes: Iterable[Change]) -> None:
        """Put changes in force, in their order: the last one about a subject wins."""
        for kind, subject, revoked, not_before, _, expires_at, until in changes:
            held_until = math.ceil(until) if revoked and until is not None and kind is Kind.EVENT else 0
            before = EVERY_TOKEN if revoked and not held_until else not_before or 0
            self.put(kind, subject, before, math.ceil(expires_at) + _FORGET_MARGIN_SECONDS, held_until)

    def put(self, kind: Kind, subject: str, before: int, forget_at: int, until: int = 0) -> None:
        key = before, -(-forget_at // _LIFETIME_GRAIN_SECONDS) * _LIFETIME_GRAIN_SECONDS, until
        self.by_kind[kind].put(subject, self._shared.get(key) or self._shared.setdefault(key, Refusal(*key)))

    def forget_expired(self, now: float) -> Iterator[int]:
        """Drop entries that no living token can meet any more, a slice a step, so that others may go in between."""
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

    def slices(self, size: int = 1000) -> Iterator[tuple[Kind, dict[str, Refusal]]]:
        """Go through all entries, a slice at a time; entries may come and go meanwhile, also in another thread."""
        for kind, subjects in self.by_kind.items():
            ids = iter(list(subjects))
            while some := list(islice(ids, size)):
                found = ((subject, subjects.get(subject)) for subject in some)
                yield kind, {subject: refusal for subject, refusal in found if refusal is not None}
