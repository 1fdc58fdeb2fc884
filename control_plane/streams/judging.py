"""What is wrong with a rendition, judged by its playlist and by the beginning of its files. Pure: no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control_plane.streams import codecs
from control_plane.streams.codecs import Codec, Playability
from control_plane.streams.containers import Container, MediaContents
from control_plane.streams.faults import Fault, FaultReason, error, warning
from control_plane.streams.outline import EncryptionKey, Outline, RenditionEntry, RenditionKind
from control_plane.streams.playlists import Media

SURE_TARGETS: Final = 1.5
_KEY_BYTES: Final = 16
_NO_END: Final = "the stream is over and #EXT-X-ENDLIST was never written."
_NOT_MEDIA: Final = "It begins like no media file (MPEG-TS, MP4, AAC, MP3, AC-3, WebVTT), or it is damaged."


class Part(StrEnum):
    """The role in which a playlist names a file."""

    INIT = "an init segment"
    KEY = "a key"
    FIRST = "its first segment"
    NEWEST = "its newest segment"
    PIECE = "its newest part"


@dataclass(slots=True)
class InspectedRendition:
    """One rendition, as far as it was inspected. `file` is its playlist.

    `bit_rate` is measured, in bits per second; `latency` is how many seconds ago the newest segment ended, by the
    encoder's clock or else the server's.
    """

    entry: RenditionEntry
    file: str
    media: Media | None = None
    latency: float | None = None
    outline: Outline | None = None
    codecs: tuple[Codec, ...] = ()
    bit_rate: int | None = None

    @property
    def is_live(self) -> bool:
        return bool(self.media and self.media.segments and not self.media.is_complete)

    @property
    def is_over(self) -> bool:
        return bool(self.media and self.media.segments and self.media.is_complete)

    @property
    def all_codecs(self) -> tuple[Codec, ...]:
        """Return the codecs that the bytes name or, if they name none, those of the master playlist."""
        return self.codecs or codecs.of_attribute(self.entry.codecs or "")


def of_outline(rendition: InspectedRendition) -> Iterator[Fault]:
    """Judge what a media playlist itself says."""
    media, outline, file = rendition.media, rendition.outline, rendition.file
    if media is None or outline is None:
        return
    if not media.segments:
        yield error(file, FaultReason.NO_SEGMENTS, "It lists no segments yet.")
    if outline.longest and round(outline.longest.seconds) > media.target_seconds:
        comparison = (
            f"a segment of {outline.longest.seconds:g} s, but its target duration is {media.target_seconds:g} s"
        )
        yield warning(file, FaultReason.TOO_LONG, f"It lists {comparison}: players may stall.")
    if outline.playlist_type == "VOD" and not media.is_complete:
        yield warning(file, FaultReason.NO_END, "It says VOD but has no #EXT-X-ENDLIST: players treat it as live.")
    for key in outline.keys:
        yield from _key_faults(file, key)


def _key_faults(file: str, key: EncryptionKey) -> Iterator[Fault]:
    if key.key_format != "identity":
        yield error(file, FaultReason.ENCRYPTION, "It is encrypted for DRM, which the player does not support.")
    elif key.method.startswith("SAMPLE-AES"):
        yield error(file, FaultReason.ENCRYPTION, f"It is encrypted with {key.method}. Only AES-128 plays everywhere.")
    elif key.method != "AES-128":
        method = key.method[:40] or "an unnamed method"
        yield warning(file, FaultReason.ENCRYPTION, f"It is encrypted with {method}. Only AES-128 plays everywhere.")
    elif not key.uri:
        yield error(file, FaultReason.KEY, "It is encrypted, but no key URI is given.")


def of_size(file: str, part: Part, size: int | None, playlist: str) -> Iterator[Fault]:
    """Judge a file by its size; yield nothing if it is right."""
    if size == 0:
        yield error(file, FaultReason.EMPTY, f"It is empty (0 bytes). {playlist} lists it as {part}.")
    elif part is Part.KEY and size is not None and size != _KEY_BYTES:
        yield error(file, FaultReason.KEY, f"It is a key of {size} bytes; an AES-128 key has {_KEY_BYTES}.")


def of_contents(file: str, contents: MediaContents, *, is_encrypted: bool) -> Iterator[Fault]:
    """Judge a media file by its beginning. One that is encrypted as a whole cannot be judged."""
    if is_encrypted:
        return
    if contents.container is Container.UNKNOWN:
        yield error(file, FaultReason.NOT_MEDIA, _NOT_MEDIA)
    if contents.is_encrypted:
        yield error(
            file, FaultReason.ENCRYPTION, "Its samples are encrypted (SAMPLE-AES, cenc or cbcs), which requires DRM."
        )


def of_codecs(renditions: Sequence[InspectedRendition]) -> Iterator[Fault]:
    """Judge the codecs of the renditions; a fault is milder if another rendition of the same kind plays."""
    for kind in RenditionKind:
        same_kind = [rendition for rendition in renditions if rendition.entry.kind is kind]
        has_alternative = any(
            rendition.all_codecs and _worst_playability(rendition) is Playability.EVERYWHERE for rendition in same_kind
        )
        for rendition in same_kind:
            for codec in rendition.all_codecs:
                yield from _codec_faults(rendition, codec, has_alternative=has_alternative)


def _codec_faults(rendition: InspectedRendition, codec: Codec, *, has_alternative: bool) -> Iterator[Fault]:
    declared = codecs.of_attribute(rendition.entry.codecs or "")
    contradiction = " although the master playlist says otherwise" if declared and codec not in declared else ""
    if codec.plays is Playability.NOWHERE:
        yield error(
            rendition.file,
            FaultReason.CODEC,
            f"It is encoded as {codec.name}{contradiction}, which browsers do not play.",
        )
    elif codec.plays is Playability.SOMEWHERE:
        where = "which most browsers do not play"
        make_fault = warning if has_alternative else error
        yield make_fault(rendition.file, FaultReason.CODEC, f"It is encoded as {codec.name}{contradiction}, {where}.")
    elif codec.plays is Playability.MOSTLY:
        sentence = f"It is encoded as {codec.name}{contradiction}, which older browsers and phones do not play."
        yield warning(rendition.file, FaultReason.CODEC, sentence)


def _worst_playability(rendition: InspectedRendition) -> Playability:
    return max(
        (codec.plays for codec in rendition.all_codecs), key=list(Playability).index, default=Playability.EVERYWHERE
    )


def of_ends(renditions: Sequence[InspectedRendition]) -> Iterator[Fault]:
    """Find renditions that continue although others have ended: a player waits for them forever."""
    if any(rendition.is_over for rendition in renditions):
        for rendition in renditions:
            if rendition.is_live:
                sentence = "It has no #EXT-X-ENDLIST, but other renditions have one: players wait for more."
                yield error(rendition.file, FaultReason.NO_END, sentence)


def of_movement(
    before: Sequence[InspectedRendition], after: Sequence[InspectedRendition], seconds: float
) -> Iterator[Fault]:
    """Compare two reads: find live renditions that stand still, either beside others that move or all of them."""
    pairs = [
        (rendition, later) for rendition, later in zip(before, after, strict=True) if rendition.is_live and later.media
    ]
    some_move = any(has_moved(rendition, later) for rendition, later in pairs)
    for rendition, later in pairs:
        if has_moved(rendition, later) or not is_long_enough(rendition, seconds):
            continue
        if some_move:
            sentence = f"It has not changed for at least {seconds:.0f} s, although others have: it has stalled."
            yield error(rendition.file, FaultReason.STANDS_STILL, sentence)
        else:
            how_long = max(seconds, later.latency or 0)
            sentence = f"It has not changed for {how_long:.0f} s. Either the encoder has stopped, or {_NO_END}"
            yield error(rendition.file, FaultReason.TOO_OLD, sentence)


def has_moved(before: InspectedRendition, after: InspectedRendition) -> bool:
    return bool(before.media and after.media and before.media.position != after.media.position)


def is_long_enough(rendition: InspectedRendition, seconds: float) -> bool:
    """Return whether a live playlist that has not changed for so long stands still."""
    return rendition.media is not None and seconds >= rendition.media.target_seconds * SURE_TARGETS
