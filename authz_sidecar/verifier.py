"""Remembers that a token's signature was good. Expiry, path and revocations are asked anew each time."""

import time
from hashlib import sha256

from cachetools import LRUCache

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import Claims

CACHED_TOKENS = 50_000


class Verifier:
    """Verifies tokens against the ring in force; only good ones are remembered, so nobody can push them out for free.

    What another ring has found good is forgotten: one of its keys may have been taken away.
    """

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._ring = keys.ring
        self.asked = self.misses = 0
        self._good: LRUCache[str, Claims] = LRUCache(CACHED_TOKENS)

    def verify(self, token: str) -> Claims:
        """Return the token's claims; raise TokenRefused."""
        if self._ring is not self._keys.ring:
            self._ring = self._keys.ring
            self._good.clear()
        self.asked += 1
        claims = self._good.get(token)
        if claims is None:
            self.misses += 1
            claims = self._good[token] = self._keys.verify(token, time.time())
        return claims

    @property
    def hits(self) -> int:
        return self.asked - self.misses


def ticket_fingerprint(code: str) -> str:
    """Return the first 12 hex digits of the code's SHA-256: names a ticket in logs without naming its code."""
    return sha256(code.encode()).hexdigest()[:12]
