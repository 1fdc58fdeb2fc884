"""Which file names the gate admits below an event's folder, and why it does not admit others.

nginx decides (nginx/snippets/admission.conf); this explains the same rules to people. A test compares the two.
"""

import re
from typing import Final

_MEDIA: Final = "ts m4s mp4 fmp4 m4v m4a cmfv cmfa cmft aac mp3 ac3 ec3 vtt webvtt webp jpg jpeg png"
EXTENSIONS: Final = frozenset(("m3u8", "key", *_MEDIA.split()))
_CHARACTERS: Final = re.compile(r"[^0-9A-Za-z_./-]")
_QUERY: Final = re.compile(r"[!\"$-~]*", re.ASCII)
_CHARACTER_NAMES: Final = {
    " ": "a space",
    "\t": "a tab",
    "%": "a percent sign (%)",
    ":": "a colon (:)",
    "\\": "a backslash (\\)",
}


def fault(name: str) -> str | None:
    """Return why the gate does not admit a name (a path below the event's folder), or None if it does."""
    if found := _CHARACTERS.search(name):
        return f"its name contains {_character_name(found[0])}, and the gate serves only letters, digits, dots, - and _"
    parts = name.split("/")
    if "" in parts:
        return "its name contains an empty folder name (//), or none at all"
    if any(part.startswith(".") for part in parts):
        return "its name, or that of a folder, begins with a dot"
    extension = parts[-1].rpartition(".")[2] if "." in parts[-1] else ""
    if extension.lower() not in EXTENSIONS:
        return f"the gate serves no files that end in .{extension}" if extension else "its name has no extension"
    return None


def query_fault(query: str) -> str | None:
    """Return why the gate does not admit a query, or None if it does."""
    return None if _QUERY.fullmatch(query) else "its query contains a character that the gate does not allow"


def is_playlist(name: str) -> bool:
    """Return whether the extension, in any case, is that of a playlist."""
    return name.lower().endswith(".m3u8")


def _character_name(character: str) -> str:
    if character in _CHARACTER_NAMES:
        return _CHARACTER_NAMES[character]
    return f"“{character}”" if character.isprintable() else f"the character U+{ord(character):04X}"
