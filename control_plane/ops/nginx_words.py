"""Quoting for nginx's configuration: a path is written so that nginx cannot parse it as anything else."""

import re
from pathlib import Path

from control_plane.errors import OperatorError

_UNSAFE_IN_QUOTES = re.compile(r'["\\$\x00-\x1f\x7f]')


def quoted(path: Path | str) -> str:
    """Quote for nginx. Raise OperatorError for what cannot be quoted: quotes, `$`, backslashes, control bytes."""
    if _UNSAFE_IN_QUOTES.search(str(path)):
        raise OperatorError(f"nginx cannot use the path {str(path)!r}: it contains a quote, a dollar sign or the like.")
    return f'"{path}"'
