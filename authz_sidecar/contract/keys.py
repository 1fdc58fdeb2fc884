"""The key ring: which keys sign playback tokens and which verify them.

The algorithm belongs to the key and is never read from a token's header (RFC 8725 section 3.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

MINIMUM_SECRET_LENGTH = 32


class KeysRefused(ValueError):
    """The keys are invalid. The message says what is wrong and never shows key material."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `verifying` checks signatures, `signing` makes them (None on an edge that may only verify)."""

    kid: str | None
    algorithm: str
    verifying: Any = field(repr=False)
    signing: Any | None = field(repr=False)


class KeyRing:
    """The keys in force. The first one signs, all verify. At most one has no `kid`: the plain secret."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        if not self._keys:
            raise KeysRefused("The key ring is empty.")

    @classmethod
    def from_secret(cls, secret: str) -> "KeyRing":
        """Return a ring of one HS256 key without a `kid`. Raise KeysRefused if it is shorter than 32 characters.

        Source: RFC 7518 section 3.2.
        """
        if len(secret) < MINIMUM_SECRET_LENGTH:
            raise KeysRefused(f"PLAYBACK_SIGNING_SECRET needs at least {MINIMUM_SECRET_LENGTH} characters.")
        material = secret.encode()
        return cls([Key(None, "HS256", material, material)])

    @property
    def signing_key(self) -> Key:
        return self._keys[0]

    @property
    def kids(self) -> list[str | None]:
        """The ids of the keys, the signing key first; None is the plain secret."""
        return [key.kid for key in self._keys]

    def find(self, kid: str | None) -> Key | None:
        return next((key for key in self._keys if key.kid == kid), None)

    def for_signing(self) -> "KeyRing":
        """Return the ring as the control plane needs it. Raise KeysRefused if its first key cannot sign."""
        if self.signing_key.signing is None:
            raise KeysRefused("the first key is public and can verify playback tokens, not sign them")
        return self

    def for_verifying(self) -> "KeyRing":
        """Return the ring as the sidecar needs it: without private keys."""
        return KeyRing(replace(key, signing=None) for key in self._keys)
