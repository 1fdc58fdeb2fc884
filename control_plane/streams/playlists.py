"""Parse HLS playlists (RFC 8216), only as far as needed: what one offers, how long its segments are, and if it is over.

Playlists come from encoders and origins: nothing in one is trusted beyond its literal content, and parsing one takes
time linear in its size, whatever it contains. `read` is for the event loop: it parses long ones in a thread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import anyio

LONGEST_LINE: Final = 16_384  # longer ones are skipped: no player gets such an address through nginx
MOST_LINES: Final = 500_000  # ten hours of one-second segments have a third of this
_HEADER: Final = "#EXTM3U"
_LINE: Final = re.compile(r"[^\n]+")
_ATTRIBUTE: Final = re.compile(r'\s*([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|$)')  # only matched at a position, never searched
_MAX_RENDITIONS: Final = 50
_LONGEST_TARGET_SECONDS: Final = 3600.0
_LONGEST_NUMBER: Final = 32
_MAX_INLINE: Final = 16_384  # characters parsed in the event loop; about a millisecond


class NoPlaylist(Exception):
    """The text is not an HLS playlist, or has more lines than any real one."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One variant of a master playlist; missing attributes are None. `bandwidth` is in bits per second."""

    uri: str
    bandwidth: int | None = None
    resolution: str | None = None
    codecs: str | None = None


@dataclass(frozen=True, slots=True)
class Master:
    renditions: tuple[Rendition, ...]


class Position(NamedTuple):
    """How far a media playlist has advanced. Names omit what follows the `?`: some servers sign it again each time."""

    sequence: int
    segments: int
    parts: int
    newest: str


_START: Final = Position(0, 0, 0, "")


@dataclass(frozen=True, slots=True)
class Media:
    """A playlist of segments. `written_at` is when its last segment ended by the encoder's clock (seconds)."""

    target_seconds: float
    segments: int
    newest: str | None
    is_complete: bool
    keeps_everything: bool
    written_at: float | None
    position: Position = _START


async def read(text: str) -> Master | Media:
    """Parse a playlist, in a thread if that takes more than a moment. Raise NoPlaylist."""
    return parse(text) if len(text) < _MAX_INLINE else await anyio.to_thread.run_sync(parse, text)


def parse(text: str) -> Master | Media:
    """Parse a playlist. Raise NoPlaylist."""
    lines = list(lines_of(text))
    if not lines or lines[0] != _HEADER:
        raise NoPlaylist
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return _master(lines)
    return _media(lines)


def attributes(line: str) -> dict[str, str]:
    """Parse the attribute list of a tag's line. Invalid parts are skipped up to the next comma."""
    text, found, at = line.partition(":")[2], dict[str, str](), 0
    while at < len(text):
        if one := _ATTRIBUTE.match(text, at):
            found[one[1]], at = one[2].strip('"'), one.end()
        else:
            at = text.find(",", at) + 1 or len(text)
    return found


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines that are neither empty nor too long. Raise NoPlaylist if there are too many."""
    for number, found in enumerate(_LINE.finditer(text.removeprefix("\ufeff"))):
        if number >= MOST_LINES:
            raise NoPlaylist
        if found.end() - found.start() <= LONGEST_LINE and (line := found[0].strip()):
            yield line


def _master(lines: list[str]) -> Master:
    found: list[Rendition] = []
    attrs: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            attrs = attributes(line)
        elif not line.startswith("#") and attrs is not None:
            found.append(_rendition(line, attrs))
            attrs = None
    if not found:
        raise NoPlaylist
    return Master(tuple(found[:_MAX_RENDITIONS]))


def _rendition(uri: str, attrs: dict[str, str]) -> Rendition:
    bandwidth = attrs.get("BANDWIDTH", "")
    is_number = bandwidth.isascii() and bandwidth.isdigit() and len(bandwidth) <= len("10000000000")
    resolution, codecs = attrs.get("RESOLUTION"), attrs.get("CODECS")
    return Rendition(uri, int(bandwidth) if is_number else None, _shortened(resolution), _shortened(codecs))


def _shortened(text: str | None) -> str | None:
    return text[:100] if text else None


def _media(lines: list[str]) -> Media:
    target, sequence, segments, parts = 0.0, 0, 0, 0
    clock: float | None = None  # when the last segment read ended, by the encoder's clock
    newest: str | None = None
    for line in lines:
        if line.startswith("#EXTINF:"):
            clock = None if clock is None else clock + _seconds(line.partition(":")[2].partition(",")[0])
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            clock = _timestamp(line.partition(":")[2])
        elif line.startswith("#EXT-X-TARGETDURATION:"):
            target = _seconds(line.partition(":")[2])
        elif line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            sequence = _integer(line.partition(":")[2])
        elif line.startswith("#EXT-X-PART:"):
            parts += 1
        elif not line.startswith("#"):
            segments, parts, newest = segments + 1, 0, line
    if not target:
        raise NoPlaylist
    kinds = {"#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-PLAYLIST-TYPE:VOD"}
    position = Position(sequence, segments, parts, (newest or "").partition("?")[0])
    is_complete, keeps_everything = "#EXT-X-ENDLIST" in lines, not kinds.isdisjoint(lines)
    return Media(target, segments, newest, is_complete, keeps_everything, clock, position)


def _integer(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0


def _seconds(text: str) -> float:
    try:
        value = float(text[:_LONGEST_NUMBER])
    except ValueError:
        return 0.0
    return value if 0 <= value <= _LONGEST_TARGET_SECONDS else 0.0


def _timestamp(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
