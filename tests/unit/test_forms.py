"""Submitted forms are parsed strictly and in linear time."""

import time
from contextlib import suppress

import pytest

from control_plane.errors import MalformedRequest
from control_plane.web.forms import read
from tests.support.waiting import HANGS_AFTER_SECONDS

SIZE = 64 * 1024


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"username=anna&password=a%26b%3Dc+d", {"username": "anna", "password": "a&b=c d"}),
        (b"title=%E2%82%AC+caf%c3%a9", {"title": "€ café"}),
        ("title=Grüße".encode(), {"title": "Grüße"}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"a=%zz%4", {"a": "%zz%4"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
    ],
)
def test_a_form_is_parsed_into_its_fields(body: bytes, fields: dict[str, str]) -> None:
    assert read(body) == fields


@pytest.mark.parametrize(
    "body",
    [b"a=\xff", b"a=%ff", b"a=%C3", b"a=%ED%A0%80", b"a=%C0%80", b"%ff=a", "a=é".encode("utf-16"), b"a=1&" * 100],
)
def test_invalid_utf_8_and_too_many_fields_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(body)


@pytest.mark.parametrize("unit", [b"&", b"=", b"+", b"%41", b"%C3%A9", b"%zz", b"%", b"a=b&", "é%41".encode(), b"%41b"])
def test_a_form_of_64_kb_does_not_hang(unit: bytes) -> None:
    begun = time.process_time()
    with suppress(MalformedRequest):
        read(b"a=" + unit * (SIZE // len(unit)))
    assert time.process_time() - begun < HANGS_AFTER_SECONDS
