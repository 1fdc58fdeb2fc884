"""Codes that others may guess, and lines that are hardly codes: asked about, not refused, as some are meant so."""

import unicodedata
from itertools import pairwise
from typing import Final

HEADING: Final = "This looks like a heading, not a code."
_WORD: Final = "This looks like a word, not a code: it has no digit."
_PLAIN: Final = "This code is easy to guess: it has little variety."
_COUNTED: Final = "This code is the one before it plus one: anyone who has one can guess the other."
_FEW_CHARACTERS: Final = 5
_UNLIKE_STEPS: Final = 1


def question(code: str, before: str | None) -> str | None:
    """Say what is doubtful about a code, given the one in the line before it."""
    if is_word(code):
        return _WORD
    if len(set(code.upper())) < _FEW_CHARACTERS or _is_sequence(code.upper()):
        return _PLAIN
    return _COUNTED if before and _follows(before, code) else None


def is_word(text: str) -> bool:
    """Tell whether there is no digit of any script."""
    return not any(unicodedata.category(each)[0] == "N" for each in text)


def _is_sequence(code: str) -> bool:
    """Tell whether nearly all neighbours are alike or follow each other, as in 12345678, ABCDEFGH and AAAA1111."""
    steps = [abs(ord(one) - ord(other)) for one, other in pairwise(code)]
    return sum(step > 1 for step in steps) <= _UNLIKE_STEPS


def _follows(before: str, code: str) -> bool:
    if len(before) != len(code):
        return False
    start = next((place for place, both in enumerate(zip(before, code, strict=True)) if both[0] != both[1]), len(code))
    one, other = before[start:], code[start:]
    if not (one.isdecimal() and other.isdecimal()):
        return False
    return int(other) - int(one) == 1
