"""Codes: how they are generated, and which typed texts are accepted."""

import json
import string
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.playback_token import CODE
from control_plane.codes import ALPHABET, bare, canonical, new_code, parse_code
from control_plane.errors import MalformedRequest
from tests.support.waiting import HANGS_AFTER_SECONDS

BASE62 = string.ascii_letters + string.digits
TYPED = json.loads((Path(__file__).parents[1] / "support" / "typed_codes.json").read_text(encoding="utf-8"))


def test_a_new_code_has_twelve_unambiguous_characters_and_fits_a_playback_token() -> None:
    for _ in range(300):
        code = new_code()
        assert len(code) == 12
        assert not set(code) & set("0O1lI")
        assert CODE.fullmatch(code)


def test_a_new_code_has_sixty_bits_even_without_case_and_look_alikes() -> None:
    assert len(set(canonical(ALPHABET))) ** 12 >= 2**60


def test_no_two_codes_are_alike() -> None:
    assert len({new_code() for _ in range(10_000)}) == 10_000


def test_every_character_is_drawn_equally_often() -> None:
    """Chi-squared with 31 degrees of freedom exceeds 100 in about one of a hundred million runs."""
    counts = Counter("".join(new_code() for _ in range(10_000)))
    expected = 120_000 / 32
    assert sum((counts[character] - expected) ** 2 / expected for character in ALPHABET) < 100


@given(st.text(alphabet=BASE62, min_size=1, max_size=64), st.text(alphabet=" \t\n\u00a0"))
def test_text_around_a_code_is_removed(code: str, space: str) -> None:
    assert parse_code(f"{space}{code}{space}") == code


@pytest.mark.parametrize(("typed", "code"), TYPED)
def test_the_code_is_found_in_typed_and_pasted_text(typed: str, code: str) -> None:
    assert bare(typed) == code


@given(st.text(alphabet=BASE62, min_size=8, max_size=64), st.text(alphabet="-_.,;!?()[]<>\"'\u200b\u200d\u00ad\u202e "))
def test_characters_other_than_letters_and_digits_are_ignored(code: str, other: str) -> None:
    assert bare(other.join(["", code[:3], code[3:], ""])) == code


@given(st.text())
def test_reading_a_code_again_does_not_change_it(typed: str) -> None:
    assert bare(bare(typed)) == bare(typed)


@pytest.mark.parametrize("filling", ["e\u0301\u0327", ":", "/#", "%C3", "\u200b", "\ufdfa", "#"])
def test_a_text_of_64_kilobytes_does_not_hang(filling: str) -> None:
    began = time.process_time()
    with pytest.raises(MalformedRequest):
        parse_code(filling * (64 * 1024 // len(filling.encode())))
    parse = time.process_time() - began
    bare((filling * 1000)[:1000])
    assert parse + time.process_time() - began < HANGS_AFTER_SECONDS


@pytest.mark.parametrize(
    ("typed", "ticket"),
    [
        ("k7f2x9m4b1c3", "K7F2X9M4B1C3"),
        ("K7F2X9M4BlC3", "K7F2X9M4B1C3"),
        ("KOOL11111111", "k00lIlIlIlIl"),
        ("Кооl2027", "K00L2027"),  # noqa: RUF001 - Cyrillic
        ("ΚΟΟΛ", "K00Λ"),
        ("İıIi2027", "11112027"),  # noqa: RUF001 - Turkish
        ("K7F2X9M4\u0663\u06f9", "K7F2X9M439"),
    ],
)
def test_look_alikes_are_equal(typed: str, ticket: str) -> None:
    assert canonical(typed) == canonical(ticket)


@given(st.text(alphabet=BASE62))
def test_unambiguous_letters_stay_different(code: str) -> None:
    assert canonical(code) == code.upper().translate(str.maketrans("OIL", "011"))


@pytest.mark.parametrize("short", ["a", "K7F2X9M"])
def test_a_code_too_short_for_any_ticket_is_a_wrong_code_and_not_a_malformed_one(short: str) -> None:
    assert parse_code(short) == short


@pytest.mark.parametrize(
    "text",
    [
        None, "", "   ", 12345678, 1.5, True, [], ["K7F2X9M4B1C3"], {}, "K" * 65, "K7F2X9M4é",
        "K7F2X9M4Λ", "チケット", "\ud800", "%", "_", " --", "K" * 1001, "K7F2X9M4B1C3" + " " * 1000,
    ],
)  # fmt: skip
def test_texts_that_cannot_be_codes_are_malformed(text: object) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_code(text)
    assert str(caught.value)
