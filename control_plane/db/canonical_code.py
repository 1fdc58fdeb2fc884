"""A ticket's canonical code as each database computes it: the rule of codes.canonical, for ASCII codes.

As a generated column it is never forgotten when a ticket is written, and old backups get it when they are restored.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles

_SMALL: Final = "abcdefghijklmnopqrstuvwxyz"
_LOOK_ALIKES: Final = {"O": "0", "I": "1", "L": "1"}
# "i" is replaced first: in a Turkish database its capital is another letter.
_NESTED: Final = "replace(replace(replace(upper(replace(code, 'i', '1')), 'O', '0'), 'I', '1'), 'L', '1')"


class CanonicalCode(ColumnElement[str]):
    """The expression of the generated column."""

    inherit_cache = True
    type = String(64)


@compiles(CanonicalCode)
def _compile(_element: CanonicalCode, _compiler: Any, **_options: Any) -> str:
    return _NESTED


@compiles(CanonicalCode, "postgresql")
def _compile_for_postgresql(_element: CanonicalCode, _compiler: Any, **_options: Any) -> str:
    """Return the expression as PostgreSQL shows it, so that the model can be compared with the database."""
    return f"translate((code)::text, '{_FROM}'::text, '{_TO}'::text)"


def _canonical(letter: str) -> str:
    return _LOOK_ALIKES.get(letter.upper(), letter.upper())


_FROM: Final = _SMALL + "".join(_LOOK_ALIKES)
_TO: Final = "".join(map(_canonical, _FROM))
