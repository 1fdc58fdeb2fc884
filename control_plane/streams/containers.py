"""Identify a media file by its beginning: its container and codecs, for MPEG-TS, MP4 and packed audio.

Nothing is decoded. The bytes come from an origin: whatever they are, parsing them terminates, takes time linear in
their number and raises nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control_plane.streams import codecs, mpeg_ts
from control_plane.streams.codecs import Codec

_MAX_BOXES: Final = 1000
_TOP_BOXES: Final = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid"}
_ENTRIES_PATH: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_VISUAL_ENTRY_BYTES: Final = 78  # ISO/IEC 14496-12: where the boxes inside a sample entry begin
_AUDIO_ENTRY_BYTES: Final = 28
_AC3_SYNC: Final = b"\x0b\x77"
_FIRST_EAC3_BSID: Final = 11
_ID3_HEADER_BYTES: Final = 10


class Container(StrEnum):
    MPEG_TS = "MPEG-TS"
    MP4 = "MP4"
    AUDIO = "packed audio"
    WEBVTT = "WebVTT"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MediaContents:
    """`is_encrypted`: the samples are encrypted (cenc, cbcs, SAMPLE-AES), not the file around them."""

    container: Container
    codecs: tuple[Codec, ...] = ()
    is_encrypted: bool = False


def contents_of(data: bytes) -> MediaContents:
    """Return what a file contains, judged by its beginning; 64 KB of it are enough."""
    if data.lstrip(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
        return MediaContents(Container.WEBVTT, (codecs.WEBVTT,))
    if data[4:8] in _TOP_BOXES:
        return _mp4(data)
    if (start := mpeg_ts.first_packet(data)) is not None:
        found, is_encrypted = mpeg_ts.codecs_of(data, start)
        return MediaContents(Container.MPEG_TS, tuple(dict.fromkeys(found)), is_encrypted)
    codec = _packed_audio(data[_id3_bytes(data) :])
    return MediaContents(Container.AUDIO, (codec,)) if codec else MediaContents(Container.UNKNOWN)


def _mp4(data: bytes) -> MediaContents:
    found, is_encrypted = dict[Codec, None](), False
    for at, end in _within(data, 0, len(data), _ENTRIES_PATH):
        for name, inside, entry_end in _boxes(data, at + 8, end):
            codec, is_protected = _sample_entry(data, name, inside, entry_end)
            is_encrypted = is_encrypted or is_protected
            found |= {codec: None} if codec else {}
    return MediaContents(Container.MP4, tuple(found), is_encrypted)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the start of the contents and the end of each box; a truncated one ends with the data."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, name, inside = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, inside = int.from_bytes(data[at + 8 : at + 16]), at + 16
        until = end if size == 0 else at + size
        if until < inside:
            return
        yield name, inside, min(until, end)
        at = until


def _within(data: bytes, at: int, end: int, path: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Yield the start and end of the contents of all boxes at this path."""
    if not path:
        yield at, end
        return
    for name, inside, until in _boxes(data, at, end):
        if name == path[0]:
            yield from _within(data, inside, until, path[1:])


def _sample_entry(data: bytes, name: bytes, at: int, end: int) -> tuple[Codec | None, bool]:
    is_protected = name in {b"encv", b"enca"}
    head = _AUDIO_ENTRY_BYTES if name in {b"enca", b"mp4a"} else _VISUAL_ENTRY_BYTES
    inside = {box: (start, until) for box, start, until in _boxes(data, at + head, end)}
    if is_protected and b"sinf" in inside:
        originals = _within(data, *inside[b"sinf"], (b"frma",))
        name = next((data[start : start + 4] for start, _ in originals), name)
    if name.startswith(b"avc") and b"avcC" in inside:
        return codecs.h264(
            data[inside[b"avcC"][0] + 1 :][:1][0] if inside[b"avcC"][0] + 1 < end else None
        ), is_protected
    if name in {b"mp4a", b"mp4v"}:
        return _descriptor_codec(data, inside.get(b"esds")) or _default_codec(name), is_protected
    return codecs.of_sample_entry(name.decode("latin-1")), is_protected


def _default_codec(name: bytes) -> Codec:
    return codecs.AAC if name == b"mp4a" else codecs.MPEG4_VIDEO


def _descriptor_codec(data: bytes, span: tuple[int, int] | None) -> Codec | None:
    """Return the codec of the object type in an esds box: a descriptor 3 holding, after its header, a descriptor 4."""
    if span is None:
        return None
    at, end = span[0] + 4, span[1]
    for tag, header in ((0x03, 3), (0x04, 0)):
        if at >= end or data[at] != tag:
            return None
        at += 1
        while at < end and data[at] & 0x80:
            at += 1
        at += 1 + header
    return codecs.of_object_type(data[at]) if at < end else None


def _id3_bytes(data: bytes) -> int:
    """Return the size of the ID3 tag before packed audio (RFC 8216, section 3.4): it is stored as four times 7 bits."""
    if not data.startswith(b"ID3") or len(data) < _ID3_HEADER_BYTES:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _packed_audio(data: bytes) -> Codec | None:
    if data.startswith(_AC3_SYNC) and len(data) > 5:  # noqa: PLR2004  the byte that distinguishes the two
        return codecs.EAC3 if data[5] >> 3 >= _FIRST_EAC3_BSID else codecs.AC3
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:  # noqa: PLR2004  ADTS: twelve bits and layer 0
        return codecs.AAC
    return mpeg_ts.mpeg_audio(data)
