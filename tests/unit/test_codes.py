"""Codes: how they are drawn, and what typed text can be one."""

import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.playback_token import CODE
from control_plane.refusals import MalformedRequest
from control_plane.ticketing.codes import new_code, parse_code

BASE62 = string.ascii_letters + string.digits


def test_a_new_code_has_twelve_base62_characters_and_fits_a_playback_token() -> None:
    for _ in range(200):
        code = new_code()
        assert len(code) == 12
        assert set(code) <= set(BASE62)
        assert CODE.fullmatch(code)


def test_no_two_codes_are_alike() -> None:
    assert len({new_code() for _ in range(10_000)}) == 10_000


def test_every_character_is_drawn_equally_often() -> None:
    """Chi squared with 61 degrees of freedom stays under 150 in all but one of a hundred million runs."""
    counts = Counter("".join(new_code() for _ in range(10_000)))
    expected = 120_000 / 62
    assert sum((counts[character] - expected) ** 2 / expected for character in BASE62) < 150


@given(st.text(alphabet=BASE62, min_size=1, max_size=64), st.text(alphabet=" \t\n\u00a0"))
def test_what_stands_around_a_code_is_taken_away(code: str, space: str) -> None:
    assert parse_code(f"{space}{code}{space}") == code


@pytest.mark.parametrize("short", ["a", "K7F2X9M"])
def test_a_code_too_short_for_any_ticket_is_a_wrong_code_and_not_a_malformed_one(short: str) -> None:
    assert parse_code(short) == short


@pytest.mark.parametrize(
    "text",
    [
        None, "", "   ", 12345678, 1.5, True, [], ["K7F2X9M4B1C3"], {}, "K7F2-X9M4-B1C3", "K7F2 X9M4", "K" * 65,
        "K7F2X9M4é", "K7F2X9M4\u0663", "K7F2\0X9M4", "' OR 1=1 --", "K7F2\nX9M4", "%", "_",
    ],
)  # fmt: skip
def test_what_no_code_can_be_is_malformed(text: object) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_code(text)
    assert str(caught.value)
