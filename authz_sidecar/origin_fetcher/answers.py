"""Which parts of an origin's answer are passed on to viewers, and how failures are described to the operator.

(!) Only a short list of headers is passed on: browsers attribute all others to the portal, since they arrive from its
origin (NEL, Reporting-Endpoints, Service-Worker-Allowed, ...). The media type depends on the extension alone.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx2

# The same as nginx/snippets/media_types.conf, which is for files.
MEDIA_TYPES: Final = {
    "m3u8": "application/vnd.apple.mpegurl",
    "ts": "video/mp2t",
    "m4s": "video/iso.segment",
    **dict.fromkeys(("mp4", "fmp4", "m4v", "cmfv"), "video/mp4"),
    **dict.fromkeys(("m4a", "cmfa"), "audio/mp4"),
    "cmft": "application/mp4",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "ac3": "audio/ac3",
    "ec3": "audio/eac3",
    **dict.fromkeys(("vtt", "webvtt"), "text/vtt"),
    "key": "application/octet-stream",
    "webp": "image/webp",
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    "png": "image/png",
}
PASSED_ON: Final = frozenset({"accept-ranges", "content-length", "content-range", "etag", "last-modified"})
_OTHER_TYPE: Final = "application/octet-stream"
_VALUE: Final = re.compile(r"[ -~]{1,200}")
_GONE: Final = (404, 410)
_CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})
_MAX_REASON_LENGTH: Final = 200
_QUERY_VALUES: Final = re.compile(r"=[^&]+")

_UNREACHABLE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH}
_DESCRIPTIONS: Final[dict[type[BaseException], str]] = {
    socket.gaierror: "its host name could not be resolved",
    ConnectionRefusedError: "connection refused",
    ssl.SSLError: "the TLS handshake failed",
}
_FALLBACK_DESCRIPTIONS: Final[dict[type[BaseException], str]] = {
    httpx2.ConnectTimeout: "the connection timed out",
    httpx2.TimeoutException: "no answer in time",
    TimeoutError: "no answer in time",
    httpx2.ProtocolError: "its response is not HTTP, is incomplete, or has endless headers",
}

Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """The origin's answer cannot be passed on; the message describes it without any secret."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The status and headers of the response to nginx."""

    status: int
    headers: Headers
    has_body: bool = False

    @property
    def length(self) -> int | None:
        """The announced content length in bytes, or None."""
        found = dict(self.headers).get(b"content-length")
        return int(found) if found else None

    def with_length(self, length: int) -> "Accepted":
        return Accepted(self.status, [*_without_length(self.headers), (b"content-length", b"%d" % length)])


def media_type(name: str) -> str:
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), _OTHER_TYPE)


def accept(answer: httpx2.Response, name: str, asked: frozenset[bytes]) -> Accepted:
    """Check the head of an answer. `asked` are the names of the request's headers. Raise Refused."""
    status = answer.status_code
    if status in _GONE:
        return Accepted(404, [])
    is_part = status in {HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
    is_as_asked = (is_part and b"range" in asked) or (status == HTTPStatus.NOT_MODIFIED and asked & _CONDITIONS)
    if status != HTTPStatus.OK and not is_as_asked:
        raise Refused(describe_answer(answer))
    has_body = status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
    headers = [(b"content-type", media_type(name).encode()), *_passed_on(answer)]
    if not has_body or "content-encoding" in answer.headers:
        headers = _without_length(headers)
    return Accepted(status, headers, has_body)


def _passed_on(answer: httpx2.Response) -> Iterator[tuple[bytes, bytes]]:
    """Yield each header of the short list, once."""
    for field in sorted(PASSED_ON):
        value = answer.headers.get(field, "")
        if _VALUE.fullmatch(value) and (field != "content-length" or value.isdigit()):
            yield field.encode(), value.encode()


def _without_length(headers: Headers) -> Headers:
    return [header for header in headers if header[0] != b"content-length"]


def explain(error: Exception) -> str:
    """Return a short description of why there was no answer."""
    causes = [*_causes(error)]
    descriptions = [
        *map(_describe, causes),
        *(word for kind, word in _FALLBACK_DESCRIPTIONS.items() if isinstance(error, kind)),
    ]
    return next((word for word in descriptions if word), "the connection was lost")


def _describe(cause: BaseException) -> str | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return "its network is unreachable"
    return next((word for kind, word in _DESCRIPTIONS.items() if isinstance(cause, kind)), None)


def header_text(text: str) -> bytes:
    """Encode a text as a header value: printable ASCII, truncated."""
    return re.sub(r"[^ -~]", "?", text)[:_MAX_REASON_LENGTH].encode()


def describe_answer(answer: httpx2.Response) -> str:
    """Describe an answer by its status and its redirect target, without query values, which may be secret."""
    location = answer.headers.get("location", "")
    address, mark, query = location.partition("?")
    shown = address.partition("#")[0] + mark + _QUERY_VALUES.sub("=...", query)
    is_redirect = answer.is_redirect and location
    return f"{answer.status_code} to {shown}" if is_redirect else str(answer.status_code)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all its causes and contexts, with exception groups expanded."""
    queue: list[BaseException] = [error]
    seen: set[int] = set()
    while queue:
        cause = queue.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner: Sequence[BaseException] = cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
        queue += [found for found in (*inner, cause.__cause__, cause.__context__) if found]
