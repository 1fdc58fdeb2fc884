"""The verifier caches valid signatures, and nothing else."""

import time
from hashlib import sha256

import pytest

from authz_sidecar.contract.fingerprint import fingerprint
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import Claims, TokenRefused
from authz_sidecar.contract.verifier import CACHED_TOKENS, Verifier
from tests.support.data.forging import CODE, EVENT_ID, RING, with_claims


class Believing(KeySource):
    """A key source that accepts every token without verifying it."""

    def verify(self, token: str, now: float) -> Claims:  # noqa: ARG002
        return Claims(EVENT_ID, 0, 1, token)


def test_a_token_that_was_verified_is_cached() -> None:
    verifier, token = Verifier(KeySource(RING)), with_claims(iat=0)
    assert verifier.verify(token) is verifier.verify(token)


def test_a_refused_token_is_not_cached() -> None:
    """A token that is not valid yet becomes valid; a cached refusal would lock its viewer out."""
    verifier, early = Verifier(KeySource(RING)), int(time.time()) + 3600
    token = with_claims(iat=early, exp=early + 60)
    for _ in range(2):
        with pytest.raises(TokenRefused):
            verifier.verify(token)
    assert len(verifier._cache) == 0


def test_another_encoding_of_a_cached_token_is_refused() -> None:
    verifier, token = Verifier(KeySource(RING)), with_claims(iat=0)
    verifier.verify(token)
    with pytest.raises(TokenRefused):
        verifier.verify(token + "=")


def test_logs_name_a_ticket_by_twelve_hex_digits() -> None:
    assert fingerprint(CODE) == sha256(CODE.encode()).hexdigest()[:12]


def test_the_cache_is_bounded_and_a_token_in_use_is_not_evicted() -> None:
    verifier = Verifier(Believing(RING))
    verifier.verify("in use")
    for number in range(3 * CACHED_TOKENS):
        verifier.verify(str(number))
        if number % 10_000 == 0:
            verifier.verify("in use")
    assert verifier.misses == 3 * CACHED_TOKENS + 1
    assert len(verifier._cache) <= CACHED_TOKENS
