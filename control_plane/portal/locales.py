"""The portal's languages: one JSON file each in `locales/`, chosen by the language switch, then Accept-Language."""

import json
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "locales"
LANGUAGES: Final = {"en": "English", "es": "Español", "de": "Deutsch", "fr": "Français"}
DEFAULT: Final = "en"


@cache
def strings(language: str) -> dict[str, str]:
    """Return all strings of a language in LANGUAGES."""
    texts: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def choose(accept_language: str, *preferences: str | None) -> str:
    """Return the first available preference, else the header's best (RFC 9110 section 12.5.4), else English."""
    for preference in preferences:
        if preference in LANGUAGES:
            return preference
    return next((language for language in _accepted(accept_language) if language in LANGUAGES), DEFAULT)


def _accepted(header: str) -> list[str]:
    ranked = [_ranked(part) for part in header.split(",") if part.strip()]
    return [language for weight, language in sorted(ranked, key=lambda pair: -pair[0]) if weight > 0]


def _ranked(part: str) -> tuple[float, str]:
    tag, _, parameter = part.strip().partition(";")
    try:
        weight = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return weight, tag.split("-")[0].strip().lower()
