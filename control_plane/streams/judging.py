"""What is wrong with a rendition, judged by what its playlist says and what its files begin with. Pure: no I/O."""

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
_SPOILT: Final = "It begins like no media file (MPEG-TS, MP4, AAC, MP3, AC-3, WebVTT), or it is damaged."


class Part(StrEnum):
    """What a playlist names a file as."""

    INIT = "an init segment"
    KEY = "a key"
    FIRST = "its first segment"
    NEWEST = "its newest segment"
    PIECE = "its newest part"


@dataclass(slots=True)
class InspectedRendition:
    """One rendition, as far as it was looked at. `file` is its playlist.

    `bit_rate` was measured, in bits a second; `latency` is for how long the newest segment has been over, in seconds,
    by the encoder's clock or else the server's.
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
        """Give what the bytes say; what the master playlist says where they say nothing."""
        return self.codecs or codecs.of_attribute(self.entry.codecs or "")


def of_outline(seen: InspectedRendition) -> Iterator[Fault]:
    """Judge what a media playlist says by itself."""
    media, outline, file = seen.media, seen.outline, seen.file
    if media is None or outline is None:
        return
    if not media.segments:
        yield error(file, FaultReason.NO_SEGMENTS, "It lists no segment yet.")
    if outline.longest and round(outline.longest.seconds) > media.target_seconds:
        told = f"a segment of {outline.longest.seconds:g} s, its target duration is {media.target_seconds:g} s"
        yield warning(file, FaultReason.TOO_LONG, f"It lists {told}: players may stall.")
    if outline.playlist_type == "VOD" and not media.is_complete:
        yield warning(file, FaultReason.NO_END, "It says VOD and has no #EXT-X-ENDLIST: players take it for live.")
    for key in outline.keys:
        yield from _of_key(file, key)


def _of_key(file: str, key: EncryptionKey) -> Iterator[Fault]:
    if key.key_format != "identity":
        yield error(file, FaultReason.ENCRYPTION, "It is encrypted for a DRM system, and the player has none.")
    elif key.method.startswith("SAMPLE-AES"):
        yield error(file, FaultReason.ENCRYPTION, f"It is encrypted with {key.method}. Only AES-128 plays everywhere.")
    elif key.method != "AES-128":
        told = key.method[:40] or "no method"
        yield warning(file, FaultReason.ENCRYPTION, f"It is encrypted with {told}. Only AES-128 plays everywhere.")
    elif not key.uri:
        yield error(file, FaultReason.KEY, "It is encrypted and names no key.")


def of_size(file: str, part: Part, size: int | None, playlist: str) -> Iterator[Fault]:
    """Judge a file by its size; for what is well, give nothing."""
    if size == 0:
        yield error(file, FaultReason.EMPTY, f"It is empty (0 bytes). {playlist} names it as {part}.")
    elif part is Part.KEY and size is not None and size != _KEY_BYTES:
        yield error(file, FaultReason.KEY, f"It is a key of {size} bytes; one for AES-128 has {_KEY_BYTES}.")


def of_contents(file: str, contents: MediaContents, *, is_encrypted: bool) -> Iterator[Fault]:
    """Judge a media file by its beginning. Of one that is encrypted as a whole nothing can be said."""
    if is_encrypted:
        return
    if contents.container is Container.UNKNOWN:
        yield error(file, FaultReason.NOT_MEDIA, _SPOILT)
    if contents.is_encrypted:
        yield error(
            file, FaultReason.ENCRYPTION, "Its samples are encrypted (SAMPLE-AES, cenc or cbcs), which needs a DRM."
        )


def of_codecs(renditions: Sequence[InspectedRendition]) -> Iterator[Fault]:
    """Judge what the renditions are encoded with; what has a rendition of its kind beside it that plays is milder."""
    for kind in RenditionKind:
        alike = [seen for seen in renditions if seen.entry.kind is kind]
        has_way_out = any(seen.all_codecs and _plays(seen) is Playability.EVERYWHERE for seen in alike)
        for seen in alike:
            for codec in seen.all_codecs:
                yield from _of_codec(seen, codec, has_way_out=has_way_out)


def _of_codec(seen: InspectedRendition, codec: Codec, *, has_way_out: bool) -> Iterator[Fault]:
    told = codecs.of_attribute(seen.entry.codecs or "")
    untrue = " although the master playlist says otherwise" if told and codec not in told else ""
    if codec.plays is Playability.NOWHERE:
        yield error(seen.file, FaultReason.CODEC, f"It is encoded as {codec.name}{untrue}, which browsers do not play.")
    elif codec.plays is Playability.SOMEWHERE:
        where = "which most browsers do not play"
        severity = warning if has_way_out else error
        yield severity(seen.file, FaultReason.CODEC, f"It is encoded as {codec.name}{untrue}, {where}.")
    elif codec.plays is Playability.MOSTLY:
        sentence = f"It is encoded as {codec.name}{untrue}, which older browsers and phones do not play."
        yield warning(seen.file, FaultReason.CODEC, sentence)


def _plays(seen: InspectedRendition) -> Playability:
    return max((codec.plays for codec in seen.all_codecs), key=list(Playability).index, default=Playability.EVERYWHERE)


def of_ends(renditions: Sequence[InspectedRendition]) -> Iterator[Fault]:
    """Find what goes on beside renditions that have ended: a player waits for it for ever."""
    if any(seen.is_over for seen in renditions):
        for seen in renditions:
            if seen.is_live:
                sentence = "It has no #EXT-X-ENDLIST, but other renditions do: players wait for more."
                yield error(seen.file, FaultReason.NO_END, sentence)


def of_movement(
    before: Sequence[InspectedRendition], after: Sequence[InspectedRendition], seconds: float
) -> Iterator[Fault]:
    """Compare two looks: find live renditions that stand still, one beside others that move or all of them."""
    pairs = [(seen, later) for seen, later in zip(before, after, strict=True) if seen.is_live and later.media]
    some_move = any(has_moved(seen, later) for seen, later in pairs)
    for seen, later in pairs:
        if has_moved(seen, later) or not is_long_enough(seen, seconds):
            continue
        if some_move:
            sentence = f"It has not changed for at least {seconds:.0f} s, although others have: it stands still."
            yield error(seen.file, FaultReason.STANDS_STILL, sentence)
        else:
            how_long = max(seconds, later.latency or 0)
            sentence = f"It has not changed for {how_long:.0f} s. Either the encoder has stopped, or {_NO_END}"
            yield error(seen.file, FaultReason.TOO_OLD, sentence)


def has_moved(before: InspectedRendition, after: InspectedRendition) -> bool:
    return bool(before.media and after.media and before.media.position != after.media.position)


def is_long_enough(seen: InspectedRendition, seconds: float) -> bool:
    """Tell whether a live playlist without a change for so long stands still."""
    return seen.media is not None and seconds >= seen.media.target_seconds * SURE_TARGETS
