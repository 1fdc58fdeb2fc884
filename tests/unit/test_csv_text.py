"""Exported text is never interpreted as a formula, whatever program opens it."""

import csv
from io import StringIO

import pytest

from control_plane.tickets import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
@pytest.mark.parametrize("before", ["", "\t", "\r", "\n", ";", "seat;", "a,", "a|"])
def test_formulas_are_escaped_at_the_start_and_after_every_separator(before: str, text: str) -> None:
    defused = csv_text.defused(before + text)
    assert defused.endswith(f"{before[-1:]}'{text}")
    assert csv_text.restored(defused) == before + text


@pytest.mark.parametrize("text", ["", "front row", "a=b", "1-2", "'=1"])
def test_other_texts_are_unchanged(text: str) -> None:
    assert csv_text.defused(text) == text


def test_a_line_is_read_back_unchanged() -> None:
    values = ["a", 'says "hello"', "two\nlines", "semi;colon", "comma,", None, 7]
    [back] = csv.reader(StringIO(csv_text.line(values), newline=""))
    assert back == ["a", 'says "hello"', "two\nlines", "semi;colon", "comma,", "", "7"]
