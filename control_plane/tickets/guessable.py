"""Easily guessed codes, and lines that hardly look like codes: questioned, not refused, as some are intended."""

import unicodedata
from itertools import pairwise
from typing import Final

HEADING: Final = "This looks like a heading, not a code."
_WORD: Final = "This looks like a word, not a code: it has no digit."
_LOW_VARIETY: Final = "This code is easy to guess: it has little variety."
_CONSECUTIVE: Final = "This code is the one before it plus one: anyone who has one can guess the other."
_MIN_DISTINCT_CHARACTERS: Final = 5
_MAX_LARGE_STEPS: Final = 1


def question(code: str, previous: str | None) -> str | None:
    """Return what is doubtful about a code, given the one in the previous line, or None if nothing is."""
    if is_word(code):
        return _WORD
    if len(set(code.upper())) < _MIN_DISTINCT_CHARACTERS or _is_sequence(code.upper()):
        return _LOW_VARIETY
    return _CONSECUTIVE if previous and _is_consecutive(previous, code) else None


def is_word(text: str) -> bool:
    """Return whether the text contains no digit of any script."""
    return not any(unicodedata.category(each)[0] == "N" for each in text)


def _is_sequence(code: str) -> bool:
    """Return whether nearly all neighbours are equal or consecutive, as in 12345678, ABCDEFGH and AAAA1111."""
    steps = [abs(ord(one) - ord(other)) for one, other in pairwise(code)]
    return sum(step > 1 for step in steps) <= _MAX_LARGE_STEPS


def _is_consecutive(previous: str, code: str) -> bool:
    if len(previous) != len(code):
        return False
    start = next((i for i, pair in enumerate(zip(previous, code, strict=True)) if pair[0] != pair[1]), len(code))
    previous_end, code_end = previous[start:], code[start:]
    if not (previous_end.isdecimal() and code_end.isdecimal()):
        return False
    return int(code_end) - int(previous_end) == 1
