"""The key file's content: valid key rings, and errors without key material."""

import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from authz_sidecar.contract.playback_token import TokenRefused, mint, verify
from tests.support.data.forging import CLAIMS, HEADER, NOW, encode, forge, good_token
from tests.support.data.key_sets import Jwk, base64url, ed25519_key, key_set, oct_key, public, token_of

LEAK = "c2VjcmV0"  # part of all key material below; must not be in any message
ED = ed25519_key()


def member(**members: Any) -> bytes:
    return key_set(oct_key("a") | members)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not one JSON object"),
    "no JSON": (LEAK.encode(), "not one JSON object"),
    "UTF-16": (key_set(oct_key("a")).decode().encode("utf-16"), "not one JSON object"),
    "a list": (b"[]", "not one JSON object"),
    "keys twice": (b'{"keys":[],"keys":[]}', "not one JSON object"),
    "no keys": (b"{}", '"keys"'),
    "keys an object": (b'{"keys":{"kty":"oct"}}', '"keys"'),
    "no key": (b'{"keys":[]}', '"keys"'),
    "a key that is a string": (json.dumps({"keys": [LEAK]}).encode(), "key 1 is not an object"),
    "a bare key": (json.dumps(oct_key("a", LEAK.encode() * 8)).encode(), '"keys"'),
    "kty unknown": (member(kty="RSA", n=LEAK), "key 1 is neither"),
    "kty missing": (key_set({"kid": "a", "k": LEAK * 8}), "key 1 is neither"),
    "kty a list": (member(kty=["oct"]), "key 1 is neither"),
    "another curve": (key_set(public(ED) | {"crv": "Ed448"}), "key 1 is neither"),
    "an EC key": (key_set(public(ED) | {"kty": "EC", "crv": "P-256"}), "key 1 is neither"),
    "same kid twice": (key_set(oct_key("a"), ed25519_key("a")), "key 2 has the same kid as another key"),
    "two without kid": (key_set(oct_key(None), oct_key(None, b"t" * 32)), "key 2 is the second one without a kid"),
    "public key without kid": (key_set({k: v for k, v in ED.items() if k != "kid"}), "key 1 needs a kid"),
    "kid a number": (member(kid=1), "key 1 needs a kid"),
    "kid null": (member(kid=None), "key 1 needs a kid"),
    "kid empty": (member(kid=""), "key 1 needs a kid"),
    "kid with a line feed": (member(kid="a\nb"), "key 1 needs a kid"),
    "kid too long": (member(kid="a" * 65), "key 1 needs a kid"),
    "for encryption": (member(use="enc"), "key 1 is not for signatures"),
    "a secret of 31 bytes": (
        key_set(oct_key("ok"), oct_key("a", LEAK.encode()[:31])),
        "key 2 is shorter than 32 bytes",
    ),
    "a secret that is missing": (key_set({"kty": "oct", "kid": "a"}), "key 1 has no k"),
    "a secret that is a number": (member(k=123), "key 1 has no k"),
    "a secret with padding": (member(k=LEAK * 8 + "="), "key 1 has no k"),
    "a secret in plain base64": (member(k=LEAK * 8 + "+/"), "key 1 has no k"),
    "a secret of an impossible length": (member(k=LEAK * 8 + "a"), "key 1 has no k"),
    "alg of another kind": (member(alg="EdDSA"), "key 1 has another alg than HS256"),
    "alg stronger than we sign with": (member(alg="HS512"), "key 1 has another alg than HS256"),
    "alg none": (key_set(ED | {"alg": "none"}), "key 1 has another alg than EdDSA"),
    "alg HS256 on a public key": (key_set(public(ED) | {"alg": "HS256"}), "key 1 has another alg than EdDSA"),
    "x missing": (key_set({k: v for k, v in ED.items() if k != "x"}), "key 1 has no x"),
    "x short": (key_set(public(ED) | {"x": LEAK}), "key 1 has an x or d that is not 32 bytes"),
    "d short": (key_set(ED | {"d": LEAK}), "key 1 has an x or d that is not 32 bytes"),
    "d null": (key_set(ED | {"d": None}), "key 1 has no d"),
    "d of another key": (key_set(ED | {"d": ed25519_key()["d"]}), "key 1 has an x that does not belong to its d"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_invalid_file_is_refused_in_a_sentence_without_key_material(case: str) -> None:
    text, expected = REFUSED[case]
    with pytest.raises(KeysRefused) as refused:
        parse_key_set(text)
    sentence = str(refused.value)
    assert expected in sentence
    assert "\n" not in sentence
    assert not [secret for secret in (LEAK, ED["d"], ED["x"]) if secret in sentence]
    assert refused.value.__cause__ is None


def test_the_ring_keeps_the_order_of_the_file() -> None:
    ring = parse_key_set(
        key_set(oct_key("new", alg="HS256", use="sig"), ed25519_key("old", alg="EdDSA"), oct_key(None))
    )
    assert ring.kids == ["new", "old", None]
    assert [ring.find(kid) and ring.find(kid).algorithm for kid in ring.kids] == ["HS256", "EdDSA", "HS256"]  # type: ignore[union-attr]


@pytest.mark.parametrize("key", [oct_key("secret"), ED], ids=["HS256", "EdDSA"])
def test_a_token_names_the_key_that_signed_it(key: Jwk) -> None:
    token, ring = token_of(key), parse_key_set(key_set(key))
    header = jwt.get_unverified_header(token)
    assert header == {"alg": ring.signing_key.algorithm, "typ": "JWT", "kid": key["kid"]}
    assert verify(token, ring, time.time()).sub == "K7F2X9M4B1C3"


def test_a_public_key_verifies_and_cannot_sign() -> None:
    edge = parse_key_set(key_set(public(ED)))
    claims = verify(token_of(ED), edge, time.time())
    with pytest.raises(ValueError, match="not mint"):
        mint(claims, edge)
    with pytest.raises(KeysRefused, match="first key is public"):
        edge.for_signing()


def test_a_ring_for_verifying_holds_no_signing_keys() -> None:
    ring = parse_key_set(key_set(ED, oct_key("a"))).for_verifying()
    assert [ring.find(kid).signing for kid in ring.kids] == [None, None]  # type: ignore[union-attr]
    assert not hasattr(ring.signing_key.verifying, "sign")
    verify(token_of(ED), ring, time.time())


def test_a_key_does_not_print_its_material() -> None:
    assert base64url(b"s" * 32) not in repr(parse_key_set(key_set(oct_key("a"))).signing_key)
    assert "s" * 32 not in repr(parse_key_set(key_set(oct_key("a"))).signing_key)


@pytest.mark.parametrize("kid", ["ed", "secret"])
@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "none", "HS512"])
def test_no_header_turns_a_public_key_into_a_secret_or_vice_versa(kid: str, algorithm: str) -> None:
    """A ring of both kinds: an attacker knows the public key, in any encoding."""
    ring = parse_key_set(key_set(public(ED), oct_key("secret")))
    raw = public(ED)["x"]
    for secret in (raw, raw.encode() + b"=", b"", b"x" * 32):
        with pytest.raises(TokenRefused):
            verify(forge(HEADER | {"kid": kid, "alg": algorithm}, CLAIMS, secret=secret), ring, NOW)
    body = token_of(ED).split(".")
    named_otherwise = encode(json.dumps({"alg": algorithm, "typ": "JWT", "kid": "secret"}).encode())
    with pytest.raises(TokenRefused):
        verify(".".join([named_otherwise, *body[1:]]), ring, time.time())


def test_a_token_of_the_plain_secret_is_valid_while_the_file_contains_the_secret() -> None:
    token, now = token_of(oct_key(None)), time.time()
    assert "kid" not in jwt.get_unverified_header(token)
    verify(token, parse_key_set(key_set(oct_key("new", b"n" * 32), oct_key(None))), now)
    with pytest.raises(TokenRefused, match="unknown key"):
        verify(token, parse_key_set(key_set(oct_key("new", b"n" * 32))), now)


def test_a_kid_never_selects_the_key_without_one() -> None:
    ring = parse_key_set(key_set(oct_key(None, b"a signing secret of tests, long enough")))
    verify(good_token(), ring, NOW)
    for kid in ("", "None", "null"):
        with pytest.raises(TokenRefused, match="unknown key"):
            verify(forge(HEADER | {"kid": kid}, CLAIMS), ring, NOW)


def test_a_secret_and_the_same_secret_in_a_file_are_the_same_key() -> None:
    secret = "a signing secret of tests, long enough"
    assert parse_key_set(key_set(oct_key(None, secret.encode()))).signing_key == KeyRing.from_secret(secret).signing_key


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["oct", "OKP", "Ed25519", "A" * 43]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["kty", "crv", "kid", "k", "x", "d", "alg"]), inner)
    ),
)


@given(keys=JSON | st.lists(JSON))
def test_any_json_is_a_ring_or_refused(keys: object) -> None:
    try:
        ring = parse_key_set(json.dumps({"keys": keys}).encode())
    except KeysRefused:
        return
    assert len(set(ring.kids)) == len(ring.kids) > 0


@given(text=st.binary())
def test_random_bytes_cause_no_other_error(text: bytes) -> None:
    with pytest.raises(KeysRefused):
        parse_key_set(text)
