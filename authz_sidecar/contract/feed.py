"""The revocation feed: the ordered log of changes that every sidecar follows.

Compatibility rule: append-only. A reader ignores members it does not know and skips entries of kinds it does not
know; a member never changes its meaning. A truncated or invalid page is refused as a whole: applying half a page would
lose a revocation.
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
    """The kind of subject of a revocation."""

    CODE = "code"
    EVENT = "event"
    SESSION = "session"


_KINDS: Final = {kind.value: kind for kind in Kind}
# What this reader understands. It continues from a saved cursor only if the reader that got there understood all of it:
# entries that were skipped are sent again only in a snapshot.
SUPPORTED_ENTRIES: Final = frozenset({*_KINDS, "until"})


class FeedPageRefused(Exception):
    """The page is invalid; no part of it may be applied."""


class Change(NamedTuple):
    """One entry. Times are seconds since 1970; `not_before` is whole seconds, like a token's `iat`.

    `revoked` refuses every token of the subject; after it is lifted, `not_before` still refuses every token issued
    earlier. The entry may be dropped after `expires_at`, when no token that it concerns can be live. With `until` an
    event is held instead of deactivated: it counts as lifted from then on, without another entry.
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
class FeedPage:
    """An answer of the feed: changes in commit order, and the cursor that acknowledges them.

    With `snapshot` the pages from this one to the first without `more` are the whole state; `next` is the cursor of the
    next page and acknowledges nothing. `skipped` lists the kind of each entry that was skipped because this reader does
    not know it. `mark` is a random word that the log stores for the cursor: with both, the control plane detects that
    the log was set back to an earlier state, even if it has grown past the cursor again.
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
        """The cursor to continue with, including its mark if the page has one."""
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
    """A position in the log: `<epoch>.<n>` or `<epoch>.<n>.<mark>`; inside a snapshot `<epoch>.<n>.snapshot`."""

    epoch: str
    n: int
    in_snapshot: bool = False
    mark: str | None = None

    def __str__(self) -> str:
        last = "snapshot" if self.in_snapshot else self.mark
        return f"{self.epoch}.{self.n}" + (f".{last}" if last else "")

    @classmethod
    @lru_cache(maxsize=64)  # a thousand followers ask from the same position
    def parse(cls, text: str) -> "Cursor | None":
        """Return None if the text is not a cursor: its sender then gets a snapshot."""
        epoch, _, rest = text.partition(".")
        n, dot, last = rest.partition(".")
        in_snapshot = last == "snapshot"
        if not epoch.isalnum() or not _is_position(n) or (dot and not in_snapshot and not _MARK.fullmatch(last)):
            return None
        return cls(epoch, int(n), in_snapshot, None if in_snapshot or not dot else last)


def parse_page(data: bytes) -> FeedPage:
    """Parse a page. Raise FeedPageRefused."""
    try:
        body, times = parse_object(data), _Times()
        known, skipped = _split_known(_list(body["changes"]))
        changes = tuple(_change(item, times) for item in known)
        following, mark = body.get("next"), _mark(body.get("mark"))
        page = FeedPage(body["cursor"], changes, body["snapshot"], body["more"], following, skipped, mark)
    except (JsonRefused, KeyError, TypeError, ValueError, OverflowError) as error:
        raise FeedPageRefused(f"{type(error).__name__}: {error}") from None
    if not _is_valid(page):
        raise FeedPageRefused("a page without a usable cursor")
    return page


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LARGEST_N_DIGITS


def _is_valid(page: FeedPage) -> bool:
    texts = [page.cursor] + ([page.next] if page.more and page.snapshot else [])
    cursors_parse = all(isinstance(text, str) and Cursor.parse(text) for text in texts)
    return cursors_parse and isinstance(page.snapshot, bool) and isinstance(page.more, bool)


def _mark(value: Any) -> str | None:
    if value is not None and not _MARK.fullmatch(value):
        raise ValueError("an invalid mark")
    return value  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("changes is not a list")
    return value


def _split_known(items: list[Any]) -> tuple[list[Any], tuple[str, ...]]:
    """Return the entries of known kinds, and the kinds of all other entries. Raise ValueError."""
    skipped = tuple(item["kind"] for item in items if item["kind"] not in _KINDS)
    if not all(isinstance(kind, str) and kind for kind in skipped):
        raise ValueError("a kind that is not a word")
    return [item for item in items if item["kind"] in _KINDS] if skipped else items, skipped


class _Times(dict[str, float]):
    """A cache of parsed times, by their text: many changes share theirs."""

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
        raise ValueError("a time without a time zone")
    seconds = moment.timestamp()
    if not 0 <= seconds <= LATEST_TIME:
        raise ValueError("a time out of range")
    return seconds
