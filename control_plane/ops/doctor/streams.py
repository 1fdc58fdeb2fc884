"""Check that each open event's stream exists, is readable, has no links, and has playlists that are renamed into place.

A playlist that is rewritten in place is sometimes read half-written, and the player stalls. One that is renamed into
place is a different file (another inode) each time, which is how the two are distinguished.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from authz_sidecar.contract.origin_settings import names_origin
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import stream_root
from control_plane.streams.names import is_playlist
from control_plane.tables import Event

_MASTER: Final = "stream.m3u8"
_LIVE_WITHIN_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.1
_LARGEST_PLAYLIST: Final = 1024 * 1024
_FIX_PERMISSIONS: Final = "Make the files and folders readable by the user that runs the service."
_RENAME: Final = (
    "Make the encoder write a temporary file and rename it (ffmpeg: -hls_flags temp_file), "
    "or serve it from UPSTREAM_ORIGIN."
)


def examine(installation: Installation, events: Sequence[Event], now: datetime) -> list[Finding]:
    root = stream_root(installation.home, installation.environment)
    if root is None:
        return []
    if not root.is_dir():
        return [
            error(str(root), "STREAM_ROOT is not a folder.", "Create it, or set STREAM_ROOT to where the streams are.")
        ]
    has_origin = names_origin(installation.environment)
    findings = [finding for event in events for finding in _event(root / event.id, event, now, has_origin=has_origin)]
    return findings + _watch([root / event.id for event in events], installation.watch_seconds)


def about(event: Event) -> str:
    return f"stream {event.id}"


def _event(folder: Path, event: Event, now: datetime, *, has_origin: bool) -> Iterator[Finding]:
    what = about(event)
    has_begun = event.starts_at <= now
    report = error if has_begun else warning
    if not os.path.lexists(folder):
        if has_origin:
            yield ok(what, "No folder here: it comes from the origin.")
        else:
            yield report(what, "Its folder does not exist.", f"Make the encoder write to {folder}.")
        return
    links = [path for path in (folder, *_inside(folder)) if path.is_symlink()]
    if links:
        yield error(
            what, f"{links[0]} is a symbolic link, and nginx follows no links.", "Put the files themselves into it."
        )
    elif unreadable := [path for path in (folder, *_inside(folder)) if not _is_readable(path)]:
        yield error(what, f"{unreadable[0]} cannot be read.", _FIX_PERMISSIONS)
    elif not (folder / _MASTER).is_file():
        yield report(what, f"It has no {_MASTER}.", f"Make the encoder name its playlist {_MASTER}.")
    else:
        yield ok(what, "The folder and the playlist exist.")


def _inside(folder: Path) -> Iterator[Path]:
    """Yield playlists, folders and links, but no segments: there may be very many."""
    if folder.is_dir():
        for entry in os.scandir(folder):
            if entry.is_dir() or entry.is_symlink() or is_playlist(entry.name):
                yield Path(entry.path)


def _is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)


def _watch(folders: Sequence[Path], seconds: float) -> list[Finding]:
    """Watch live playlists for some seconds; those that do not change in that time are not reported."""
    live = [playlist for folder in folders for playlist in _playlists(folder) if _is_live(playlist)]
    in_place, renamed = _classify(live, seconds)
    findings = [
        warning(str(path), "It is rewritten in place: some reads are incomplete.", _RENAME) for path in in_place
    ]
    if renamed:
        findings.append(ok("live playlists", f"Replaced atomically: {len(renamed)}."))
    return findings


def _playlists(folder: Path) -> Iterator[Path]:
    if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
        yield from folder.glob("*.m3u8")
        yield from folder.glob("*/*.m3u8")


def _is_live(playlist: Path) -> bool:
    try:
        found = playlist.stat()
        is_fresh = time.time() - found.st_mtime < _LIVE_WITHIN_SECONDS and found.st_size < _LARGEST_PLAYLIST
        return is_fresh and b"#EXT-X-ENDLIST" not in playlist.read_bytes()
    except OSError:
        return False


def _classify(playlists: Sequence[Path], seconds: float) -> tuple[list[Path], list[Path]]:
    """Return those rewritten in place and those renamed. Keeping the file open prevents its inode from being reused."""
    in_place, renamed = [], []
    with ExitStack() as files:
        watched = {path: files.enter_context(path.open("rb")) for path in playlists}
        first = {path: os.fstat(file.fileno()).st_mtime_ns for path, file in watched.items()}
        deadline = time.monotonic() + seconds
        while watched and time.monotonic() < deadline:
            for path, file in list(watched.items()):
                if os.fstat(file.fileno()).st_mtime_ns != first[path]:
                    in_place.append(path)
                    del watched[path]
                elif _is_replaced(path, file):
                    renamed.append(path)
                    del watched[path]
            time.sleep(_POLL_SECONDS)
    return in_place, renamed


def _is_replaced(path: Path, file: IO[bytes]) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False  # between two renames, or deleted
