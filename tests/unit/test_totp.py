"""Codes of authenticator apps: the examples of RFC 6238, and the window of one step."""

from base64 import b32decode, b32encode
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from control_plane.accounts import totp

SECRET = b32encode(b"12345678901234567890").decode()
# RFC 6238, appendix B, SHA-1: the last six of its eight digits are the six-digit code.
VECTORS = [
    (59, "94287082"),
    (1_111_111_109, "07081804"),
    (1_111_111_111, "14050471"),
    (1_234_567_890, "89005924"),
    (2_000_000_000, "69279037"),
    (20_000_000_000, "65353130"),
]
NOW = datetime(2026, 5, 1, 12, 0, 15, tzinfo=UTC)
STEP = totp.step_at(NOW)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_examples_of_the_rfc_match(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp.code_at(SECRET, totp.step_at(moment)) == code[-6:]
    assert totp.matching_step(SECRET, code[-6:], moment) == seconds // 30


@pytest.mark.parametrize(("step", "is_in"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_in_either_direction_is_accepted(step: int, *, is_in: bool) -> None:
    code = totp.code_at(SECRET, STEP + step)
    assert totp.matching_step(SECRET, code, NOW) == (STEP + step if is_in else None)


def test_neither_a_used_code_nor_an_older_one_is_accepted_again() -> None:
    codes = {step: totp.code_at(SECRET, STEP + step) for step in (-1, 0, 1)}
    found = {step: totp.matching_step(SECRET, code, NOW, after=STEP) for step, code in codes.items()}
    assert found == {-1: None, 0: None, 1: STEP + 1}


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٣٤٥٦٧٨", "\0" * 6])
def test_other_texts_match_nothing(code: str) -> None:
    assert totp.matching_step(SECRET, code, NOW) is None


def test_a_secret_has_160_random_bits() -> None:
    secrets = {totp.new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert {len(b32decode(secret)) for secret in secrets} == {20}


def test_an_app_reads_issuer_name_and_secret_from_the_uri() -> None:
    parts = urlsplit(totp.uri(SECRET, "Hall & Co: Tickets", "anna+1@example.org"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Hall & Co  Tickets:anna+1@example.org"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert query == {
        "secret": SECRET,
        "issuer": "Hall & Co  Tickets",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }
