"""What must never reach a log, and how it is taken out of lines that somebody else wrote.

nginx's error log prints whole request lines, so it is piped through this before anything stores it:
`nginx ... 2>&1 | python -m authz_sidecar.redact`.
"""

import re

_PATTERNS = [
    (re.compile(r"(/t/)[^/\s\"?]+"), r"\1[token]"),
    (re.compile(r"((?:__token|code|token)=)[^&\s\",]*", re.IGNORECASE), r"\1[redacted]"),
    (re.compile(r"(sg_[a-z]+=)[^;\s\",]*"), r"\1[redacted]"),
    (re.compile(r"(Bearer\s+)[^\s\",]+", re.IGNORECASE), r"\1[token]"),
    (re.compile(r"eyJ[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*)*"), "[token]"),
]


def redact(line: str) -> str:
    """Replace playback tokens, codes and cookies by their kind."""
    for pattern, replacement in _PATTERNS:
        line = pattern.sub(replacement, line)
    return line
