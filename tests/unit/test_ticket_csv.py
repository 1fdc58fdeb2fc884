"""Files of codes: what is read from them, and what is said of lines that are not right."""

import pytest

from control_plane.refusals import MalformedRequest
from control_plane.ticketing import ticket_csv


def read(text: str) -> list[tuple[int, str, str | None]]:
    codes = ticket_csv.read(text.encode())
    assert codes.problems == []
    return [(line.number, line.code, line.label) for line in codes.lines]


def problems(text: str) -> dict[int, str]:
    return {problem.line: problem.sentence for problem in ticket_csv.read(text.encode()).problems}


@pytest.mark.parametrize(
    "text",
    [
        "SUMMER2027,Press\nWinter2027,\n",
        "code,label\nSUMMER2027,Press\nWinter2027\n",
        "\ufeffCode,Label\r\nSUMMER2027,Press\r\nWinter2027,\r\n",
        "code;label\r\nSUMMER2027;Press\r\nWinter2027;\r\n",
        "SUMMER2027\tPress\nWinter2027",
        '\n\n  SUMMER2027 ,"Press"\n,\nWinter2027\n\n',
    ],
)
def test_spreadsheets_write_the_same_codes_in_many_ways(text: str) -> None:
    assert [line[1:] for line in read(text)] == [("SUMMER2027", "Press"), ("Winter2027", None)]


def test_lines_have_the_numbers_that_an_editor_shows() -> None:
    assert [line[0] for line in read("code,label\n\nSUMMER2027,Press\nWinter2027\n")] == [3, 4]
    assert problems("code\n\nok123456\nshort\n") == {
        4: "A code has 8 to 64 letters and digits, A to Z without accents."
    }


def test_codes_are_told_apart_by_their_capitals() -> None:
    assert [line[1] for line in read("SUMMER2027\nsummer2027\n")] == ["SUMMER2027", "summer2027"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("short12", "8 to 64"),
        ("a" * 65, "8 to 64"),
        ("with-dash-1", "8 to 64"),
        ("with space", "8 to 64"),
        ("Größe12345", "8 to 64"),
        ("\uff11" * 8, "8 to 64"),
        ("=cmd|' /C calc", "8 to 64"),
        (",Press", "8 to 64"),
        ("WINTER2027,a,b", "two columns"),
        (f"WINTER2027,{'x' * 201}", "200 characters"),
        ("FIRST12345", "line 1"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_never_by_its_code(line: str, word: str) -> None:
    told = problems(f"FIRST12345\n{line}\nLAST123456\n")
    assert told.keys() == {2}
    assert word in told[2]
    code = line.partition(",")[0]
    assert not code or code not in told[2]


def test_every_bad_line_is_told() -> None:
    assert list(problems("good12345\nbad\nGOOD12345\nbad!\ngood12345\n")) == [2, 4, 5]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"code,label\n",
        b"\xff\xfeS\x00U\x00",
        b"SUMMER2027\x00\n",
        b"PK\x03\x04\x14\x00\x08\x08",
        b'SUMMER2027,"Press\n',
        b'"SUMMER2027"x,Press\n',
    ],
)
def test_what_is_no_file_of_codes_is_refused_whole(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as refused:
        ticket_csv.read(body)
    assert str(refused.value).endswith(".")
    assert "SUMMER2027" not in str(refused.value)


def test_ten_thousand_codes_are_read_and_not_one_more() -> None:
    lines = [f"CODE{number:08d}" for number in range(ticket_csv.MAX_LINES)]
    assert len(read("code\n" + "\n".join(lines))) == ticket_csv.MAX_LINES
    with pytest.raises(MalformedRequest, match="10,000"):
        ticket_csv.read("\n".join([*lines, "ONEMORE12"]).encode())
