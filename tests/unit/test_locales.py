"""Languages: each is complete; the viewer's choice comes first, then the browser's order."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.portal import locales

OTHERS = sorted(locales.LANGUAGES.keys() - {locales.DEFAULT})


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w*\}", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_text_of_english(language: str) -> None:
    english, other = locales.strings("en"), locales.strings(language)
    assert other.keys() == english.keys()
    assert list(other) == list(english)
    for key, text in english.items():
        assert placeholders(other[key]) == placeholders(text), key
        assert other[key].strip() == other[key] != "", key


@pytest.mark.parametrize("language", OTHERS)
def test_translations_differ_from_english(language: str) -> None:
    english, other = locales.strings("en"), locales.strings(language)
    same = [key for key in english if english[key] == other[key] and len(english[key]) > 12]
    assert len(same) < len(english) / 20, same


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("it, pt;q=0.9, fr;q=0.1", "fr"),
        ("it", "en"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("de;q=much", "en"),
        ("de ; q=0.7", "de"),
        (";;;,,,=", "en"),
    ],
)
def test_the_browsers_order_decides_if_the_viewer_chose_nothing(header: str, language: str) -> None:
    assert locales.choose(header, None, None) == language


def test_the_viewers_own_choice_comes_first_and_the_switch_before_the_cookie() -> None:
    assert locales.choose("fr", None, "de") == "de"
    assert locales.choose("fr", "es", "de") == "es"


@pytest.mark.parametrize("wish", ["xx", "", "../en", "EN"])
def test_an_unsupported_language_is_ignored(wish: str) -> None:
    assert locales.choose("fr", wish) == "fr"


@given(st.text())
def test_any_accept_language_header_selects_a_language(header: str) -> None:
    assert locales.choose(header) in locales.LANGUAGES
