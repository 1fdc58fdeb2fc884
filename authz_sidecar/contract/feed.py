"""The revocation feed: the ordered log of changes that every sidecar follows.

Compatibility rule: append-only. A reader ignores members it does not know and skips entries of kinds it does not
know; a member never changes its meaning. A page that is cut off or makes no sense is refused whole: half a page
applied would be a revocation lost.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from authz_sidecar.contract.playback_token import LATEST_TIME
from authz_sidecar.contract.strict_json import JsonRefused, parse_object

MAX_PAGE_CHANGES = 10_000
MAX_WAIT_SECONDS = 30
_LARGEST_N_DIGITS: Final = 18  # a database's 64-bit integer
_MARK: Final = re.compile(r"[0-9a-f]{8}")


class Kind(StrEnum):
    """What a revocation is about."""

    CODE = "code"
    EVENT = "event"
    SESSION = "session"


_KINDS: Final = {kind.value: kind for kind in Kind}
# What this reader understands. It goes on from a cursor only if whoever came that far understood as much: what was
# skipped on the way comes again in a snapshot and in no other way.
READS: Final = frozenset({*_KINDS, "until"})


class FeedPageRefused(Exception):
    """The page is not one that a control plane writes; nothing of it may be applied."""


class Change(NamedTuple):
    """One entry. Times are seconds since 1970; `not_before` is whole seconds, as a token's `iat`.

    `revoked` refuses everything about the subject; once lifted, `not_before` still refuses every token issued
    earlier. The entry may be forgotten after `expires_at`, when no token it concerns can be alive. With `until` an
    event is not deactivated but held: at that moment it counts as lifted, without another entry.
    """

    kind: Kind
    id: str
    revoked: bool
    not_before: int | None
    at: float
    expires_at: float
    until: float | None = None

    def to_json(self) -> dict[str, Any]:
        until = {} if self.until is None else {"until": _iso(self.until)}
        return {
            "kind": self.kind.value,
            "id": self.id,
            "revoked": self.revoked,
            "notBefore": None if self.not_before is None else _iso(self.not_before),
            "at": _iso(self.at),
            "expiresAt": _iso(self.expires_at),
            **until,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the feed: changes in commit order, and the cursor that acknowledges them.

    With `snapshot` the pages from this one to the first without `more` are the whole state; `next` is what to ask
    with for the page after this one and is no receipt. `skipped` are the kinds of the entries that were passed over
    because this reader does not know them, one for each entry. `mark` is the word that the log has at the cursor:
    whoever shows both is told when the log was set back and has grown again meanwhile.
    """

    cursor: str
    changes: tuple[Change, ...]
    snapshot: bool = False
    more: bool = False
    next: str | None = None
    skipped: tuple[str, ...] = ()
    mark: str | None = None

    @property
    def place(self) -> str:
        """Give the cursor to go on with: with its mark, if the writer has told one."""
        return self.cursor if self.mark is None else f"{self.cursor}.{self.mark}"

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"cursor": self.cursor, "snapshot": self.snapshot, "more": self.more}
        if self.next is not None:
            body["next"] = self.next
        if self.mark is not None:
            body["mark"] = self.mark
        body["changes"] = [change.to_json() for change in self.changes]
        return body


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log: `<epoch>.<n>` or `<epoch>.<n>.<mark>`; inside a snapshot `<epoch>.<n>.snapshot`."""

    epoch: str
    n: int
    in_snapshot: bool = False
    mark: str | None = None

    def __str__(self) -> str:
        last = "snapshot" if self.in_snapshot else self.mark
        return f"{self.epoch}.{self.n}" + (f".{last}" if last else "")

    @classmethod
    @lru_cache(maxsize=64)  # a thousand followers ask from the same place
    def parse(cls, text: str) -> "Cursor | None":
        """Return None for a text that is no cursor: its owner then starts with a snapshot."""
        epoch, _, rest = text.partition(".")
        n, dot, last = rest.partition(".")
        in_snapshot = last == "snapshot"
        if not epoch.isalnum() or not _is_place(n) or (dot and not in_snapshot and not _MARK.fullmatch(last)):
            return None
        return cls(epoch, int(n), in_snapshot, None if in_snapshot or not dot else last)


def parse_page(data: bytes) -> Page:
    """Read a page as it came over the wire or from a state file. Raise FeedPageRefused."""
    try:
        body, times = parse_object(data), _Times()
        known, skipped = _sorted_out(_list(body["changes"]))
        changes = tuple(_change(item, times) for item in known)
        following, mark = body.get("next"), _mark(body.get("mark"))
        page = Page(body["cursor"], changes, body["snapshot"], body["more"], following, skipped, mark)
    except (JsonRefused, KeyError, TypeError, ValueError, OverflowError) as error:
        raise FeedPageRefused(f"{type(error).__name__}: {error}") from None
    if not _makes_sense(page):
        raise FeedPageRefused("a page without a usable cursor")
    return page


def _is_place(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LARGEST_N_DIGITS


def _makes_sense(page: Page) -> bool:
    texts = [page.cursor] + ([page.next] if page.more and page.snapshot else [])
    cursors_parse = all(isinstance(text, str) and Cursor.parse(text) for text in texts)
    return cursors_parse and isinstance(page.snapshot, bool) and isinstance(page.more, bool)


def _mark(value: Any) -> str | None:
    if value is not None and not _MARK.fullmatch(value):
        raise ValueError("a mark that is none")
    return value  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("changes are no list")
    return value


def _sorted_out(items: list[Any]) -> tuple[list[Any], tuple[str, ...]]:
    """Divide entries into those of kinds that we know, and the kinds of the others. Raise ValueError."""
    skipped = tuple(item["kind"] for item in items if item["kind"] not in _KINDS)
    if not all(isinstance(kind, str) and kind for kind in skipped):
        raise ValueError("a kind that is no word")
    return [item for item in items if item["kind"] in _KINDS] if skipped else items, skipped


class _Times(dict[str, float]):
    """Times as seconds by how they were written: many changes share theirs."""

    def __missing__(self, text: str) -> float:
        seconds = self[text] = _seconds(text)
        return seconds


def _change(item: Mapping[str, Any], times: Mapping[str, float]) -> Change:
    if not isinstance(item["id"], str) or not item["id"] or not isinstance(item["revoked"], bool):
        raise ValueError("id or revoked has the wrong type")
    not_before, until = item["notBefore"], item.get("until")
    return Change(
        _KINDS[item["kind"]],
        item["id"],
        item["revoked"],
        None if not_before is None else math.ceil(times[not_before]),
        times[item["at"]],
        times[item["expiresAt"]],
        None if until is None else times[until],
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    seconds = moment.timestamp()
    if not 0 <= seconds <= LATEST_TIME:
        raise ValueError("a time out of range")
    return seconds
