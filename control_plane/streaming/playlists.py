"""What an HLS playlist says (RFC 8216), read only as far as we ask: what it offers, how long its parts are, is it over.

Playlists come from encoders and origins: nothing in one is believed beyond what its words say.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_BEGINNING: Final = "#EXTM3U"
_ATTRIBUTE: Final = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\r\n]*)')
_MOST_RENDITIONS: Final = 50
_LONGEST_TARGET_SECONDS: Final = 3600.0


class NoPlaylist(Exception):
    """The text is no HLS playlist."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One variant of a master playlist; what it does not say is None. `bandwidth` is in bits a second."""

    uri: str
    bandwidth: int | None = None
    resolution: str | None = None
    codecs: str | None = None


@dataclass(frozen=True, slots=True)
class Master:
    renditions: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """A playlist of segments. `written_at` is when, by the encoder's clock, its last segment ended (seconds)."""

    target_seconds: float
    segments: int
    newest: str | None
    is_complete: bool
    keeps_everything: bool
    written_at: float | None


def parse(text: str) -> Master | Media:
    """Raise NoPlaylist."""
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    if not lines or lines[0] != _BEGINNING:
        raise NoPlaylist
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return _master(lines)
    return _media(lines)


def _master(lines: list[str]) -> Master:
    found: list[Rendition] = []
    told: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            told = {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}
        elif line and not line.startswith("#") and told is not None:
            found.append(_rendition(line, told))
            told = None
    if not found:
        raise NoPlaylist
    return Master(tuple(found[:_MOST_RENDITIONS]))


def _rendition(uri: str, told: dict[str, str]) -> Rendition:
    bandwidth = told.get("BANDWIDTH", "")
    is_number = bandwidth.isascii() and bandwidth.isdigit() and len(bandwidth) <= len("10000000000")
    resolution, codecs = told.get("RESOLUTION"), told.get("CODECS")
    return Rendition(uri, int(bandwidth) if is_number else None, _shown(resolution), _shown(codecs))


def _shown(text: str | None) -> str | None:
    return text[:100] if text else None


def _media(lines: list[str]) -> Media:
    target = 0.0
    clock: float | None = None  # when the segment read last ended, by the encoder's clock
    names: list[str] = []
    for line in lines:
        if line.startswith("#EXTINF:"):
            clock = None if clock is None else clock + _seconds(line.partition(":")[2].partition(",")[0])
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            clock = _moment(line.partition(":")[2])
        elif line.startswith("#EXT-X-TARGETDURATION:"):
            target = _seconds(line.partition(":")[2])
        elif line and not line.startswith("#"):
            names.append(line)
    if not target:
        raise NoPlaylist
    kinds = {"#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-PLAYLIST-TYPE:VOD"}
    newest = names[-1] if names else None
    return Media(target, len(names), newest, "#EXT-X-ENDLIST" in lines, not kinds.isdisjoint(lines), clock)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= _LONGEST_TARGET_SECONDS else 0.0


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
