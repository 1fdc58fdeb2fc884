"""The carriers of a token, which of them decides, and what a client cannot forge."""

import httpx2
import pytest

from tests.support.clients.raw_http import raw_request
from tests.support.data.tokens import Minter
from tests.support.media.streams import Folder, make_folder
from tests.support.services.stack import StackUnderTest


def status(gate: StackUnderTest, target: str, *headers: str, method: str = "GET") -> int:
    return raw_request(gate.url, target, method, headers).status


@pytest.mark.parametrize("name", ["stream.m3u8", "1.ts", "low/stream.m3u8", "low/1.ts", "init.mp4", "1.m4s", "en.vtt"])
def test_each_carrier_opens_playlists_and_segments(
    gate: StackUnderTest, folder: Folder, valid_token: str, name: str
) -> None:
    target = f"{folder.url}/{name}"
    assert status(gate, target, f"Authorization: Bearer {valid_token}") == 200
    assert status(gate, f"{target}?__token={valid_token}") == 200
    assert status(gate, target, f"Cookie: a=b; sg_playback={valid_token}; c=d") == 200
    assert status(gate, f"/t/{valid_token}{target}") == 200
    assert status(gate, f"/t/{valid_token}{target}", method="HEAD") == 200


def test_the_scheme_is_case_insensitive(gate: StackUnderTest, folder: Folder, valid_token: str) -> None:
    assert status(gate, f"{folder.url}/1.ts", f"authorization: bEARER {valid_token}") == 200


def test_the_first_carrier_decides_even_if_a_later_one_is_valid(
    gate: StackUnderTest, folder: Folder, valid_token: str
) -> None:
    target, bad = f"{folder.url}/1.ts", "not.a.token"
    assert status(gate, f"{target}?__token={valid_token}", f"Authorization: Bearer {bad}") == 401
    assert status(gate, f"{target}?__token={bad}", f"Cookie: sg_playback={valid_token}") == 401
    assert status(gate, f"/t/{valid_token}{target}", f"Cookie: sg_playback={bad}") == 401
    assert status(gate, f"/t/{bad}{target}", f"Authorization: Bearer {valid_token}") == 200


def test_a_carrier_that_is_present_but_empty_decides_too(
    gate: StackUnderTest, folder: Folder, valid_token: str
) -> None:
    assert status(gate, f"{folder.url}/1.ts?__token=", f"Cookie: sg_playback={valid_token}") == 401
    assert status(gate, f"{folder.url}/1.ts", "Authorization: Bearer", f"Cookie: sg_playback={valid_token}") == 401


def test_another_scheme_is_skipped_for_the_next_carrier(gate: StackUnderTest, folder: Folder, valid_token: str) -> None:
    assert status(gate, f"{folder.url}/1.ts?__token={valid_token}", "Authorization: Basic dTpw") == 200


def test_a_query_token_given_twice_is_refused(gate: StackUnderTest, folder: Folder, valid_token: str) -> None:
    assert status(gate, f"{folder.url}/1.ts?__token={valid_token}&__token={valid_token}") == 401
    assert status(gate, f"{folder.url}/1.ts?a=1&__token={valid_token}&b=2&__token=x") == 401


def test_other_query_parameters_are_harmless(gate: StackUnderTest, folder: Folder, valid_token: str) -> None:
    assert status(gate, f"{folder.url}/stream.m3u8?_HLS_msn=3&__token={valid_token}&_HLS_part=0") == 200
    assert status(gate, f"{folder.url}/1.ts?x__token={valid_token}") == 401
    assert status(gate, f"{folder.url}/1.ts?__TOKEN={valid_token}") == 401


def test_the_sidecars_own_headers_cannot_be_sent_by_a_client(
    gate: StackUnderTest, folder: Folder, valid_token: str
) -> None:
    other = make_folder(gate.streams)
    forged = (
        f"X-Gate-Path: {folder.url}/1.ts",
        f"X-Gate-Query-Token: {valid_token}",
        f"X-Gate-Path-Token: {valid_token}",
    )
    underscored = (f"X_Gate_Path: {folder.url}/1.ts", f"X_Gate_Query_Token: {valid_token}")
    original = (f"X-Original-URI: {folder.url}/1.ts", f"X-Forwarded-Uri: {folder.url}/1.ts", "X-Gate-Method: HEAD")
    for headers in (forged, underscored, original):
        assert status(gate, f"{folder.url}/1.ts", *headers) == 401
        assert status(gate, f"{other.url}/1.ts", *headers, f"Authorization: Bearer {valid_token}") == 403


def test_hop_by_hop_headers_do_not_strip_the_subrequest(gate: StackUnderTest, valid_token: str) -> None:
    other = make_folder(gate.streams)
    headers = ("Connection: close, X-Gate-Path, X-Gate-Method, Authorization", f"Authorization: Bearer {valid_token}")
    assert status(gate, f"{other.url}/1.ts", *headers) == 403


def test_a_path_token_works_for_every_file_that_a_playlist_names_relatively(
    gate: StackUnderTest, folder: Folder, valid_token: str
) -> None:
    answer = httpx2.get(f"{gate.url}/t/{valid_token}{folder.url}/stream.m3u8", timeout=30)
    assert folder.mark in answer.text
    assert httpx2.get(f"{gate.url}/t/{valid_token}{folder.url}/low/1.ts", timeout=30).text == folder.mark * 50


def test_playlists_are_the_same_bytes_for_every_viewer_and_set_no_cookie(
    gate: StackUnderTest, folder: Folder, valid_token: str
) -> None:
    another = Minter(gate.home).token(folder.event_id, sub="AnotherCode1", sid="b" * 22)
    answers = [
        httpx2.get(f"{gate.url}/t/{token}{folder.url}/stream.m3u8", timeout=30) for token in (valid_token, another)
    ]
    assert answers[0].content == answers[1].content
    assert not any("set-cookie" in answer.headers for answer in answers)
