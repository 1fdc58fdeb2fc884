"""Where the key ring comes from: a key file that may change at any time, or a plain secret while there is no file.

A changed file that makes no sense never takes the ring away that is in force. A token with an unknown `kid` makes us
look at the file first, so a key verifies from the moment it stands there: whoever signs with it can only do so later.
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
    """Holds the ring in force; `problem` says in a sentence why a changed file is not in force. For one thread."""

    def __init__(self, ring: KeyRing, file: Path | None = None, role: Role = KeyRing.for_verifying) -> None:
        self.ring = ring
        self.problem: str | None = None
        self.file = file
        self._role = role
        self._seen: _Stamp = None

    @classmethod
    def open(cls, file: Path | None, secret: str | None, role: Role) -> "KeySource":
        """Read the file, or take the secret where there is none (yet). Raise KeysRefused with a sentence."""
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

    def look(self) -> None:
        """Read the file if it is not the one seen last; costs a `stat` otherwise. Raises nothing."""
        seen = _stamp(self.file)
        if self.file is None or seen == self._seen:
            return
        self._seen = seen
        try:
            self.ring, self.problem = _read(self.file, self._role), None
        except KeysRefused as refusal:
            self.problem = str(refusal)

    def verify(self, token: str, now: float) -> Claims:
        """Return the claims of a good token; raise TokenRefused (see `playback_token.verify`)."""
        try:
            return playback_token.verify(token, self.ring, now)
        except UnknownKey:
            before = self.ring
            self.look()
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
    """Tell one state of the file from another; a rename over it is another inode. None when there is none."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
