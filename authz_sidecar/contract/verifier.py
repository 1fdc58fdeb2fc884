"""Remembers that a token's signature was good. Expiry, path and revocations are asked anew each time."""

import time
from collections import OrderedDict

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
        self._good: OrderedDict[str, Claims] = OrderedDict()  # the one used last stands last

    def verify(self, token: str) -> Claims:
        """Return the token's claims; raise TokenRefused."""
        if self._ring is not self._keys.ring:
            self._ring = self._keys.ring
            self._good.clear()
        self.asked += 1
        claims = self._good.get(token)
        if claims is None:
            return self._verified(token)
        self._good.move_to_end(token)
        return claims

    def _verified(self, token: str) -> Claims:
        self.misses += 1
        claims = self._good[token] = self._keys.verify(token, time.time())
        if len(self._good) > CACHED_TOKENS:
            self._good.popitem(last=False)
        return claims

    @property
    def hits(self) -> int:
        return self.asked - self.misses
