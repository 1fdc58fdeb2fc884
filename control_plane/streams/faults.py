"""What is wrong with a stream, as data: the file, the severity, one word for programs and one sentence for people."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"  # neither this file nor anything that needs it plays
    WARNING = "warning"  # it plays, but not everywhere or not well


class FaultReason(StrEnum):
    """Append-only: the API publishes these words."""

    NAME = "name"  # the gate does not admit it
    MISSING = "missing"
    EMPTY = "empty"
    OUTSIDE = "outside"  # not in the event's own folder
    ELSEWHERE = "elsewhere"  # on another host
    ROOTED = "rooted"  # an address that begins with a slash
    REFUSED = "refused"
    UNREACHABLE = "unreachable"  # its origin does not deliver it
    GATE = "gate"  # the gate itself is not running
    NOT_A_PLAYLIST = "not-a-playlist"
    NOT_MEDIA = "not-media"
    NO_SEGMENTS = "no-segments"
    TOO_LARGE = "too-large"
    TOO_LONG = "too-long"
    TOO_OLD = "too-old"
    STANDS_STILL = "stands-still"
    NO_END = "no-end"
    CODEC = "codec"
    ENCRYPTION = "encryption"
    KEY = "key"
    VIEWERS = "viewers"  # their pages report it
    CUT_SHORT = "cut-short"  # not everything was checked


@dataclass(frozen=True, slots=True)
class Fault:
    """`file` is a path below the event's folder, or what the playlist says instead of one."""

    file: str
    severity: Severity
    reason: FaultReason
    sentence: str


class Failed(Exception):
    """A file could not be fetched. `reason` and `sentence` say why, as those of a fault."""

    def __init__(self, reason: FaultReason, sentence: str) -> None:
        self.reason, self.sentence = reason, sentence
        super().__init__(sentence)


def error(file: str, reason: FaultReason, sentence: str) -> Fault:
    return Fault(file, Severity.ERROR, reason, sentence)


def warning(file: str, reason: FaultReason, sentence: str) -> Fault:
    return Fault(file, Severity.WARNING, reason, sentence)
