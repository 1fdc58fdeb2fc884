"""The key ring: which keys sign playback tokens and which verify them.

The algorithm belongs to the key and is never read from a token's header (RFC 8725 section 3.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MINIMUM_SECRET_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `verifying` checks signatures, `signing` makes them (None on an edge that may only verify)."""

    kid: str | None
    algorithm: str
    verifying: Any
    signing: Any | None


class KeyRing:
    """The keys in force. The first one signs, all verify."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        if not self._keys:
            raise ValueError("The key ring is empty.")

    @classmethod
    def from_secret(cls, secret: str) -> "KeyRing":
        """Make a ring of one HS256 key without a `kid`. Raise ValueError under 32 characters (RFC 7518 section 3.2)."""
        if len(secret) < MINIMUM_SECRET_LENGTH:
            raise ValueError(f"PLAYBACK_SIGNING_SECRET needs at least {MINIMUM_SECRET_LENGTH} characters.")
        material = secret.encode()
        return cls([Key(None, "HS256", material, material)])

    @property
    def signing_key(self) -> Key:
        return self._keys[0]

    def find(self, kid: str | None) -> Key | None:
        return next((key for key in self._keys if key.kid == kid), None)
