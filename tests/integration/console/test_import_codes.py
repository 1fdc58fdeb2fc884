"""The console's import: codes are pasted, checked, and imported once there are no errors or open questions."""

import html
import re

from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.browsers.console import NOWHERE, validate

DOUBTFUL = "Ticketnummern;Bemerkung\nk7F2x9M4b1;Reihe 1\nGartenparty;\n"


def remarks(page: Response) -> dict[int, tuple[str, str]]:
    """Return the page's remarks about lines: the line's text and the sentence."""
    rows = re.findall(r'">Line (\d+)</th>.*?">(.*?)</td>.*?">(.*?)</td>', page.text, re.DOTALL)
    return {int(line): (html.unescape(text), html.unescape(sentence)) for line, text, sentence in rows}


def buttons(page: Response) -> dict[str, str]:
    """Return the texts of the import buttons, by the answer that they send."""
    return dict(re.findall(r'name="doubtful" value="(\w+)">([^<]+)</button>', page.text))


def test_valid_codes_are_checked_first_and_then_imported(admin: TestClient, event: str) -> None:
    assert f'href="{event}/import"' in admin.get(event).text
    sent = {"codes": "code,label\r\nk7F2x9M4b1,Row 5\r\nZ8q3w5t6y2,\r\n"}
    checked = admin.post(f"{event}/import", data=sent)
    assert (checked.status_code, buttons(checked)) == (200, {"ask": "Import 2 codes"})
    assert "k7F2x9M4b1,Row 5" in checked.text  # kept in the form to be sent again
    assert validate(admin, "k7F2x9M4b1").status_code == 401
    done = admin.post(f"{event}/import", data=sent | {"doubtful": "ask"})
    assert (done.status_code, done.headers["location"]) == (303, f"{event}?done=imported")
    assert "Row 5" in admin.get(event).text
    assert validate(admin, "k7F2x9M4b1").status_code == 200


def test_doubtful_lines_are_shown_and_left_out_or_imported_as_answered(admin: TestClient, event: str) -> None:
    path = f"{event}/import"
    for answer in ({}, {"doubtful": "ask"}):
        asked = admin.post(path, data={"codes": DOUBTFUL} | answer)
        assert asked.status_code == (422 if answer else 200)
        assert {line: text for line, (text, _) in remarks(asked).items()} == {
            1: "Ticketnummern;Bemerkung",
            3: "Gartenparty;",
        }
        assert buttons(asked) == {
            "skip": "Leave them out and import 1 code",
            "import": "Import them too (3 codes)",
        }
    assert admin.post(path, data={"codes": DOUBTFUL, "doubtful": "skip"}).status_code == 303
    assert "Gartenparty" not in admin.get(event).text
    assert admin.post(path, data={"codes": "Gartenparty", "doubtful": "import"}).status_code == 303
    assert "Gartenparty" in admin.get(event).text


def test_lines_with_errors_are_named_and_the_input_is_kept(admin: TestClient, event: str) -> None:
    admin.post(f"{event}/import", data={"codes": "k7F2x9M4b1", "doubtful": "ask"})
    text = "sh0rt\nk7F2x9M4b1\n<b>&amp;</b>,x\nZ8q3w5t6y2,Row 5\n"
    for answer in ({}, {"doubtful": "import"}):
        wrong = admin.post(f"{event}/import", data={"codes": text} | answer)
        assert remarks(wrong).keys() == {1, 2, 3}
        assert remarks(wrong)[2] == ("k7F2x9M4b1", "A ticket with this code already exists.")
        assert buttons(wrong) == {}
        assert html.escape(text.splitlines()[2]) in wrong.text
    assert validate(admin, "Z8q3w5t6y2").status_code == 401


def test_other_input_is_refused_with_a_sentence(admin: TestClient, event: str) -> None:
    cases = {"": "no code in this file", '"k7F2x9M4b1': "quotation mark", "é" * 600_000: "more than 1 MB"}
    for text, sentence in cases.items():
        answer = admin.post(f"{event}/import", data={"codes": text})
        assert (answer.status_code, sentence in answer.text) == (400, True), sentence
    assert admin.get(event.replace(event.rpartition("/")[2], NOWHERE) + "/import").status_code == 404
    assert admin.post(f"{event}/import", content=b"codes=" + b"A" * 6_000_000).status_code == 413
