"""Remembers that a token's signature was good. Expiry, path and revocations are asked anew each time."""

import time
from hashlib import sha256

from cachetools import LRUCache

from authz_sidecar.contract import playback_token
from authz_sidecar.contract.keys import KeyRing
from authz_sidecar.contract.playback_token import Claims

CACHED_TOKENS = 50_000


class Verifier:
    """Verifies tokens against a key ring; only good ones are remembered, so nobody can push them out for free."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._verified: LRUCache[str, Claims] = LRUCache(CACHED_TOKENS)

    def verify(self, token: str) -> Claims:
        """Return the token's claims; raise TokenRefused."""
        claims = self._verified.get(token)
        if claims is None:
            claims = playback_token.verify(token, self._ring, time.time())
            self._verified[token] = claims
        return claims


def ticket_fingerprint(code: str) -> str:
    """Return the first 12 hex digits of the code's SHA-256: names a ticket in logs without naming its code."""
    return sha256(code.encode()).hexdigest()[:12]
