"""Containers and codecs from bytes and playlists; real files are in tests/integration/test_inspection.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.streams import codecs
from control_plane.streams.codecs import Playability
from control_plane.streams.containers import Container, contents_of


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4) + name + body


def movie(*entries: bytes) -> bytes:
    table = box(b"stsd", bytes(4), len(entries).to_bytes(4), *entries)
    return box(b"ftyp", b"iso5") + box(
        b"moov", box(b"mvhd", bytes(20)), box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
    )


AVC = box(b"avc1", bytes(78), box(b"avcC", b"\x01\x64\x00\x1e"))
HIGH_10 = box(b"avc1", bytes(78), box(b"avcC", b"\x01\x6e\x00\x1e"))
AC3_IN_MP4A = box(b"mp4a", bytes(28), box(b"esds", bytes(4), b"\x03\x80\x80\x19\x00\x01\x00\x04\x11\xa5"))
ENCRYPTED = box(b"encv", bytes(78), box(b"sinf", box(b"frma", b"hvc1")))


def transport_stream(*streams: tuple[int, int, bytes], lost: int = 0) -> bytes:
    """Return a PAT, a PMT with (type, pid, descriptors) and padding, without the first `lost` bytes."""

    def packet(pid: int, payload: bytes, *, begins: bool = True) -> bytes:
        return (b"\x47" + ((0x4000 if begins else 0) | pid).to_bytes(2) + b"\x10" + payload).ljust(188, b"\xff")

    def section(table: int, body: bytes) -> bytes:
        return bytes([0, table]) + (0xB000 | len(body) + 4).to_bytes(2) + body + bytes(4)

    programs = section(0, b"\x00\x01\xc1\x00\x00" + b"\x00\x01\xf0\x00")
    listed = b"".join(
        bytes([kind]) + (0xE000 | pid).to_bytes(2) + (0xF000 | len(told)).to_bytes(2) + told
        for kind, pid, told in streams
    )
    mapped = section(2, b"\x00\x01\xc1\x00\x00\xe1\x00\xf0\x00" + listed)
    more = [mapped[at : at + 184] for at in range(184, len(mapped), 184)]
    table = packet(0x1000, mapped[:184]) + b"".join(packet(0x1000, part, begins=False) for part in more)
    return (packet(0, programs) + table + packet(0x1FFF, b"") * 3)[lost:]


@pytest.mark.parametrize(
    ("data", "container", "names", "is_encrypted"),
    [
        (movie(AVC), Container.MP4, ["H.264"], False),
        (movie(HIGH_10), Container.MP4, ["H.264 High 10"], False),
        (movie(AC3_IN_MP4A), Container.MP4, ["Dolby Digital (AC-3)"], False),
        (movie(ENCRYPTED), Container.MP4, ["HEVC (H.265)"], True),
        (box(b"styp", b"msdh") + box(b"moof"), Container.MP4, [], False),
        (transport_stream((0x24, 256, b""), (0x0F, 257, b"")), Container.MPEG_TS, ["HEVC (H.265)", "AAC"], False),
        (transport_stream((0x02, 256, b"")), Container.MPEG_TS, ["MPEG-2 video"], False),
        (transport_stream((0x06, 257, b"\x6a\x01\x00")), Container.MPEG_TS, ["Dolby Digital (AC-3)"], False),
        (transport_stream((0x06, 257, b"\x05\x04Opus")), Container.MPEG_TS, ["Opus"], False),
        (transport_stream((0xDB, 256, b"")), Container.MPEG_TS, ["H.264"], True),
        (transport_stream(*[(0x1B, 256, b"\x09\x5e" + b"x" * 94)] * 3), Container.MPEG_TS, ["H.264"], False),
        (transport_stream((0x24, 256, b""), lost=100), Container.MPEG_TS, [], False),
        (b"\xff\xf1\x50\x80", Container.AUDIO, ["AAC"], False),
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xfb\x90", Container.AUDIO, ["MP3"], False),
        (b"\xff\xfd\x90\x00", Container.AUDIO, ["MPEG audio layer II (MP2)"], False),
        (b"\x0b\x77\x00\x00\x00\x40\x00", Container.AUDIO, ["Dolby Digital (AC-3)"], False),
        (b"\x0b\x77\x00\x00\x00\x80\x00", Container.AUDIO, ["Dolby Digital Plus (E-AC-3)"], False),
        (b"\xef\xbb\xbfWEBVTT\n", Container.WEBVTT, ["WebVTT"], False),
        (b"<!doctype html>", Container.UNKNOWN, [], False),
        (b"", Container.UNKNOWN, [], False),
    ],
)
def test_the_container_is_detected_from_the_beginning_of_a_file(
    data: bytes, container: Container, names: list[str], *, is_encrypted: bool
) -> None:
    found = contents_of(data)
    assert (found.container, [codec.name for codec in found.codecs]) == (container, names)
    assert found.is_encrypted is is_encrypted


GOOD = [
    movie(AVC, AC3_IN_MP4A, ENCRYPTED),
    transport_stream((0x1B, 256, b""), (0x06, 257, b"\x6a\x01\x00")),
    b"ID3\x04",
]


@given(st.sampled_from(GOOD), st.integers(0, 400), st.binary(max_size=12), st.integers(0, 1500))
def test_damaged_files_never_crash_the_reader(data: bytes, at: int, damage: bytes, length: int) -> None:
    contents_of((data[:at] + damage + data[at + len(damage) :])[:length])


@given(st.binary(max_size=600))
def test_random_bytes_never_crash_the_reader(data: bytes) -> None:
    contents_of(data)
    contents_of(b"\x00\x00\x00\x08moov" + data)
    contents_of(b"\x47" + data.ljust(187)[:187] + b"\x47" + data)


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("avc1.64001f, mp4a.40.2", {"H.264": Playability.EVERYWHERE, "AAC": Playability.EVERYWHERE}),
        ("avc1.6e0032", {"H.264 High 10": Playability.SOMEWHERE}),
        (
            "hvc1.1.6.L93.B0,ec-3",
            {"HEVC (H.265)": Playability.SOMEWHERE, "Dolby Digital Plus (E-AC-3)": Playability.SOMEWHERE},
        ),
        ("mp4v.61,mp4a.a5", {"MPEG-2 video": Playability.NOWHERE, "Dolby Digital (AC-3)": Playability.SOMEWHERE}),
        ("mp4v.20.9", {"MPEG-4 Part 2 video": Playability.NOWHERE}),
        ("mp4a.40.34,mp4a.6B", {"MP3": Playability.EVERYWHERE}),
        (
            "av01.0.04M.08,fLaC,wvtt",
            {"AV1": Playability.MOSTLY, "FLAC": Playability.MOSTLY, "WebVTT": Playability.EVERYWHERE},
        ),
        ("zz99.1, ,mp4a", {"AAC": Playability.EVERYWHERE}),
    ],
)
def test_codecs_are_read_from_the_master_playlist(attribute: str, told: dict[str, Playability]) -> None:
    assert {codec.name: codec.plays for codec in codecs.of_attribute(attribute)} == told


@given(st.text(max_size=50))
def test_random_attributes_never_crash_the_reader(text: str) -> None:
    codecs.of_attribute(text)
