"""What a media file begins with: its container and the codecs in it, read from MPEG-TS, MP4 and packed audio.

Nothing is decoded. The bytes are an origin's: whatever they are, reading them ends, costs time linear in their number
and raises nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control_plane.streams import codecs, mpeg_ts
from control_plane.streams.codecs import Codec

_MOST_BOXES: Final = 1000
_TOP_BOXES: Final = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid"}
_WAY_TO_ENTRIES: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_VISUAL_ENTRY_BYTES: Final = 78  # ISO/IEC 14496-12: where the boxes inside of a sample entry begin
_AUDIO_ENTRY_BYTES: Final = 28
_AC3_SYNC: Final = b"\x0b\x77"
_FIRST_EAC3_BSID: Final = 11
_LONGEST_ID3: Final = 10


class Container(StrEnum):
    MPEG_TS = "MPEG-TS"
    MP4 = "MP4"
    AUDIO = "packed audio"
    WEBVTT = "WebVTT"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MediaContents:
    """`is_encrypted`: the samples themselves are (cenc, cbcs, SAMPLE-AES), not the file around them."""

    container: Container
    codecs: tuple[Codec, ...] = ()
    is_encrypted: bool = False


def contents_of(data: bytes) -> MediaContents:
    """Tell what a file is by its beginning, of which some 64 KB are enough."""
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
    for at, end in _within(data, 0, len(data), _WAY_TO_ENTRIES):
        for name, inside, entry_end in _boxes(data, at + 8, end):
            codec, is_protected = _sample_entry(data, name, inside, entry_end)
            is_encrypted = is_encrypted or is_protected
            found |= {codec: None} if codec else {}
    return MediaContents(Container.MP4, tuple(found), is_encrypted)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give name, beginning of the contents and end of each box; of one that is cut off what there is."""
    for _ in range(_MOST_BOXES):
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


def _within(data: bytes, at: int, end: int, way: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Give where the contents of all boxes at the end of this way lie."""
    if not way:
        yield at, end
        return
    for name, inside, until in _boxes(data, at, end):
        if name == way[0]:
            yield from _within(data, inside, until, way[1:])


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
        return _of_descriptor(data, inside.get(b"esds")) or _plain(name), is_protected
    return codecs.of_sample_entry(name.decode("latin-1")), is_protected


def _plain(name: bytes) -> Codec:
    return codecs.AAC if name == b"mp4a" else codecs.MPEG4_VIDEO


def _of_descriptor(data: bytes, where: tuple[int, int] | None) -> Codec | None:
    """Find the object type in an esds box: a descriptor 3, and in it, after its header, a descriptor 4."""
    if where is None:
        return None
    at, end = where[0] + 4, where[1]
    for tag, header in ((0x03, 3), (0x04, 0)):
        if at >= end or data[at] != tag:
            return None
        at += 1
        while at < end and data[at] & 0x80:
            at += 1
        at += 1 + header
    return codecs.of_object_type(data[at]) if at < end else None


def _id3_bytes(data: bytes) -> int:
    """Measure the ID3 tag before packed audio (RFC 8216, section 3.4): its size is four times seven bits."""
    if not data.startswith(b"ID3") or len(data) < _LONGEST_ID3:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _packed_audio(data: bytes) -> Codec | None:
    if data.startswith(_AC3_SYNC) and len(data) > 5:  # noqa: PLR2004  the byte that tells the two apart
        return codecs.EAC3 if data[5] >> 3 >= _FIRST_EAC3_BSID else codecs.AC3
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:  # noqa: PLR2004  ADTS: twelve bits and layer 0
        return codecs.AAC
    return mpeg_ts.mpeg_audio(data)
