"""Tokens with which the control plane reads playlists and organisers preview: valid at the gate, without a session."""

import time

import pytest

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import (
    PREVIEW_SID,
    PREVIEW_SUB,
    READER_SID,
    READER_SUB,
    Claims,
    TokenRefused,
    mint,
    verify,
)
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.revocations import Revocations
from control_plane import codes
from tests.support.data.forging import EVENT_ID, HEADER, RING, SID, forge

PATH = f"/streams/{EVENT_ID}/stream.m3u8"


def seen_after(sub: str, sid: str, *, preview: bool = False) -> tuple[bytes, set[str]]:
    """Return the gate's answer to such a token, and the sessions that it would report."""
    now = int(time.time())
    token = mint(Claims(eid=EVENT_ID, iat=now, exp=now + 10, sub=sub, sid=sid, preview=preview), RING)
    gate = Authorize(Verifier(KeySource(RING)).verify, lambda _now: Revocations())
    question = {
        b"x-gate-path": PATH.encode(),
        b"x-gate-method": b"GET",
        b"authorization": f"Bearer {token}".encode(),
    }
    return gate.answer(question).response.split(b"\r\n")[0], set(gate.activity.take())


def test_the_gate_allows_them_and_does_not_count_them_as_watching() -> None:
    assert seen_after(READER_SUB, READER_SID) == (b"HTTP/1.1 204 No Content", set())
    assert seen_after(PREVIEW_SUB, PREVIEW_SID, preview=True) == (b"HTTP/1.1 204 No Content", set())
    assert seen_after("K7F2X9M4B1C3", SID) == (b"HTTP/1.1 204 No Content", {SID})


def test_no_code_and_no_session_can_have_their_names() -> None:
    assert codes.LENGTH not in {len(READER_SUB), len(PREVIEW_SUB)}
    assert len(SID) not in {len(READER_SID), len(PREVIEW_SID)}


@pytest.mark.parametrize(
    "claims",
    [
        {"preview": True, "sub": "K7F2X9M4B1C3", "sid": PREVIEW_SID},
        {"preview": True, "sub": PREVIEW_SUB, "sid": SID},
        {"preview": True},
        {"preview": False, "sub": PREVIEW_SUB, "sid": PREVIEW_SID},
        {"preview": 1, "sub": PREVIEW_SUB, "sid": PREVIEW_SID},
        {"preview": "true", "sub": PREVIEW_SUB, "sid": PREVIEW_SID},
        {"preview": None, "sub": PREVIEW_SUB, "sid": PREVIEW_SID},
        {"preview": True, "probe": True, "sub": PREVIEW_SUB, "sid": PREVIEW_SID},
        {"preview": True, "probe": True},
    ],
    ids=repr,
)
def test_a_preview_token_with_other_claims_is_refused(claims: dict[str, object]) -> None:
    now = int(time.time())
    body = {"eid": EVENT_ID, "sp": f"/streams/{EVENT_ID}/", "iat": now, "exp": now + 10} | claims
    with pytest.raises(TokenRefused):
        verify(forge(HEADER, body), RING, now)
