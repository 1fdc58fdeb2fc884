"""What a playlist names: every rendition, segment, init segment and key, with what it says about each (RFC 8216).

Addresses stay as they are written; `addresses.py` says which file each one means.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from control_plane.streams.playlists import attributes, lines_of

T = TypeVar("T")
MOST_ENTRIES: Final = 60
_MOST_NAMED: Final = 20  # init segments and keys of one playlist
_LONGEST_NUMBER: Final = 18


class RenditionKind(StrEnum):
    VIDEO = "video"  # a variant: what is played by itself
    AUDIO = "audio"
    SUBTITLES = "subtitles"
    IMAGES = "images"  # I-frames, for a preview while seeking


@dataclass(frozen=True, slots=True)
class RenditionEntry:
    """A rendition, as the master playlist describes it. `bandwidth` is in bits a second."""

    uri: str
    kind: RenditionKind
    bandwidth: int | None = None
    resolution: str | None = None
    codecs: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MediaResource:
    """A file, or some of its bytes from `at` on; `seconds` where it is a segment."""

    uri: str
    at: int = 0
    length: int | None = None
    seconds: float = 0.0
    is_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    method: str
    uri: str | None
    key_format: str


@dataclass(slots=True)
class Outline:
    """What a media playlist names, beside what `playlists.Media` says. `longest` is its longest segment."""

    playlist_type: str | None = None
    first: MediaResource | None = None
    newest: MediaResource | None = None
    newest_part: MediaResource | None = None
    longest: MediaResource | None = None
    maps: dict[MediaResource, None] = field(default_factory=dict)
    keys: dict[EncryptionKey, None] = field(default_factory=dict)


def entries_of(text: str) -> tuple[RenditionEntry, ...]:
    """Give the renditions of a master playlist, each address once, in order."""
    found: dict[str, RenditionEntry] = {}
    told: dict[str, str] | None = None
    for line in lines_of(text):
        if line.startswith("#EXT-X-STREAM-INF:"):
            told = attributes(line)
        elif entry := _entry(line, told):
            found.setdefault(entry.uri, entry)
            told = None if entry.kind is RenditionKind.VIDEO else told
    return tuple(found.values())


def _entry(line: str, variant: dict[str, str] | None) -> RenditionEntry | None:
    if not line.startswith("#"):
        return _described(line, RenditionKind.VIDEO, variant) if variant is not None else None
    if line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
        told = attributes(line)
        return _described(told["URI"], RenditionKind.IMAGES, told) if told.get("URI") else None
    if line.startswith("#EXT-X-MEDIA:"):
        told = attributes(line)
        kind = {"AUDIO": RenditionKind.AUDIO, "VIDEO": RenditionKind.VIDEO, "SUBTITLES": RenditionKind.SUBTITLES}.get(
            told.get("TYPE", "")
        )
        return _described(told["URI"], kind, told) if kind and told.get("URI") else None
    return None


def _described(uri: str, kind: RenditionKind, told: dict[str, str]) -> RenditionEntry:
    shown = {name: told[name][:100] for name in ("RESOLUTION", "CODECS", "NAME") if told.get(name)}
    bandwidth = _number(told.get("BANDWIDTH", ""))
    return RenditionEntry(uri, kind, bandwidth, shown.get("RESOLUTION"), shown.get("CODECS"), shown.get("NAME"))


def outline_of(text: str) -> Outline:
    """Read a media playlist."""
    reader = _OutlineReader()
    for line in lines_of(text):
        if line.startswith("#"):
            reader.tag(line)
        else:
            reader.segment(line)
    return reader.outline


class _OutlineReader:
    """Goes through the lines of a media playlist, remembering what holds for the segments to come."""

    def __init__(self) -> None:
        self.outline = Outline()
        self._seconds = 0.0
        self._range: tuple[int | None, int] | None = None  # length, and where it begins if that is said
        self._next_byte: dict[str, int] = {}
        self._is_encrypted = False

    def tag(self, line: str) -> None:
        name, _, value = line.partition(":")
        match name:
            case "#EXTINF":
                self._seconds = _seconds(value.partition(",")[0])
            case "#EXT-X-BYTERANGE":
                self._range = _byte_range(value)
            case "#EXT-X-MAP" | "#EXT-X-KEY" | "#EXT-X-PART":
                self._named(name, attributes(line))
            case "#EXT-X-PLAYLIST-TYPE":
                self.outline.playlist_type = value[:10]
            case _:
                pass

    def _named(self, name: str, told: dict[str, str]) -> None:
        outline, uri = self.outline, told.get("URI")
        if name == "#EXT-X-KEY":
            key = EncryptionKey(told.get("METHOD", ""), uri, told.get("KEYFORMAT", "identity"))
            self._is_encrypted = key.method != "NONE"
            _keep(outline.keys, key, wanted=self._is_encrypted)
        elif uri:
            piece = self._piece(uri, _byte_range(told.get("BYTERANGE", "")), _seconds(told.get("DURATION", "")))
            if name == "#EXT-X-MAP":
                _keep(outline.maps, piece, wanted=True)
            else:
                outline.newest_part = piece

    def segment(self, uri: str) -> None:
        outline = self.outline
        piece = self._piece(uri, self._range, self._seconds)
        outline.first = outline.first or piece
        outline.newest, outline.newest_part = piece, None
        if outline.longest is None or piece.seconds > outline.longest.seconds:
            outline.longest = piece
        self._seconds, self._range = 0.0, None

    def _piece(self, uri: str, where: tuple[int | None, int] | None, seconds: float) -> MediaResource:
        if where is None:
            return MediaResource(uri, seconds=seconds, is_encrypted=self._is_encrypted)
        at, length = where
        at = self._next_byte.get(uri, 0) if at is None else at
        self._next_byte = {uri: at + length}  # a range without a beginning follows the one before, of the same file
        return MediaResource(uri, at, length, seconds, self._is_encrypted)


def _keep(kept: dict[T, None], new: T, *, wanted: bool) -> None:
    if wanted and len(kept) < _MOST_NAMED:
        kept[new] = None


def _byte_range(text: str) -> tuple[int | None, int] | None:
    """Read `length[@beginning]`."""
    length, _, at = text.strip().partition("@")
    count = _number(length)
    return None if count is None else (_number(at), count)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _seconds(text: str) -> float:
    try:
        value = float(text[:32])
    except ValueError:
        return 0.0
    return value if 0 <= value < float("inf") else 0.0
