"""Remove secrets from log lines that other programs write.

nginx's error log contains whole request lines, so it is piped through this before it is stored:
`nginx ... 2>&1 | python -m authz_sidecar.redact`.
"""

import re
from typing import Final

# Parts that nginx quotes as the client sent them. A line that nginx truncated at 2 KB ends without the quote.
_QUOTED: Final = re.compile(
    r'\b(request|upstream|referrer): "(.*?)("(?=, (?:subrequest|upstream|host|referrer): ")|"?$)', re.MULTILINE
)
# A code may be in a parameter of any name and spelling, so the whole query is removed.
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
    """Replace playback tokens, codes and cookies by their kind, and queries except for low-latency HLS parameters."""
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
