"""The tables of an MPEG transport stream (ISO/IEC 13818-1): which codecs it contains. Bounded as in containers.py."""

import re
from collections.abc import Iterator
from typing import Final

from control_plane.streams import codecs
from control_plane.streams.codecs import Codec

_PACKET: Final = 188
_SYNC: Final = 0x47
_MAX_BYTES: Final = 64 * 1024
_PRIVATE: Final = 0x06
_MPEG_AUDIO: Final = {0x03, 0x04}
_H264: Final = {0x1B, 0xDB}
_TYPES: Final = {
    **dict.fromkeys(_H264, codecs.H264),
    **dict.fromkeys((0x0F, 0xCF), codecs.AAC),
    **dict.fromkeys((0x81, 0xC1), codecs.AC3),
    **dict.fromkeys((0x84, 0x87, 0xC2), codecs.EAC3),
    **dict.fromkeys((0x82, 0x85, 0x8A), codecs.DTS),
    **dict.fromkeys(_MPEG_AUDIO, codecs.MP3),
    0x01: codecs.MPEG1_VIDEO,
    0x02: codecs.MPEG2_VIDEO,
    0x10: codecs.MPEG4_VIDEO,
    0x11: codecs.AAC_LATM,
    0x24: codecs.HEVC,
    0x33: codecs.VVC,
    0x83: codecs.PCM,
}
_ENCRYPTED: Final = {0xDB, 0xCF, 0xC1, 0xC2}  # SAMPLE-AES
# Descriptors that identify a private stream (ETSI EN 300 468, annex D).
_PRIVATE_TAGS: Final = {0x6A: codecs.AC3, 0x7A: codecs.EAC3, 0x7B: codecs.DTS}
_REGISTRATION: Final = 0x05
_REGISTERED: Final = {b"AC-3": codecs.AC3, b"EAC3": codecs.EAC3, b"Opus": codecs.OPUS, b"HEVC": codecs.HEVC}
_SPS: Final = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67](.)", re.DOTALL)
_LAYERS: Final = {1: codecs.MP3, 2: codecs.MP2, 3: codecs.MP2}


def first_packet(data: bytes) -> int | None:
    """Return the offset of the first packet, or None if there are no packets."""
    for at in range(min(_PACKET, len(data))):
        if data[at] == _SYNC and all(data[at + n * _PACKET] == _SYNC for n in (1, 2) if at + n * _PACKET < len(data)):
            return at if len(data) >= at + _PACKET else None
    return None


def codecs_of(data: bytes, start: int) -> tuple[list[Codec], bool]:
    """Return the codecs that the program map tables name, and whether any stream is marked as encrypted."""
    data = data[: start + _MAX_BYTES // _PACKET * _PACKET]
    maps = {pid for table in _sections(data, start, {0}) for pid in _programs(table)}
    found, is_encrypted = list[Codec](), False
    for table in _sections(data, start, maps):
        for stream_type, pid, descriptors in _streams(table):
            codec = _codec(stream_type, pid, descriptors, data, start)
            found += [codec] if codec else []
            is_encrypted = is_encrypted or stream_type in _ENCRYPTED
    return found, is_encrypted


def mpeg_audio(data: bytes) -> Codec | None:
    """Return the codec of MPEG audio, which is its layer, from the header of its first frame, or None."""
    if len(data) < 2 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:  # noqa: PLR2004  eleven bits of synchronisation
        return None
    return _LAYERS.get(data[1] >> 1 & 3)


def _codec(stream_type: int, pid: int, descriptors: bytes, data: bytes, start: int) -> Codec | None:
    if stream_type == _PRIVATE:
        return _private(descriptors)
    if stream_type in _MPEG_AUDIO:
        return mpeg_audio(_elementary(data, start, pid)) or codecs.MP3
    if stream_type == 0x1B:  # noqa: PLR2004  H.264 that is not encrypted
        profile = _SPS.search(_elementary(data, start, pid))
        return codecs.h264(profile[1][0] if profile else None)
    return _TYPES.get(stream_type)


def _private(descriptors: bytes) -> Codec | None:
    at = 0
    while at + 2 <= len(descriptors):
        tag, length = descriptors[at], descriptors[at + 1]
        value = descriptors[at + 2 : at + 2 + length]
        if codec := _PRIVATE_TAGS.get(tag) or (_REGISTERED.get(value[:4]) if tag == _REGISTRATION else None):
            return codec
        at += 2 + length
    return None


def _packets(data: bytes, start: int) -> Iterator[tuple[int, bool, bytes]]:
    """Yield the PID of each packet, whether a payload unit starts in it, and its payload."""
    for at in range(start, len(data) - _PACKET + 1, _PACKET):
        packet = data[at : at + _PACKET]
        if packet[0] != _SYNC:
            return
        has_payload, has_adaptation = packet[3] & 0x10, packet[3] & 0x20
        skipped = 5 + packet[4] if has_adaptation else 4
        if has_payload and skipped < _PACKET:
            yield (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40), packet[skipped:]


def _sections(data: bytes, start: int, pids: set[int]) -> Iterator[bytes]:
    """Yield the first complete table of each of these PIDs."""
    pending: dict[int, bytes] = {}
    wanted = set(pids)
    for pid, is_start, payload in _packets(data, start):
        if pid not in wanted or not (is_start or pid in pending):
            continue
        section = payload[1 + payload[0] :] if is_start else pending[pid] + payload
        pending[pid] = section
        length = 3 + (int.from_bytes(section[1:3]) & 0x0FFF)
        if len(section) >= max(length, 4):
            wanted.discard(pid)
            yield section[: length - 4]  # without its checksum


def _programs(table: bytes) -> list[int]:
    entries = [table[at : at + 4] for at in range(8, len(table) - 3, 4)]
    return [int.from_bytes(entry[2:]) & 0x1FFF for entry in entries if int.from_bytes(entry[:2])]


def _streams(table: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the type, the PID and the descriptors of each stream of a program."""
    at = 12 + (int.from_bytes(table[10:12]) & 0x0FFF)
    while at + 5 <= len(table):
        length = int.from_bytes(table[at + 3 : at + 5]) & 0x0FFF
        yield table[at], int.from_bytes(table[at + 1 : at + 3]) & 0x1FFF, table[at + 5 : at + 5 + length]
        at += 5 + length


def _elementary(data: bytes, start: int, stream_pid: int) -> bytes:
    """Return the beginning of a stream's first PES packet, without the header."""
    found = b""
    for pid, is_start, payload in _packets(data, start):
        if pid != stream_pid or not (is_start or found):
            continue
        if is_start and found:
            break
        found += payload[9 + payload[8] :] if is_start and len(payload) > 8 else payload  # noqa: PLR2004
    return found
