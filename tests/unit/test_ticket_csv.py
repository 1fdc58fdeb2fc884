"""Files of codes: what is parsed from them, and the messages about invalid lines."""

import csv
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.codes import new_code
from control_plane.errors import MalformedRequest
from control_plane.tickets import csv_text, ticket_csv


def read(text: str) -> list[tuple[int, str, str | None]]:
    codes = ticket_csv.read(text.encode())
    assert codes.problems == codes.questions == []
    return [(line.number, line.code, line.label) for line in codes.lines]


def questions(text: str) -> dict[int, str]:
    codes = ticket_csv.read(text.encode())
    assert all(question.is_question for question in codes.questions)
    return {question.line: question.sentence for question in codes.questions}


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
        "sep=;\r\nSUMMER2027;Press\r\nWinter2027;\r\n",
        '\ufeff"sep=\t"\n"SUMMER2027"\t"Press"\nWinter2027\n',
        "Voucher-Code;Bemerkung;\nSUMMER2027;Press;\nWinter2027;;\n",
        "Label|Code d'accès\nPress|SUMMER-2027\n|Winter 2027\n",
        "Name;Note;Code\nAnna, Ben;Press;SUMMER2027\n;;Winter2027\n".replace("Name;Note", "Who;Label"),
        "SUMMER2027,Press,,,\nWinter2027,,,,\n",
        "“SUMMER2027”;Press\n<Winter2027>\n",
        "Code: SUMMER2027;Press\nhttps://tickets.example/#Winter2027\n",
        "コード\tlabel\nＳＵＭＭＥＲ２０２７\tPress\nWinter2027\r",  # noqa: RUF001 - full width
        "Code,Event Title,Expires At,Label,Status\r\nSUMMER2027,'=1,2027,Press,unused\r\nWinter2027,,,,revoked\r\n",
    ],
)
def test_all_formats_of_spreadsheets_give_the_same_codes(text: str) -> None:
    assert [line[1:] for line in read(text)] == [("SUMMER2027", "Press"), ("Winter2027", None)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-8"])
def test_text_is_decoded_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    codes = ticket_csv.read("Kód;Étiquette\r\nSUMMER2027;Größe 日本\r\n".encode(encoding))
    assert [tuple(line) for line in codes.lines] == [(2, "SUMMER2027", "Größe 日本")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_after_most_codes(separator: str) -> None:
    others = "".join(each for each in ",;\t|" if each != separator)
    lines = [f"Guest2027x{number * 3}{separator}Smith{others}John" for number in range(3)]
    assert [line[2] for line in read("\n".join(["First2027z", *lines]))] == [None] + [f"Smith{others}John"] * 3


@pytest.mark.parametrize("heading", ["Vouchercode", "Gutscheinnummer", "ACCESS CODE", "Codes d'accès", "Código", "קוד"])
def test_a_heading_is_never_imported(heading: str) -> None:
    assert [line[1] for line in read(f"{heading}\nSUMMER2027\n")] == ["SUMMER2027"]


@pytest.mark.parametrize("heading", ["Eintrittsberechtigung", "Wertmarken", "Adgangskode", "Белгілеме", "入場券番号"])
def test_a_first_line_of_unknown_letters_is_doubtful(heading: str) -> None:
    codes = ticket_csv.read(f"{heading}\nSUMMER2027\n".encode())
    assert [tuple(one) for one in codes.questions] == [(1, "This looks like a heading, not a code.", True)]
    assert codes.problems == []
    assert [line.code for line in codes.answered("skip").lines] == ["SUMMER2027"]
    meant_so = [heading] if heading.isascii() else []
    answered = codes.answered("import")
    assert ([line.code for line in answered.lines], answered.questions) == ([*meant_so, "SUMMER2027"], [])


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Zwischensumme", "no digit"),
        ("kjhgfdsaqwer", "no digit"),
        ("11111111", "little variety"),
        ("ABABABAB1", "little variety"),
        ("12345678", "little variety"),
        ("abcd1234", "little variety"),
        ("87654321", "little variety"),
        ("Guest20271", "plus one"),
    ],
)
def test_codes_that_are_easy_to_guess_are_doubtful(line: str, word: str) -> None:
    told = questions(f"Guest20270\n{line}\nk7F2x9M4b1C3\n")
    assert told.keys() == {2}
    assert word in told[2]
    assert line not in told[2]


def test_our_own_export_is_imported_unchanged_without_doubts() -> None:
    labels = ["=1+1", "a; =cmd()", "-5", "“quoted”", 'a "b", c', "x\t@y", "it's", "＝1"]  # noqa: RUF001 - full width
    heading = csv_text.line(("Code", "Event Title", "Expires At", "Label", "Status"))
    lines = [csv_text.line((new_code(), "A, B", "2027", label, "unused")) for label in labels]
    counted = [csv_text.line((f"ABCDEFG{number}", "A", "2027", None, "unused")) for number in (1, 2)]
    found = read(csv_text.MARK + "".join([heading, *lines, *counted]))
    assert [line[2] for line in found] == [*labels, None, None]


@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@A", "a;=1", "a; =1", "a,-1", "a\t+1", "a|@b", "a\n=1", "＝1"],  # noqa: RUF001
)
def test_no_cell_is_a_formula_whatever_the_separator_is(text: str) -> None:
    written = csv_text.line(("K7F2X9M4B1C3", text))
    for separator in ",;\t|":
        cells = [cell for line in csv.reader(written.splitlines(), delimiter=separator) for cell in line]
        assert not any(cell.strip(' "').startswith(("=", "+", "-", "@", "＝")) for cell in cells)  # noqa: RUF001


@given(st.text(alphabet="a'=+-@;,|\t\" \n"))
def test_escaped_cells_are_restored(text: str) -> None:
    if "'" not in text:
        assert csv_text.restored(csv_text.defused(text)) == text


@pytest.mark.parametrize("filling", ['"', ",", ";", "a\n", "'=", '""', "\u0301", "\r", " "])
def test_parsing_a_megabyte_takes_linear_time(filling: str) -> None:
    def seconds(size: int) -> float:
        began = time.thread_time()
        with suppress(MalformedRequest):
            ticket_csv.read((filling * size)[:size].encode()[: ticket_csv.MAX_BYTES])
        return time.thread_time() - began

    def least(size: int) -> float:
        return min(seconds(size) for _ in range(3))

    assert least(1_000_000) < 20 * max(least(100_000), 0.02)


def test_lines_are_numbered_as_in_an_editor() -> None:
    assert [line[0] for line in read("code,label\n\nSUMMER2027,Press\nWinter2027\n")] == [3, 4]
    assert problems("code\n\nok123456\nshort\n") == {
        4: "A code has 8 to 64 letters and digits, A to Z without accents."
    }


def test_codes_are_case_sensitive() -> None:
    assert [line[1] for line in read("SUMMER2027\nsummer2027\n")] == ["SUMMER2027", "summer2027"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("short12", "8 to 64"),
        ("a" * 65, "8 to 64"),
        ("with-1", "8 to 64"),
        ("???", "8 to 64"),
        ("Größe12345", "8 to 64"),
        ("\u0661" * 8, "8 to 64"),
        ("=cmd|' /C calc", "8 to 64"),
        (",Press", "8 to 64"),
        ("WINTER2027,a,b", "more columns"),
        (f"WINTER2027,{'x' * 201}", "200 characters"),
        ("FIRST12345", "line 1"),
    ],
)
def test_an_invalid_line_is_reported_by_its_number_and_never_by_its_code(line: str, word: str) -> None:
    told = problems(f"FIRST12345\n{line}\nLAST123456\n")
    assert told.keys() == {2}
    assert word in told[2]
    code = line.partition(",")[0]
    assert not code or code not in told[2]


def test_every_invalid_line_is_reported() -> None:
    assert list(problems("good12345\nbad\nGOOD12345\nbad!\ngood12345\n")) == [2, 4, 5]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"code,label\n",
        b"\xff\xfe\x00\xd8A",
        b"SUMMER2027\x00\n",
        b"PK\x03\x04\x14\x00\x08\x08",
        b'SUMMER2027,"Press\n',
        b'"SUMMER2027"x,Press\n',
    ],
)
def test_other_files_are_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as refused:
        ticket_csv.read(body)
    assert str(refused.value).endswith(".")
    assert "SUMMER2027" not in str(refused.value)


def test_at_most_ten_thousand_codes_are_read() -> None:
    lines = [f"CODE{number * 7919:08d}" for number in range(ticket_csv.MAX_LINES)]
    assert len(read("code\n" + "\n".join(lines))) == ticket_csv.MAX_LINES
    with pytest.raises(MalformedRequest, match="10,000"):
        ticket_csv.read("\n".join([*lines, "ONEMORE12"]).encode())
