"""Carriers of the token: their order, and that the first one present decides."""

import pytest

from authz_sidecar.carriers import token_of

BEARER = {b"authorization": b"Bearer from-header"}
QUERY = {b"x-gate-query-token": b"from-query"}
COOKIE = {b"cookie": b"sg_playback=from-cookie"}
PATH = {b"x-gate-path-token": b"from-path"}


def test_a_request_without_any_carrier_has_no_token() -> None:
    assert token_of({b"x-gate-path": b"/streams/", b"user-agent": b"Bearer x"}) is None


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (BEARER, "from-header"),
        (QUERY, "from-query"),
        (COOKIE, "from-cookie"),
        (PATH, "from-path"),
        (PATH | COOKIE, "from-cookie"),
        (PATH | COOKIE | QUERY, "from-query"),
        (PATH | COOKIE | QUERY | BEARER, "from-header"),
    ],
)
def test_the_first_carrier_in_the_order_of_preference_decides(headers: dict[bytes, bytes], token: str) -> None:
    assert token_of(headers) == token


@pytest.mark.parametrize(
    ("bad", "token"),
    [
        ({b"authorization": b"Bearer bad token"}, "bad token"),
        ({b"authorization": b"Bearer "}, ""),
        ({b"authorization": b"Bearer"}, ""),
        ({b"x-gate-query-token": b""}, ""),
        ({b"cookie": b"sg_playback="}, ""),
    ],
)
def test_an_invalid_first_carrier_is_refused_despite_a_valid_second_one(bad: dict[bytes, bytes], token: str) -> None:
    assert token_of(PATH | bad) == token


@pytest.mark.parametrize("scheme", [b"Basic", b"Token", b"Bearerx", b"", b"Digest"])
def test_another_scheme_is_not_a_carrier(scheme: bytes) -> None:
    assert token_of({b"authorization": scheme + b" dXNlcjpwYXNz"}) is None
    assert token_of({b"authorization": scheme + b" dXNlcjpwYXNz"} | COOKIE) == "from-cookie"


@pytest.mark.parametrize("value", [b"bearer x", b"BEARER x", b"Bearer   x", b"Bearer x  "])
def test_the_scheme_is_read_in_any_case_and_with_any_number_of_spaces(value: bytes) -> None:
    assert token_of({b"authorization": value}) == "x"


@pytest.mark.parametrize(
    "cookie", [b"sg_resume=x", b"sg_admin=x", b"xsg_playback=x", b"sg_playback", b"SG_PLAYBACK=x", b""]
)
def test_other_cookies_are_not_carriers(cookie: bytes) -> None:
    assert token_of({b"cookie": cookie}) is None


def test_bytes_that_are_not_text_are_passed_on_and_refused() -> None:
    assert token_of({b"authorization": b"Bearer \xff\xfe"}) == "\xff\xfe"
