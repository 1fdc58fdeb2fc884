"""The sidecar's state across a restart: the revocations in force and the cursor that they correspond to.

It is written to a temporary file that is renamed, so a crash leaves the old file or the new one. Its modification time
is when the revocations were last known to be complete. The format is JSON lines with a limited number of entries each,
so that writing a million entries never delays the thread that answers nginx.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from authz_sidecar.contract.feed import SUPPORTED_ENTRIES, Cursor, Kind
from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from authz_sidecar.contract.whole_files import replacing
from authz_sidecar.revocations import EVERY_TOKEN, RefusedBefore, Revocations

_KINDS: Final = frozenset(kind.value for kind in Kind)
_DEFAULT_READS: Final = ("code", "event", "session")  # understood by the writer of a file without "reads"
_PAUSE_SECONDS: Final = 0.001  # after each line, so that the thread that answers nginx can run


class StateFileUnusable(Exception):
    """The file is truncated or invalid; no part of it may be used."""


class StateFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[str, Revocations, float] | None:
        """Return the cursor, the revocations and the time of their last sync, or None if there is no file.

        The cursor is empty, to request a snapshot, if the writer of the file skipped entries that this version reads.
        Raise StateFileUnusable, or OSError if it cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                synced = os.fstat(file.fileno()).st_mtime
                return *_read(file), synced
        except FileNotFoundError:
            return None
        except (JsonRefused, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateFileUnusable(f"{type(error).__name__}: {error}") from None

    def save(self, cursor: str, revocations: Revocations) -> None:
        """Replace the file (mode 600: it contains codes). Raise OSError.

        The revocations may change meanwhile: changes after the cursor are read from the feed again.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as file:
            for line in _lines(cursor, revocations):
                file.write(f"{json.dumps(line)}\n".encode())
                time.sleep(_PAUSE_SECONDS)

    def touch(self) -> None:
        """Mark the saved state as complete now. Raise OSError, also if the file no longer exists."""
        os.utime(self._path)


def _lines(cursor: str, revocations: Revocations) -> Iterator[dict[str, Any]]:
    yield {"cursor": cursor, "reads": sorted(SUPPORTED_ENTRIES), "completeFrom": revocations.complete_from}
    entries = 0
    for kind, part in revocations.slices():
        entries += len(part)
        yield _line(kind, part)
    yield {"end": entries}


def _line(kind: Kind, part: Mapping[str, RefusedBefore]) -> dict[str, Any]:
    """Return a line that older readers, which do not know held events, read as a refusal of everyone until then."""
    entries = {subject: (EVERY_TOKEN if one.until else one.before, one.forget_at) for subject, one in part.items()}
    held = {subject: (one.until, one.before) for subject, one in part.items() if one.until}
    return {"kind": kind.value, "entries": entries} | ({"held": held} if held else {})


def _read(file: IO[bytes]) -> tuple[str, Revocations]:
    """Parse what `_lines` wrote. Raise ValueError, KeyError or TypeError for anything else."""
    heading = parse_object(file.readline())
    cursor, revocations, entries = _cursor(heading), Revocations(), 0
    revocations.complete_from = float(heading.get("completeFrom", 0))
    for line in file:
        part = parse_object(line)
        if "end" in part:
            if part["end"] != entries or file.readline():
                raise ValueError("not as many entries as were written")
            return cursor, revocations
        entries += len(part["entries"])
        if part["kind"] in _KINDS:  # a newer sidecar may have written others
            _put(revocations, Kind(part["kind"]), part["entries"], dict(part.get("held", {})))
    raise ValueError("cut off")


def _cursor(heading: dict[str, Any]) -> str:
    cursor, reads = heading["cursor"], heading.get("reads", _DEFAULT_READS)
    if not isinstance(cursor, str) or not Cursor.parse(cursor):
        raise ValueError("no cursor")
    return cursor if frozenset(reads) >= SUPPORTED_ENTRIES else ""


def _put(
    revocations: Revocations, kind: Kind, entries: dict[str, tuple[int, int]], held: dict[str, tuple[int, int]]
) -> None:
    for subject, (before, forget_at) in dict(entries).items():
        until, then_before = held.get(subject, (0, before))
        if not {type(time) for time in (before, forget_at, until, then_before)} == {int}:
            raise TypeError("times are whole seconds")
        revocations.put(kind, subject, then_before, forget_at, until)
