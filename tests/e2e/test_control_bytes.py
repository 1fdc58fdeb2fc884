"""Invalid bytes in headers: they are answered like any invalid token, and the logs stay valid."""

import json
from collections.abc import Callable

import pytest

from tests.support.clients.raw_http import RawAnswer, raw_request
from tests.support.media.streams import Folder
from tests.support.services.stack import Service, StackUnderTest

pytestmark = pytest.mark.own_stack

ODD = [chr(byte) for byte in (0x01, 0x08, 0x0B, 0x1B, 0x1F, 0x7F, 0x80, 0xFF)]
Ask = Callable[..., RawAnswer]


@pytest.fixture(scope="module")
def ask(gate: StackUnderTest, folder: Folder) -> Ask:
    return lambda *headers, prefix="": raw_request(gate.url, f"{prefix}{folder.url}/1.ts", headers=headers)


def lines(service: Service) -> list[str]:
    return service.printed().splitlines()


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_token_with_an_invalid_byte_is_an_invalid_token(ask: Ask, valid_token: str, odd: str) -> None:
    for carrier in ("Authorization: Bearer ", "authorization: bEARER ", "Cookie: a=b; sg_playback="):
        for value in (odd, f"{odd}{valid_token}", f"{valid_token}{odd}", f"{valid_token[:9]}{odd}{valid_token[9:]}"):
            answer = ask(f"{carrier}{value}")
            assert (answer.status, answer.body) == (401, b'{"error":"Authorization required"}'), ascii(value)


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_it_decides_like_any_invalid_token(ask: Ask, valid_token: str, odd: str) -> None:
    assert ask(f"Authorization: Bearer {valid_token}{odd}", f"Cookie: sg_playback={valid_token}").status == 401
    assert ask(f"Cookie: sg_playback={odd}; sg_playback={valid_token}").status == 401
    assert ask(f"Cookie: sg_playback={odd}", prefix=f"/t/{valid_token}").status == 401


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_such_a_byte_elsewhere_is_harmless(ask: Ask, valid_token: str, odd: str) -> None:
    bearer = f"Authorization: Bearer {valid_token}"
    assert ask(f"User-Agent: play{odd}er", bearer).status == 200
    assert ask(f"User-Agent: {odd}", bearer, f"X-Other: {odd}", f"Referer: {odd}").status == 200
    assert ask(f"Cookie: a={odd}; sg_playback={valid_token}; c={odd}").status == 200
    assert ask(f"Authorization: Basic {odd}", f"Cookie: sg_playback={valid_token}").status == 200


def test_both_services_logs_stay_one_json_object_per_line(gate: StackUnderTest, ask: Ask) -> None:
    [sidecar] = gate.sidecars
    before = lines(sidecar)
    ask("Authorization: Bearer \x01", "User-Agent: \x01", "Cookie: sg_playback=\x7f")
    assert lines(sidecar) == before
    assert raw_request(gate.url, "/", headers=("Cookie: a=\x01",)).status == 400
    told = [json.loads(line) for line in lines(gate.control_plane)]
    assert ("library_message", "uvicorn.error") in [(one["event"], one.get("logger")) for one in told]
