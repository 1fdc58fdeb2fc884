"""Read submitted forms: only `application/x-www-form-urlencoded` in UTF-8.

Multipart forms name the charset of their fields, and some of Python's codecs take quadratic time; none of our forms
needs them. Starlette's parser is not used: it also reads multipart, and accepts bytes that are not valid text.
"""

from typing import Final
from urllib.parse import parse_qsl

from control_plane.errors import MalformedRequest, UnsupportedForm
from control_plane.services import Request
from control_plane.web.requests import parse_in_thread_if_large

_TYPE: Final = "application/x-www-form-urlencoded"
_CHARSETS: Final = {"", "charset=utf-8", 'charset="utf-8"'}
_MAX_FIELDS: Final = 100
_NOT_TEXT: Final = "The form is not valid UTF-8."
_TOO_MANY: Final = f"The form has more than {_MAX_FIELDS} fields."


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of the form; the last one of a name wins. Raise UnsupportedForm or MalformedRequest."""
    body = await request.body()
    if not body:
        return {}
    media_type, _, charset = request.headers.get("content-type", "").lower().partition(";")
    if media_type.strip() != _TYPE or charset.strip().replace(" ", "") not in _CHARSETS:
        raise UnsupportedForm
    return await parse_in_thread_if_large(read, body)


def read(body: bytes) -> dict[str, str]:
    """Parse a form in time linear in the size of the body. Raise MalformedRequest."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedRequest(_NOT_TEXT) from None
    if text.count("&") >= _MAX_FIELDS:
        raise MalformedRequest(_TOO_MANY)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise MalformedRequest(_NOT_TEXT) from None
