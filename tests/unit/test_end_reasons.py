"""End reasons of sessions: each has its sentence wherever one is needed."""

import re
from pathlib import Path

import pytest

from control_plane.end_reasons import INTENDED, MOVED, SENTENCES, EndReason
from control_plane.portal import locales

REFERENCE = (Path(__file__).parents[2] / "docs/reference/end-reasons.md").read_text(encoding="utf-8")
COLUMN = 16  # characters of the database column


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_each_ending_has_a_title_and_a_sentence_in_each_language(language: str) -> None:
    strings = locales.strings(language)
    missing = [ending for ending in EndReason if not {f"ended_{ending}", f"ended_title_{ending}"} <= strings.keys()]
    assert missing == []


def test_the_portals_english_sentences_equal_the_apis() -> None:
    english = locales.strings("en")
    assert {ending: english[f"ended_{ending}"] for ending in EndReason} == dict(SENTENCES)


def test_each_reason_has_a_sentence_of_its_own() -> None:
    own = [SENTENCES[ending] for ending in EndReason if ending is not EndReason.UNKNOWN]
    assert len(set(own)) == len(own)


def test_the_reference_lists_every_reason() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", REFERENCE, re.MULTILINE) == [ending.value for ending in EndReason]


def test_each_word_fits_the_database_and_never_changes() -> None:
    """Existing rows, pages and webhook receivers know these."""
    assert max(len(ending) for ending in EndReason) <= COLUMN
    published = "released replaced timeout taken-over kicked devices expired revoked event deleted session"
    assert set(published.split()) <= set(EndReason)
    assert MOVED < INTENDED
