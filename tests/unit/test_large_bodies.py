"""A large body is parsed outside of the event loop, so that it delays no other request; its fields are limited."""

import json
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator
from starlette.requests import Request

from control_plane.errors import ImportRefused, MalformedRequest
from control_plane.schemas import Schema
from control_plane.web import forms
from control_plane.web.errors import HANDLERS
from control_plane.web.requests import parse, parse_in_thread_if_large

pytestmark = pytest.mark.anyio
FORM = [(b"content-type", b"application/x-www-form-urlencoded")]


def thread_of(_value: str) -> str:
    return threading.current_thread().name


class Letter(Schema):
    """A model that records the thread in which it was validated."""

    text: Annotated[str, AfterValidator(thread_of)]


def request(body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers or []}, receive)


def letter(length: int, **more: int) -> Any:
    return request(json.dumps({"text": "x" * length} | more).encode())


async def test_a_large_body_is_validated_in_another_thread_and_a_small_one_here() -> None:
    assert (await parse(letter(100), Letter)).text == threading.current_thread().name
    assert (await parse(letter(60_000), Letter)).text != threading.current_thread().name


async def test_a_large_form_is_read_in_another_thread_and_a_small_one_here() -> None:
    for length, is_here in ((100, True), (60_000, False)):
        body = b"text=" + b"x" * length
        assert await forms.read_form(request(body, FORM)) == {"text": "x" * length}
        name = await parse_in_thread_if_large(lambda _: threading.current_thread().name, body)
        assert (name == threading.current_thread().name) is is_here


async def test_a_body_of_thousands_of_fields_is_refused_in_one_sentence() -> None:
    with pytest.raises(MalformedRequest, match="more than 100 fields"):
        await parse(letter(1, **{f"f{number}": 0 for number in range(5_000)}), Letter)


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"text":"\\ud800"' + b" " * 20_000 + b"}", b"\xff" * 60_000])
async def test_an_invalid_large_body_is_refused_like_a_small_one(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="not a JSON object"):
        await parse(request(body), Letter)


class ReadIn(list[tuple[int, str, bool]]):
    """An iterable that records the threads in which it is read."""

    def __init__(self, *lines: tuple[int, str, bool]) -> None:
        super().__init__(lines)
        self.threads: list[str] = []

    def __iter__(self) -> Iterator[tuple[int, str, bool]]:
        self.threads.append(threading.current_thread().name)
        return super().__iter__()


async def test_the_errors_of_a_refused_import_are_formatted_in_another_thread() -> None:
    lines = ReadIn((2, "Too short.", False))
    refusal = ImportRefused(lines)
    lines.threads.clear()
    answer = await HANDLERS[ImportRefused](request(b""), refusal)
    assert json.loads(answer.body)["fields"] == {"line 2": "Too short."}
    assert lines.threads
    assert threading.current_thread().name not in lines.threads
