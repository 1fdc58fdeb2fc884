"""The fast lane: errors are handled as by uvicorn, closed and logged."""

import asyncio
import logging
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.playback_token import Claims
from authz_sidecar.fast_lane import FastLane
from authz_sidecar.revocations import Revocations

pytestmark = pytest.mark.anyio
QUESTION = b"GET /authorize HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer x\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


def connect(authorize: Authorize) -> tuple[FastLane, Wire]:
    lane = FastLane.with_authorize(authorize)
    config = Config(authorize, http=lane, log_config=None, lifespan="off")
    config.load()
    connection, wire = lane(config, ServerState(), {}), Wire()
    connection.connection_made(wire)
    return connection, wire


async def test_an_authorization_is_answered_before_anything_else_runs() -> None:
    connection, wire = connect(Authorize(broken, lambda _now: None))
    connection.data_received(QUESTION * 2)
    assert wire.written.count(b"HTTP/1.1 503 Service Unavailable\r\nx-gate-reason: not-ready\r\n") == 2


async def test_a_bug_is_answered_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    connection, wire = connect(Authorize(broken, lambda _now: Revocations()))
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        connection.data_received(QUESTION)
        await asyncio.gather(*connection.tasks)
    assert wire.written.startswith(b"HTTP/1.1 500 ")
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_no_answers_accumulate_while_the_peer_does_not_read() -> None:
    connection, wire = connect(Authorize(broken, lambda _now: None))
    connection.pause_writing()
    connection.data_received(QUESTION)
    assert wire.written == b""
    connection.resume_writing()
    await asyncio.gather(*connection.tasks)
    assert wire.written.startswith(b"HTTP/1.1 503 ")


def broken(_token: str) -> Claims:
    raise ZeroDivisionError("a bug")
