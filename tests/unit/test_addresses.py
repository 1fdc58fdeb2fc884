"""Addresses in playlists: how they are resolved, and why some are not served."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.streams import names
from control_plane.streams.addresses import resolve, shown
from control_plane.streams.faults import Failed, FaultReason

EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("uri", "name", "target"),
    [
        ("17.TS", "low/17.TS", "low/17.TS"),
        ("../audio/1.aac?sig=a%20b", "audio/1.aac", "audio/1.aac?sig=a%20b"),
        ("./x/../1.m4s", "low/1.m4s", "low/1.m4s"),
        (f"/streams/{EVENT_ID}/enc.key", "enc.key", "enc.key"),
    ],
)
def test_an_address_is_resolved_as_players_do(uri: str, name: str, target: str) -> None:
    found = resolve(EVENT_ID, "low/index.m3u8", uri)
    assert (found.name, found.target, found.is_rooted) == (name, target, uri.startswith("/"))


@pytest.mark.parametrize(
    ("uri", "reason", "words"),
    [
        ("segment 1.ts", FaultReason.NAME, "a space"),
        ("seg:12.ts", FaultReason.NAME, "a colon"),
        ("2026-11-29T22:00:00.ts", FaultReason.NAME, "a colon"),
        ("data:text/plain;base64,AAAA", FaultReason.NAME, "a colon"),
        ("part#1.ts", FaultReason.NAME, "“#”"),
        ("a//1.ts", FaultReason.NAME, "empty folder"),
        ("1.mkv", FaultReason.NAME, ".mkv"),
        ("1.ts?x=ä", FaultReason.NAME, "query"),
        ("https://cdn.example/1.ts", FaultReason.ELSEWHERE, "another host"),
        ("//cdn.example/1.ts", FaultReason.ELSEWHERE, "another host"),
        ("../../other/1.ts", FaultReason.OUTSIDE, "outside"),
        ("/live/1.ts", FaultReason.OUTSIDE, "outside"),
    ],
)
def test_an_address_that_is_not_served_has_a_reason(uri: str, reason: FaultReason, words: str) -> None:
    with pytest.raises(Failed, match=re.escape(words)) as refused:
        resolve(EVENT_ID, "low/index.m3u8", uri)
    assert refused.value.reason is reason


@given(st.text(st.sampled_from("ab./:#?%& \\[]@\u200bé"), max_size=20))
def test_any_text_is_a_name_that_the_gate_admits_or_is_refused(uri: str) -> None:
    try:
        found = resolve(EVENT_ID, "stream.m3u8", uri)
    except Failed:
        return
    assert names.fault(found.name) is None


def test_a_shown_address_has_no_query_no_user_and_no_odd_characters() -> None:
    assert shown("https://user:secret@cdn.example/1.ts?token=secret") == "https://cdn.example/1.ts"
    assert shown("a\u200bb\n" + "x" * 500) == ("a\ufffdb\ufffd" + "x" * 500)[:120]
