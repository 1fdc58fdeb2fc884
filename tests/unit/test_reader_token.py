"""The token with which the control plane reads playlists: good at the gate, and nobody's."""

import time

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import READER_SID, READER_SUB, Claims, mint
from authz_sidecar.revocations import Revocations
from authz_sidecar.verifier import Verifier
from control_plane.ticketing import codes
from tests.support.forging import EVENT_ID, RING, SID

PATH = f"/streams/{EVENT_ID}/stream.m3u8"


def seen_after(sub: str, sid: str) -> tuple[bytes, set[str]]:
    """Ask the gate with such a token; return its answer and the sessions that it would report."""
    now = int(time.time())
    token = mint(Claims(eid=EVENT_ID, iat=now, exp=now + 10, sub=sub, sid=sid), RING)
    gate = Authorize(Verifier(KeySource(RING)).verify, lambda _now: Revocations())
    question = {
        b"x-gate-path": PATH.encode(),
        b"x-gate-method": b"GET",
        b"authorization": f"Bearer {token}".encode(),
    }
    return gate.answer(question).response.split(b"\r\n")[0], set(gate.activity.take())


def test_the_gate_lets_the_reader_in_and_does_not_count_him_as_watching() -> None:
    assert seen_after(READER_SUB, READER_SID) == (b"HTTP/1.1 204 No Content", set())
    assert seen_after("K7F2X9M4B1C3", SID) == (b"HTTP/1.1 204 No Content", {SID})


def test_no_code_and_no_session_of_ours_is_ever_called_like_the_reader() -> None:
    assert len(READER_SUB) != codes.LENGTH
    assert len(READER_SID) != len(SID)
