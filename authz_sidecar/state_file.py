"""The sidecar's memory across a restart: the revocations in force and the cursor that they are good for.

It is written whole beside its place and renamed over it, so a crash leaves the old file or the new one. Its
modification time says when the revocations were last known to be complete. JSON, a line for some entries, so that
writing a million of them never holds up the thread that answers.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final

from authz_sidecar.contract.feed import READS, Cursor, Kind
from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from authz_sidecar.revocations import EVERY_TOKEN, Refusal, Revocations

_KINDS: Final = frozenset(kind.value for kind in Kind)
_READ_BEFORE: Final = ("code", "event", "session")  # by whoever wrote a file that does not say what it understood
_BREATH_SECONDS: Final = 0.001  # after each line: the interpreter is the answering thread's


class StateFileUnusable(Exception):
    """The file is cut off or makes no sense; nothing of it may be believed."""


class StateFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[str, Revocations, float] | None:
        """Return the cursor, the revocations and the time of their last sync; None when there is no file.

        The cursor is empty, so that a snapshot is asked for, when whoever wrote the file skipped what we understand.
        Raise StateFileUnusable, or OSError when it cannot be read.
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
        """Replace the file (mode 600: it names codes). Raise OSError.

        The revocations may change meanwhile: what came after the cursor is read from the feed again.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=self._path.parent, prefix=self._path.name, delete=False) as file:
            try:
                for line in _lines(cursor, revocations):
                    file.write(json.dumps(line) + "\n")
                    time.sleep(_BREATH_SECONDS)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self._path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def touch(self) -> None:
        """Note that the saved state was complete just now. Raise OSError, also when there is no file any more."""
        os.utime(self._path)


def _lines(cursor: str, revocations: Revocations) -> Iterator[dict[str, Any]]:
    yield {"cursor": cursor, "reads": sorted(READS), "completeFrom": revocations.complete_from}
    entries = 0
    for kind, part in revocations.slices():
        entries += len(part)
        yield _line(kind, part)
    yield {"end": entries}


def _line(kind: Kind, part: Mapping[str, Refusal]) -> dict[str, Any]:
    """Write entries so that a reader of before, who knows nothing of held events, refuses everybody for as long."""
    entries = {subject: (EVERY_TOKEN if one.until else one.before, one.forget_at) for subject, one in part.items()}
    held = {subject: (one.until, one.before) for subject, one in part.items() if one.until}
    return {"kind": kind.value, "entries": entries} | ({"held": held} if held else {})


def _read(file: IO[bytes]) -> tuple[str, Revocations]:
    """Read what `_lines` wrote. Raise ValueError, KeyError or TypeError for anything else."""
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
    cursor, reads = heading["cursor"], heading.get("reads", _READ_BEFORE)
    if not isinstance(cursor, str) or not Cursor.parse(cursor):
        raise ValueError("no cursor")
    return cursor if frozenset(reads) >= READS else ""


def _put(
    revocations: Revocations, kind: Kind, entries: dict[str, tuple[int, int]], held: dict[str, tuple[int, int]]
) -> None:
    for subject, (before, forget_at) in dict(entries).items():
        until, then_before = held.get(subject, (0, before))
        if not {type(time) for time in (before, forget_at, until, then_before)} == {int}:
            raise TypeError("times are whole seconds")
        revocations.put(kind, subject, then_before, forget_at, until)
