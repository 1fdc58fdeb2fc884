"""What a playlist names: every rendition, segment, init segment and key, with their attributes (RFC 8216).

Addresses stay as they are written; `addresses.py` resolves them to files.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from control_plane.streams.playlists import attributes, lines_of

T = TypeVar("T")
MOST_ENTRIES: Final = 60
_MAX_RESOURCES: Final = 20  # init segments and keys of one playlist
_LONGEST_NUMBER: Final = 18


class RenditionKind(StrEnum):
    VIDEO = "video"  # a variant: playable on its own
    AUDIO = "audio"
    SUBTITLES = "subtitles"
    IMAGES = "images"  # I-frames, for a preview while seeking


@dataclass(frozen=True, slots=True)
class RenditionEntry:
    """A rendition, as the master playlist describes it. `bandwidth` is in bits per second."""

    uri: str
    kind: RenditionKind
    bandwidth: int | None = None
    resolution: str | None = None
    codecs: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MediaResource:
    """A file, or `length` of its bytes from `at` on; `seconds` is set for a segment."""

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
    """What a media playlist names, in addition to `playlists.Media`. `longest` is its longest segment."""

    playlist_type: str | None = None
    first: MediaResource | None = None
    newest: MediaResource | None = None
    newest_part: MediaResource | None = None
    longest: MediaResource | None = None
    maps: dict[MediaResource, None] = field(default_factory=dict)
    keys: dict[EncryptionKey, None] = field(default_factory=dict)


def entries_of(text: str) -> tuple[RenditionEntry, ...]:
    """Return the renditions of a master playlist in order, each address once."""
    found: dict[str, RenditionEntry] = {}
    attrs: dict[str, str] | None = None
    for line in lines_of(text):
        if line.startswith("#EXT-X-STREAM-INF:"):
            attrs = attributes(line)
        elif entry := _entry(line, attrs):
            found.setdefault(entry.uri, entry)
            attrs = None if entry.kind is RenditionKind.VIDEO else attrs
    return tuple(found.values())


def _entry(line: str, variant: dict[str, str] | None) -> RenditionEntry | None:
    if not line.startswith("#"):
        return _rendition(line, RenditionKind.VIDEO, variant) if variant is not None else None
    if line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
        attrs = attributes(line)
        return _rendition(attrs["URI"], RenditionKind.IMAGES, attrs) if attrs.get("URI") else None
    if line.startswith("#EXT-X-MEDIA:"):
        attrs = attributes(line)
        kind = {"AUDIO": RenditionKind.AUDIO, "VIDEO": RenditionKind.VIDEO, "SUBTITLES": RenditionKind.SUBTITLES}.get(
            attrs.get("TYPE", "")
        )
        return _rendition(attrs["URI"], kind, attrs) if kind and attrs.get("URI") else None
    return None


def _rendition(uri: str, kind: RenditionKind, attrs: dict[str, str]) -> RenditionEntry:
    texts = {name: attrs[name][:100] for name in ("RESOLUTION", "CODECS", "NAME") if attrs.get(name)}
    bandwidth = _number(attrs.get("BANDWIDTH", ""))
    return RenditionEntry(uri, kind, bandwidth, texts.get("RESOLUTION"), texts.get("CODECS"), texts.get("NAME"))


def outline_of(text: str) -> Outline:
    """Parse a media playlist."""
    reader = _OutlineReader()
    for line in lines_of(text):
        if line.startswith("#"):
            reader.tag(line)
        else:
            reader.segment(line)
    return reader.outline


class _OutlineReader:
    """Reads the lines of a media playlist in order and keeps the state that applies to the next segments."""

    def __init__(self) -> None:
        self.outline = Outline()
        self._seconds = 0.0
        self._range: tuple[int | None, int] | None = None  # offset, if given, and length
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
                self._add_resource(name, attributes(line))
            case "#EXT-X-PLAYLIST-TYPE":
                self.outline.playlist_type = value[:10]
            case _:
                pass

    def _add_resource(self, name: str, attrs: dict[str, str]) -> None:
        outline, uri = self.outline, attrs.get("URI")
        if name == "#EXT-X-KEY":
            key = EncryptionKey(attrs.get("METHOD", ""), uri, attrs.get("KEYFORMAT", "identity"))
            self._is_encrypted = key.method != "NONE"
            _add_bounded(outline.keys, key, wanted=self._is_encrypted)
        elif uri:
            resource = self._resource(uri, _byte_range(attrs.get("BYTERANGE", "")), _seconds(attrs.get("DURATION", "")))
            if name == "#EXT-X-MAP":
                _add_bounded(outline.maps, resource, wanted=True)
            else:
                outline.newest_part = resource

    def segment(self, uri: str) -> None:
        outline = self.outline
        resource = self._resource(uri, self._range, self._seconds)
        outline.first = outline.first or resource
        outline.newest, outline.newest_part = resource, None
        if outline.longest is None or resource.seconds > outline.longest.seconds:
            outline.longest = resource
        self._seconds, self._range = 0.0, None

    def _resource(self, uri: str, byte_range: tuple[int | None, int] | None, seconds: float) -> MediaResource:
        if byte_range is None:
            return MediaResource(uri, seconds=seconds, is_encrypted=self._is_encrypted)
        at, length = byte_range
        at = self._next_byte.get(uri, 0) if at is None else at
        self._next_byte = {uri: at + length}  # a range without an offset follows the previous one of the same file
        return MediaResource(uri, at, length, seconds, self._is_encrypted)


def _add_bounded(known: dict[T, None], new: T, *, wanted: bool) -> None:
    if wanted and len(known) < _MAX_RESOURCES:
        known[new] = None


def _byte_range(text: str) -> tuple[int | None, int] | None:
    """Return the offset, if given, and the length of `length[@offset]`."""
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
