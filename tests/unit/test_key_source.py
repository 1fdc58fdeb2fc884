"""The source of the key ring: a file that may change at any time, or the secret until there is one."""

import time
from pathlib import Path

import pytest

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from authz_sidecar.contract.playback_token import TokenRefused
from authz_sidecar.contract.verifier import Verifier
from tests.support.data.forging import SECRET
from tests.support.data.key_sets import Jwk, ed25519_key, oct_key, public, token_of, write_keys, write_text

OLD, NEW = oct_key("old", b"o" * 32), oct_key("new", b"n" * 32)
PLAIN = oct_key(None, SECRET.encode())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "playback.json"


def opened(file: Path, *keys: Jwk) -> KeySource:
    write_keys(file, *keys)
    return KeySource.open(file, None, KeyRing.for_verifying)


def is_good(keys: KeySource | Verifier, token: str) -> bool:
    try:
        (keys.verify(token) if isinstance(keys, Verifier) else keys.verify(token, time.time()))
    except TokenRefused:
        return False
    return True


def test_the_file_replaces_the_secret(file: Path) -> None:
    write_keys(file, NEW)
    keys = KeySource.open(file, SECRET, KeyRing.for_signing)
    assert keys.ring.kids == ["new"]
    assert not is_good(keys, token_of(PLAIN))


def test_the_secret_is_the_key_until_there_is_a_file(file: Path) -> None:
    keys = KeySource.open(file, SECRET, KeyRing.for_signing)
    keys.reload_if_changed()
    assert keys.ring.kids == [None]
    write_keys(file, NEW)
    keys.reload_if_changed()
    assert keys.ring.kids == ["new"]


@pytest.mark.parametrize("has_file", [True, False])
def test_without_file_and_secret_the_start_fails(file: Path, has_file: bool) -> None:  # noqa: FBT001
    with pytest.raises(KeysRefused, match="PLAYBACK_SIGNING_SECRET is not set"):
        KeySource.open(file if has_file else None, None, KeyRing.for_verifying)


def test_an_invalid_file_does_not_fall_back_to_the_secret(file: Path) -> None:
    write_text(file, b"{}")
    with pytest.raises(KeysRefused, match=r"^PLAYBACK_KEYS_FILE: "):
        KeySource.open(file, SECRET, KeyRing.for_verifying)
    with pytest.raises(KeysRefused, match=r"^PLAYBACK_KEYS_FILE: the file cannot be read: is a directory"):
        KeySource.open(file.parent, SECRET, KeyRing.for_verifying)


def test_a_key_verifies_as_soon_as_it_is_in_the_file(file: Path) -> None:
    """A signer has read the file before, so no token can arrive too early for a sidecar on the same host."""
    for newest in (oct_key(f"k{number}", bytes([number]) * 32) for number in range(50)):
        keys = opened(file, OLD)
        write_keys(file, newest, OLD)
        assert is_good(keys, token_of(newest))
        assert is_good(keys, token_of(OLD))


def test_a_flood_of_unknown_kids_does_not_block_a_new_key(file: Path) -> None:
    keys, stranger = opened(file, OLD), token_of(oct_key("stranger"))
    assert not any(is_good(keys, stranger) for _ in range(100))
    write_keys(file, NEW, OLD)
    assert is_good(keys, token_of(NEW))


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    keys = opened(file, OLD)
    ring = keys.ring
    keys.reload_if_changed()
    assert not is_good(keys, token_of(NEW))
    assert keys.ring is ring


@pytest.mark.parametrize("text", [b"", b"{", b'{"keys":[]}', b'{"keys":[{"kty":"oct","kid":"a","k":"c2hvcnQ"}]}'])
def test_an_invalid_new_file_leaves_the_old_ring_in_force_and_is_reported(file: Path, text: bytes) -> None:
    keys = opened(file, OLD)
    write_text(file, text)
    keys.reload_if_changed()
    assert is_good(keys, token_of(OLD))
    assert keys.problem
    assert keys.problem.startswith("PLAYBACK_KEYS_FILE: ")
    write_keys(file, NEW)
    keys.reload_if_changed()
    assert keys.ring.kids == ["new"]
    assert not keys.problem


def test_a_deleted_file_leaves_its_ring_in_force(file: Path) -> None:
    write_keys(file, OLD)
    keys = KeySource.open(file, SECRET, KeyRing.for_verifying)
    file.unlink()
    keys.reload_if_changed()
    assert (keys.ring.kids, keys.problem) == (
        ["old"],
        "PLAYBACK_KEYS_FILE: the file cannot be read: no such file or directory.",
    )


def test_a_control_plane_keeps_its_key_when_the_new_file_has_only_public_ones(file: Path) -> None:
    write_keys(file, OLD)
    keys = KeySource.open(file, None, KeyRing.for_signing)
    write_keys(file, public(ed25519_key()))
    keys.reload_if_changed()
    assert keys.ring.kids == ["old"]
    assert keys.problem
    assert "not sign" in keys.problem


def test_a_sidecar_keeps_no_private_key(file: Path) -> None:
    keys = opened(file, ed25519_key(), OLD)
    assert keys.ring.signing_key.signing is None
    write_keys(file, ed25519_key(), OLD)
    keys.reload_if_changed()
    assert keys.ring.signing_key.signing is None


def test_a_cached_token_is_refused_after_its_key_is_removed(file: Path) -> None:
    keys = opened(file, NEW, OLD)
    verifier, token = Verifier(keys), token_of(OLD)
    assert is_good(verifier, token)
    write_keys(file, NEW)
    keys.reload_if_changed()
    assert not is_good(verifier, token)
    assert is_good(verifier, token_of(NEW))


def test_a_cached_token_is_refused_after_another_tokens_unknown_kid_loaded_the_new_file(file: Path) -> None:
    verifier, token = Verifier(opened(file, OLD)), token_of(OLD)
    assert is_good(verifier, token)
    write_keys(file, NEW)
    assert is_good(verifier, token_of(NEW))
    assert not is_good(verifier, token)
