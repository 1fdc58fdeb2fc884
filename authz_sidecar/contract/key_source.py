"""The source of the key ring: a key file that may change at any time, or a plain secret while there is no file.

An invalid new file never replaces the ring in force. The file is checked again before a token with an unknown `kid` is
refused, so a key verifies as soon as it is in the file: a signer has read it there before.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from authz_sidecar.contract import playback_token
from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from authz_sidecar.contract.playback_token import Claims, UnknownKey

FILE: Final = "PLAYBACK_KEYS_FILE"
SECRET: Final = "PLAYBACK_SIGNING_SECRET"  # noqa: S105  a name

Role = Callable[[KeyRing], KeyRing]
_Stamp = tuple[int, int, int] | None


class KeySource:
    """Hold the ring in force; `problem` is a sentence that says why a changed file is not. Not thread-safe."""

    def __init__(self, ring: KeyRing, file: Path | None = None, role: Role = KeyRing.for_verifying) -> None:
        self.ring = ring
        self.problem: str | None = None
        self.file = file
        self._role = role
        self._seen: _Stamp = None

    @classmethod
    def open(cls, file: Path | None, secret: str | None, role: Role) -> "KeySource":
        """Read the file, or use the secret while there is no file. Raise KeysRefused with a sentence."""
        seen = _stamp(file)
        if file and seen:
            ring = _read(file, role)
        elif secret:
            ring = role(KeyRing.from_secret(secret))
        elif file:
            raise KeysRefused(f"{FILE}: the file cannot be read, and {SECRET} is not set.")
        else:
            raise KeysRefused(f"{SECRET} is not set, and {FILE} is not set either.")
        source = cls(ring, file, role)
        source._seen = seen
        return source

    def reload_if_changed(self) -> None:
        """Read the file again if it has changed; otherwise this costs one `stat`. Never raises."""
        seen = _stamp(self.file)
        if self.file is None or seen == self._seen:
            return
        self._seen = seen
        try:
            self.ring, self.problem = _read(self.file, self._role), None
        except KeysRefused as refusal:
            self.problem = str(refusal)

    def verify(self, token: str, now: float) -> Claims:
        """Return the claims of a valid token; raise TokenRefused (see `playback_token.verify`)."""
        try:
            return playback_token.verify(token, self.ring, now)
        except UnknownKey:
            before = self.ring
            self.reload_if_changed()
            if self.ring is before:
                raise
        return playback_token.verify(token, self.ring, now)


def _read(file: Path, role: Role) -> KeyRing:
    try:
        return role(parse_key_set(file.read_bytes()))
    except OSError as error:
        raise KeysRefused(f"{FILE}: the file cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    except KeysRefused as refusal:
        raise KeysRefused(f"{FILE}: {refusal}.") from None


def _stamp(file: Path | None) -> _Stamp:
    """Return a value that differs for each state of the file (a rename changes the inode), or None without a file."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
