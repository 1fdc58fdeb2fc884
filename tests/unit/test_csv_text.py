"""What is exported is text and stays text, whatever opens it."""

import csv
from io import StringIO

import pytest

from control_plane.ticketing import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0"])
def test_formulas_are_defused(text: str) -> None:
    assert csv_text.defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "front row", "a=b", "1-2", "'=1"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert csv_text.defused(text) == text


def test_a_line_is_read_back_as_it_was() -> None:
    values = ["a", 'says "hello"', "two\nlines", "semi;colon", "comma,", None, 7]
    [back] = csv.reader(StringIO(csv_text.line(values), newline=""))
    assert back == ["a", 'says "hello"', "two\nlines", "semi;colon", "comma,", "", "7"]
