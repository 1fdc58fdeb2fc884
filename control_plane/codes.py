"""Codes: generating the 12 characters that a viewer types, and parsing the text that arrives.

People type, paste, dictate and print codes; `bare` finds the code in the text that arrives. The portal does the same
in portal/static/code-text.js: tests hold both to one table of cases. `canonical` replaces look-alike characters.
"""

import re
import secrets
import unicodedata
from typing import Final
from urllib.parse import unquote

from control_plane.errors import MalformedRequest

# Capital letters and digits without 0, O, 1 and I: 32 characters that all stay different when canonical.
ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH: Final = 12
SHORTEST: Final = 8  # for organisers' own codes; a shorter text is a wrong code, not a malformed one
LONGEST: Final = 64
MOST_TYPED: Final = 1_000  # characters: enough for a link in a sentence; longer text would take too long to parse
NO_CODE: Final = "An access code contains only letters and digits. Please check your ticket and try again."
_LETTERS_AND_DIGITS: Final = frozenset({"Lu", "Ll", "Lt", "Lo", "Nd"})
_SPACES: Final = " \t\n\v\f\r\u2028\u2029"  # the white space that NFKC keeps
_SPACE: Final = tuple(_SPACES)
_ESCAPED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_FILLERS: Final = "\u115f\u1160"  # letters by category, but invisible
_LOOK_ALIKES: Final = {
    **str.maketrans("OILİ", "0111"),
    **str.maketrans("АВЕЅІЈКМНОРСТУХ", "ABES1JKMH0PCTYX"),  # noqa: RUF001 - Cyrillic
    **str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZH1KMN0PTYX"),  # noqa: RUF001 - Greek
    **str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789"),
    **str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789"),
}


def new_code() -> str:
    """Return a new random code: 60 bits from the system's random source, each character equally likely."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def bare(text: str) -> str:
    """Return the letters and digits of the code in a text: alone, in groups, after "Code:", or in a link after its #.

    The case of letters is kept. Return an empty string if the text is longer than `MOST_TYPED`.
    """
    if len(text) > MOST_TYPED:
        return ""
    text = unicodedata.normalize("NFKC", text).replace("\ufeff", "")
    return _alphanumeric(_after_label(_fragment(text) or text))


def canonical(code: str) -> str:
    """Return a code with look-alike characters replaced: small letters by capitals, O by 0, I and L by 1.

    Letters of other scripts that look like Latin ones are replaced by these. The database computes the same for the
    codes of tickets, in ASCII (db/canonical_code.py).
    """
    return code.upper().translate(_LOOK_ALIKES)


def parse_code(text: object) -> str:
    """Return the code in a text that was typed. Raise MalformedRequest if no ticket can have such a code."""
    if not isinstance(text, str) or not text.strip():
        raise MalformedRequest
    code = bare(text)
    if not 0 < len(code) <= LONGEST or not canonical(code).isascii():
        raise MalformedRequest(NO_CODE)
    return code


def _fragment(text: str) -> str:
    """Return the fragment of a link in the text, or an empty string if it is too short for a code."""
    before, _, after = text.partition("#")
    found = re.search(f"[^{_SPACES}]+", after) if "/" in before else None
    fragment = _ESCAPED.sub(_unescaped, found[0]) if found else ""
    return fragment if len(_alphanumeric(fragment)) >= SHORTEST else ""


def _unescaped(escaped: re.Match[str]) -> str:
    try:
        return unquote(escaped[0], errors="strict")
    except UnicodeDecodeError:
        return escaped[0]


def _after_label(text: str) -> str:
    """Remove a label before a colon, such as "Your code:", but no group of a code before a colon.

    What follows the colon must be long enough for a code, and either start with a space or follow a part without
    digits.
    """
    parts = text.split(":")
    length = 0
    for index in range(len(parts) - 1, 0, -1):
        length += len(_alphanumeric(parts[index]))
        is_label = parts[index].startswith(_SPACE) or not any(map(str.isdecimal, parts[index - 1]))
        if length >= SHORTEST and is_label:
            return "".join(parts[index:])
    return text


def _alphanumeric(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) in _LETTERS_AND_DIGITS and char not in _FILLERS)
