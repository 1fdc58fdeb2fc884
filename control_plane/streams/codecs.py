"""Codecs by the names that playlists (RFC 6381), MPEG-TS and MP4 use, and whether browsers play them.

This is judged for a player like ours: hls.js with Media Source Extensions, and Safari's native player.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Playability(StrEnum):
    EVERYWHERE = "everywhere"
    MOSTLY = "mostly"  # current browsers do, older devices do not
    SOMEWHERE = "somewhere"  # only on some devices
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec by its common name."""

    name: str
    plays: Playability


H264: Final = Codec("H.264", Playability.EVERYWHERE)
HEVC: Final = Codec("HEVC (H.265)", Playability.SOMEWHERE)
VVC: Final = Codec("VVC (H.266)", Playability.NOWHERE)
MPEG1_VIDEO: Final = Codec("MPEG-1 video", Playability.NOWHERE)
MPEG2_VIDEO: Final = Codec("MPEG-2 video", Playability.NOWHERE)
MPEG4_VIDEO: Final = Codec("MPEG-4 Part 2 video", Playability.NOWHERE)
DOLBY_VISION: Final = Codec("Dolby Vision", Playability.SOMEWHERE)
VP8: Final = Codec("VP8", Playability.SOMEWHERE)
VP9: Final = Codec("VP9", Playability.MOSTLY)
AV1: Final = Codec("AV1", Playability.MOSTLY)
JPEG: Final = Codec("Motion JPEG", Playability.NOWHERE)
PRORES: Final = Codec("ProRes", Playability.NOWHERE)
AAC: Final = Codec("AAC", Playability.EVERYWHERE)
AAC_LATM: Final = Codec("AAC in LATM", Playability.NOWHERE)
MP3: Final = Codec("MP3", Playability.EVERYWHERE)
MP2: Final = Codec("MPEG audio layer II (MP2)", Playability.SOMEWHERE)
AC3: Final = Codec("Dolby Digital (AC-3)", Playability.SOMEWHERE)
EAC3: Final = Codec("Dolby Digital Plus (E-AC-3)", Playability.SOMEWHERE)
AC4: Final = Codec("Dolby AC-4", Playability.NOWHERE)
DTS: Final = Codec("DTS", Playability.NOWHERE)
ALAC: Final = Codec("Apple Lossless (ALAC)", Playability.SOMEWHERE)
FLAC: Final = Codec("FLAC", Playability.MOSTLY)
OPUS: Final = Codec("Opus", Playability.MOSTLY)
PCM: Final = Codec("PCM audio", Playability.NOWHERE)
WEBVTT: Final = Codec("WebVTT", Playability.EVERYWHERE)
TTML: Final = Codec("TTML (IMSC)", Playability.MOSTLY)

# The first component of a name in CODECS, which is also the name of a sample entry in MP4.
_FOURCC: Final = {
    **dict.fromkeys(("avc1", "avc2", "avc3", "avc4"), H264),
    **dict.fromkeys(("hvc1", "hev1", "hvc2", "hev2"), HEVC),
    **dict.fromkeys(("vvc1", "vvi1"), VVC),
    **dict.fromkeys(("dvh1", "dvhe", "dva1", "dvav", "dav1"), DOLBY_VISION),
    **dict.fromkeys(("vp08", "vp8"), VP8),
    **dict.fromkeys(("vp09", "vp9"), VP9),
    **dict.fromkeys(("jpeg", "mjpg", "mjpa"), JPEG),
    **dict.fromkeys(("apch", "apcn", "apcs", "apco", "ap4h"), PRORES),
    **dict.fromkeys(("dtsc", "dtse", "dtsh", "dtsl", "dtsx", "dtsy"), DTS),
    **dict.fromkeys(("lpcm", "sowt", "twos", "ipcm", "fpcm"), PCM),
    **dict.fromkeys(("opus", "dops"), OPUS),
    **dict.fromkeys(("mp2v",), MPEG2_VIDEO),
    **dict.fromkeys((".mp3", "mp3"), MP3),
    "av01": AV1,
    "ac-3": AC3,
    "ec-3": EAC3,
    "ac-4": AC4,
    "alac": ALAC,
    "flac": FLAC,
    "wvtt": WEBVTT,
    "stpp": TTML,
}
# ISO/IEC 14496-1, objectTypeIndication: the codec within mp4a or mp4v.
_OBJECT_TYPES: Final = {
    **dict.fromkeys(range(0x60, 0x66), MPEG2_VIDEO),
    **dict.fromkeys((0x40, 0x66, 0x67, 0x68), AAC),
    **dict.fromkeys((0x69, 0x6B), MP3),
    0x20: MPEG4_VIDEO,
    0x6A: MPEG1_VIDEO,
    0xA5: AC3,
    0xA6: EAC3,
    0xA9: DTS,
    0xAC: DTS,
    0xAD: OPUS,
}
_MP3_OBJECT: Final = {"32": MP2, "33": MP2, "34": MP3}
_RARE_H264: Final = {0x6E: "High 10", 0x7A: "High 4:2:2", 0xF4: "High 4:4:4", 0x2C: "CAVLC 4:4:4", 0x58: "Extended"}


def of_attribute(codecs: str) -> tuple[Codec, ...]:
    """Parse a CODECS attribute. Unknown names are left out: they may be newer than this table."""
    return tuple(dict.fromkeys(codec for name in codecs.split(",") if (codec := _by_name(name.strip()))))


def of_sample_entry(name: str) -> Codec | None:
    return _FOURCC.get(name.lower())


def of_object_type(number: int) -> Codec | None:
    return _OBJECT_TYPES.get(number)


def h264(profile: int | None) -> Codec:
    """Return H.264 by its profile: those for studios (10 bits, 4:2:2) play in few browsers."""
    rare = _RARE_H264.get(profile or 0)
    return Codec(f"H.264 {rare}", Playability.SOMEWHERE) if rare else H264


def _by_name(name: str) -> Codec | None:
    first, *rest = name.split(".")
    if first.lower() in {"mp4a", "mp4v"}:
        return _by_object_type(rest) or (AAC if first.lower() == "mp4a" else MPEG4_VIDEO)
    if first.lower().startswith("avc"):
        return h264(_hex(rest[0][:2]) if rest else None)
    return _FOURCC.get(first.lower())


def _by_object_type(rest: list[str]) -> Codec | None:
    number = _hex(rest[0]) if rest else None
    if number == 0x40 and len(rest) > 1:  # noqa: PLR2004  the object type of MPEG-4 audio, as above
        return _MP3_OBJECT.get(rest[1], AAC)
    return _OBJECT_TYPES.get(number or 0)


def _hex(text: str) -> int | None:
    try:
        return int(text[:8], 16)
    except ValueError:
        return None
