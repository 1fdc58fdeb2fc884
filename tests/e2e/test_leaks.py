"""The suite's own check of the logs: a gate whose error log is not redacted fails when it stops."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import leaks
from tests.support.clients.people import Organiser
from tests.support.clients.raw_http import raw_request
from tests.support.data.tokens import Minter
from tests.support.media.streams import make_folder
from tests.support.services.stack import StackUnderTest


def token_in_the_path(gate: StackUnderTest) -> str:
    folder = make_folder(gate.streams)
    return f"/t/{Minter(gate.home).token(folder.event_id)}{folder.url}/1.ts"


def code_in_the_query(gate: StackUnderTest) -> str:
    organiser = Organiser(gate.url)
    [ticket] = organiser.tickets(organiser.create_event())
    organiser.close()
    leaks.forget()  # the code is also in the database
    return f"/api/admin/tokens?search={ticket.code}"


@pytest.mark.parametrize("target", [token_in_the_path, code_in_the_query])
@pytest.mark.parametrize("redacted", [True, False])
def test_a_gate_stops_with_an_error_if_its_error_log_is_not_redacted(
    tmp_path: Path, target: Callable[[StackUnderTest], str], *, redacted: bool
) -> None:
    gate = StackUnderTest(tmp_path / "home")
    gate.nginx.redacted = redacted
    try:
        gate.start()
        asked = target(gate)
        for neighbour in (gate.control_plane, *gate.sidecars):
            neighbour.kill()
        assert raw_request(gate.url, asked).status == 503
    finally:
        for service in gate.services:
            service.end()
    assert "connect() to unix" in gate.nginx.printed()
    if redacted:
        gate.stop()
        return
    with pytest.raises(AssertionError, match=r"nginx\.log holds .*request: "):
        gate.stop()


@pytest.mark.parametrize(
    "line",
    [
        "Cookie: sg_playback=abc",
        "authorization: Bearer abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx",
        "key=sgk_abc",
        '"path":"/x-Rememb3red12"',
        '"path":"/x%20Rememb3red12"',
    ],
)
def test_secrets_are_found_by_pattern_or_because_they_were_recorded(tmp_path: Path, line: str) -> None:
    leaks.remember("Rememb3red12")
    (tmp_path / "log").write_text(f"nothing\n{line}\n")
    with pytest.raises(AssertionError, match="log holds"):
        leaks.check([tmp_path / "log"])


def test_the_output_of_the_redaction_filter_contains_no_secret(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("sg_playback=[redacted]; Bearer [token] /t/[token]/streams/\n")
    leaks.check([tmp_path / "log"])
