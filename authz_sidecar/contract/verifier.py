"""Cache tokens whose signature is valid. Expiry, path and revocations are checked each time."""

import time
from collections import OrderedDict

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import Claims

CACHED_TOKENS = 50_000


class Verifier:
    """Verify tokens against the ring in force. Only valid ones are cached, so invalid ones cannot evict them.

    The cache is cleared when the ring changes: a key may have been removed.
    """

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._ring = keys.ring
        self.asked = self.misses = 0
        self._cache: OrderedDict[str, Claims] = OrderedDict()  # most recently used last

    def verify(self, token: str) -> Claims:
        """Return the token's claims; raise TokenRefused."""
        if self._ring is not self._keys.ring:
            self._ring = self._keys.ring
            self._cache.clear()
        self.asked += 1
        claims = self._cache.get(token)
        if claims is None:
            return self._verify_and_cache(token)
        self._cache.move_to_end(token)
        return claims

    def _verify_and_cache(self, token: str) -> Claims:
        self.misses += 1
        claims = self._cache[token] = self._keys.verify(token, time.time())
        if len(self._cache) > CACHED_TOKENS:
            self._cache.popitem(last=False)
        return claims

    @property
    def hits(self) -> int:
        return self.asked - self.misses
