"""What must never reach a log, and how it is taken out of lines that somebody else wrote.

nginx's error log prints whole request lines, so it is piped through this before anything stores it:
`nginx ... 2>&1 | python -m authz_sidecar.redact`.
"""

import re
from typing import Final

# What nginx quotes as the client sent it. A line that nginx cut off at 2 KB ends without the quote.
_QUOTED: Final = re.compile(
    r'\b(request|upstream|referrer): "(.*?)("(?=, (?:subrequest|upstream|host|referrer): ")|"?$)', re.MULTILINE
)
# Nobody can know the names of all parameters that a code may come in, nor their spellings: the whole query goes.
_QUERY: Final = re.compile(r"[?#](.*?)( HTTP/[0-9.]+)?$")
_HARMLESS: Final = re.compile(r"_HLS_(?:(?:msn|part)=[0-9]+|skip=(?:YES|v2))", re.ASCII)
_CODE_AS_PATH: Final = re.compile(
    r"^((?:\S+ )?(?:\w+://(?:unix:[^:]*:|[^/]*))?/)(?:[0-9A-Za-z]|%[0-9A-Fa-f]{2}){8,64}(?=/?(?:[?# ]|$))"
)
_PATTERNS: Final = [
    (re.compile(r"(/t/)[^/\s\"?]+"), r"\1[token]"),
    (re.compile(r"((?:__token|code|token)=)[^&\s\",]*", re.IGNORECASE), r"\1[redacted]"),
    (re.compile(r"(sg_[a-z]+=)[^;\s\",]*"), r"\1[redacted]"),
    (re.compile(r"(Bearer\s+)[^\s\",]+", re.IGNORECASE), r"\1[token]"),
    (re.compile(r"(?:e|%65)(?:y|%79)(?:J|%4[Aa])[0-9A-Za-z_%-]{5,}(?:\.[0-9A-Za-z_%-]*)*"), "[token]"),
]


def redact(line: str) -> str:
    """Replace playback tokens, codes and cookies by their kind, and queries but for what low-latency players add."""
    line = _QUOTED.sub(_redact_quoted, line)
    for pattern, replacement in _PATTERNS:
        line = pattern.sub(replacement, line)
    return line


def _redact_quoted(quoted: re.Match[str]) -> str:
    name, value, end = quoted.groups()
    value = _QUERY.sub(_redact_query, _CODE_AS_PATH.sub(r"\1[code]", value), count=1)
    return f'{name}: "{value}{end}'


def _redact_query(query: re.Match[str]) -> str:
    parts, version = query[1].split("&"), query[2] or ""
    kept = [part for part in parts if _HARMLESS.fullmatch(part)]
    return f"?{'&'.join(kept if kept == parts else [*kept, '[query]'])}{version}"
