"""The key ring: several keys at once, each with its own algorithm."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authz_sidecar.contract.keys import Key, KeyRing
from authz_sidecar.contract.playback_token import Claims, TokenRefused, mint, verify
from tests.support.data.forging import CLAIMS, EVENT_ID, HEADER, NOW, RING, SECRET, SID, forge, good_token

VIEWER = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 3600, sub="K7F2X9M4B1C3", sid=SID)
OLD, NEW = (Key(kid, "HS256", secret, secret) for kid, secret in (("old", b"o" * 32), ("new", b"n" * 32)))


def ed25519(kid: str = "ed") -> Key:
    private = Ed25519PrivateKey.generate()
    return Key(kid, "EdDSA", private.public_key(), private)


def verify_only(key: Key) -> Key:
    return Key(key.kid, key.algorithm, key.verifying, None)


def test_a_secret_under_32_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 characters"):
        KeyRing.from_secret("x" * 31)
    assert KeyRing.from_secret("x" * 32)


def test_an_empty_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        KeyRing([])


def test_tokens_of_a_rotated_secret_are_valid_until_the_old_key_is_removed() -> None:
    token = mint(VIEWER, KeyRing([OLD]))
    assert verify(token, KeyRing([NEW, OLD]), NOW) == VIEWER
    with pytest.raises(TokenRefused, match="unknown key"):
        verify(token, KeyRing([NEW]), NOW)


def test_the_first_key_of_the_ring_signs() -> None:
    assert verify(mint(VIEWER, KeyRing([NEW, OLD])), KeyRing([NEW]), NOW) == VIEWER


def test_a_token_is_checked_against_the_key_it_names_and_no_other() -> None:
    token = forge(HEADER | {"kid": "new"}, CLAIMS, secret=b"o" * 32)
    with pytest.raises(TokenRefused):
        verify(token, KeyRing([NEW, OLD]), NOW)


def test_a_token_without_kid_is_refused_by_a_ring_of_named_keys() -> None:
    with pytest.raises(TokenRefused):
        verify(good_token(), KeyRing([Key("named", "HS256", SECRET.encode(), None)]), NOW)


def test_an_edge_with_public_keys_verifies_and_cannot_mint() -> None:
    key = ed25519()
    edge = KeyRing([verify_only(key)])
    assert verify(mint(VIEWER, KeyRing([key])), edge, NOW) == VIEWER
    with pytest.raises(ValueError, match="not mint"):
        mint(VIEWER, edge)


def test_a_public_key_is_not_accepted_as_a_secret() -> None:
    public = ed25519().verifying
    for encoding, form in ((Encoding.Raw, PublicFormat.Raw), (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        token = forge(HEADER | {"kid": "ed"}, CLAIMS, secret=public.public_bytes(encoding, form))
        with pytest.raises(TokenRefused):
            verify(token, KeyRing([Key("ed", "EdDSA", public, None)]), NOW)


def test_the_header_cannot_choose_another_algorithm_than_the_keys() -> None:
    key = ed25519()
    as_named = Key(None, "EdDSA", key.verifying, key.signing)
    with pytest.raises(TokenRefused):
        verify(mint(VIEWER, KeyRing([as_named])), RING, NOW)
    with pytest.raises(TokenRefused):
        verify(good_token(), KeyRing([as_named]), NOW)
