"""Words of nginx's language: how a path is written so that nginx reads that path and nothing else."""

import re
from pathlib import Path

from control_plane.errors import OperatorError

_UNSAFE_IN_QUOTES = re.compile(r'["\\$\x00-\x1f\x7f]')


def quoted(path: Path | str) -> str:
    """Quote for nginx. Raise OperatorError for what its quotes cannot hold: quotes, `$`, backslashes, control bytes."""
    if _UNSAFE_IN_QUOTES.search(str(path)):
        raise OperatorError(f"nginx cannot use the path {str(path)!r}: it holds a quote, a dollar sign or the like.")
    return f'"{path}"'
