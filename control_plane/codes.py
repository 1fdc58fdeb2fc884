"""Codes: the 12 characters a viewer types, and what becomes of them between a printed ticket and us.

People type, paste, dictate and print; `bare` finds the code in what arrives. The portal does the same in
static/portal/code-text.js: tests hold both to one table of cases. `canonical` leaves out what eyes mistake.
"""

import re
import secrets
import unicodedata
from typing import Final
from urllib.parse import unquote

from control_plane.errors import MalformedRequest

# Capitals and digits without 0, O, 1 and I (and no small l): 32 characters, all of them different when canonical.
ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH: Final = 12
SHORTEST: Final = 8  # of organisers' own codes; a shorter one is a wrong code, not a malformed one
LONGEST: Final = 64
MOST_TYPED: Final = 1_000  # characters: a link in a sentence has its place, a text that takes time to read has none
NO_CODE: Final = "An access code has letters and digits only. Please check your ticket and try again."
_LETTERS_AND_DIGITS: Final = frozenset({"Lu", "Ll", "Lt", "Lo", "Nd"})
_SPACES: Final = " \t\n\v\f\r\u2028\u2029"  # those that NFKC leaves
_SPACE: Final = tuple(_SPACES)
_ESCAPED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_FILLERS: Final = "\u115f\u1160"  # letters by name, but nobody sees them
_LOOK_ALIKES: Final = {
    **str.maketrans("OILİ", "0111"),
    **str.maketrans("АВЕЅІЈКМНОРСТУХ", "ABES1JKMH0PCTYX"),  # noqa: RUF001 - Cyrillic
    **str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZH1KMN0PTYX"),  # noqa: RUF001 - Greek
    **str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789"),
    **str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789"),
}


def new_code() -> str:
    """Draw a code: 60 bits from the system's random source, each character equally likely."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def bare(text: str) -> str:
    """Return the letters and digits of the code in a text: alone, in groups, after "Code:", or in a link after its #.

    Capitals and small letters stay as they are. A text that is too long for a code with its surroundings has none.
    """
    if len(text) > MOST_TYPED:
        return ""
    text = unicodedata.normalize("NFKC", text).replace("\ufeff", "")
    return _kept(_after_label(_fragment(text) or text))


def canonical(code: str) -> str:
    """Return a code without what is easily mistaken: capitals for small letters, 0 for O, 1 for I and L.

    Letters of other scripts that look like ours become these. The database does the same to the codes of tickets, in
    ASCII (models.canonical_code).
    """
    return code.upper().translate(_LOOK_ALIKES)


def parse_code(text: object) -> str:
    """Return what was typed as a code could be; raise MalformedRequest for what no ticket can have."""
    if not isinstance(text, str) or not text.strip():
        raise MalformedRequest
    code = bare(text)
    if not 0 < len(code) <= LONGEST or not canonical(code).isascii():
        raise MalformedRequest(NO_CODE)
    return code


def _fragment(text: str) -> str:
    """Return what follows the # of a link, up to its end; nothing where that is too short for a code."""
    before, _, after = text.partition("#")
    found = re.search(f"[^{_SPACES}]+", after) if "/" in before else None
    fragment = _ESCAPED.sub(_unescaped, found[0]) if found else ""
    return fragment if len(_kept(fragment)) >= SHORTEST else ""


def _unescaped(escaped: re.Match[str]) -> str:
    try:
        return unquote(escaped[0], errors="strict")
    except UnicodeDecodeError:
        return escaped[0]


def _after_label(text: str) -> str:
    """Leave out words before a colon, such as "Your code:". Colons between groups of a code are no such thing.

    What follows must be long enough for a code, and the words have no digits, or a space follows the colon.
    """
    parts = text.split(":")
    length = 0
    for place in range(len(parts) - 1, 0, -1):
        length += len(_kept(parts[place]))
        is_label = parts[place].startswith(_SPACE) or not any(map(str.isdecimal, parts[place - 1]))
        if length >= SHORTEST and is_label:
            return "".join(parts[place:])
    return text


def _kept(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) in _LETTERS_AND_DIGITS and each not in _FILLERS)
