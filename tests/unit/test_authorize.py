"""The authorization endpoint for nginx: status and reason, and nothing more."""

from collections.abc import Mapping
from typing import Any

import pytest

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.contract.fingerprint import fingerprint
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.origins import Source
from authz_sidecar.revocations import Revocations
from tests.support.data.forging import CODE, EVENT_ID, RING, SID, fresh

pytestmark = pytest.mark.anyio
PATH = f"/streams/{EVENT_ID}/stream.m3u8"
SOURCES = {EVENT_ID: Source.at("https://a.example/x/index.m3u8")}


async def ask(
    headers: dict[str, str], revocations: Revocations | None = None, *, ready: bool = True
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a media request has no body")

    known = (revocations or Revocations()) if ready else None
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await Authorize(Verifier(KeySource(RING)).verify, lambda _now: known)(
        {"type": "http", "headers": raw}, receive, send
    )
    assert sent[1] == {"type": "http.response.body", "body": b""}
    return sent[0]["status"], dict(sent[0]["headers"])


def question(token: str | None = None, path: str = PATH, method: str = "GET") -> dict[str, str]:
    headers = {"X-Gate-Path": path, "X-Gate-Method": method}
    return headers | ({"Authorization": f"Bearer {token}"} if token is not None else {})


def raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode("latin-1") for name, value in headers.items()}


def authorizing(sources: Mapping[str, Source]) -> Authorize:
    return Authorize(Verifier(KeySource(RING)).verify, lambda _now: Revocations(), sources=sources)


def revocations_of(kind: Kind, subject: str) -> Revocations:
    return Revocations([Change(kind, subject, True, None, 0, 2**40)])


async def test_an_allowed_request_is_204_with_the_tickets_fingerprint_for_the_log() -> None:
    status, headers = await ask(question(fresh()))
    assert status == 204
    assert headers == {b"x-gate-ticket": fingerprint(CODE).encode()}


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        (question(), 401, "missing"),
        (question("nonsense"), 401, "invalid"),
        (question(fresh(iat=1, exp=2)), 403, "expired"),
        (question(fresh(), path="/streams/elsewhere/stream.m3u8"), 403, "path"),
        ({"Authorization": f"Bearer {fresh()}"}, 403, "path"),
        ({"Authorization": "Bearer \xff"}, 401, "invalid"),
    ],
)
async def test_a_refusal_has_a_status_that_nginx_understands_and_its_reason(
    headers: dict[str, str], status: int, reason: str
) -> None:
    answered, sent = await ask(headers)
    assert (answered, sent[b"x-gate-reason"]) == (status, reason.encode())


@pytest.mark.parametrize(
    ("kind", "subject", "reason"),
    [(Kind.EVENT, EVENT_ID, b"event"), (Kind.CODE, CODE, b"revoked"), (Kind.SESSION, SID, b"session")],
)
async def test_a_revoked_subject_is_answered_403(kind: Kind, subject: str, reason: bytes) -> None:
    status, headers = await ask(question(fresh()), revocations_of(kind, subject))
    assert (status, headers[b"x-gate-reason"]) == (403, reason)


async def test_every_request_is_refused_until_the_revocations_are_known() -> None:
    status, headers = await ask(question(fresh()), ready=False)
    assert (status, headers[b"x-gate-reason"]) == (503, b"not-ready")


async def test_a_refusal_names_neither_code_nor_event_nor_session() -> None:
    _, headers = await ask(question(fresh()), revocations_of(Kind.CODE, CODE))
    shown = repr(headers)
    assert not [secret for secret in (CODE, EVENT_ID, SID) if secret in shown]


async def test_allowed_sessions_are_noted_as_watching_and_refused_ones_are_not() -> None:
    authorize = Authorize(Verifier(KeySource(RING)).verify, lambda _now: Revocations())
    client = {"X-Gate-Client": "192.0.2.1", "X-Gate-User-Agent": "a player"}
    for headers in (question(fresh()), question(fresh(sid="r" * 22), path="/elsewhere"), question("nonsense")):
        authorize.answer({name.lower().encode(): value.encode() for name, value in (headers | client).items()})
    ((sid, clients),) = authorize.activity.take().items()
    assert sid == SID
    assert set(clients) == {(b"192.0.2.1", b"a player")}


@pytest.mark.parametrize(
    ("name", "origin"),
    [("stream.m3u8", b"https://a.example/x/index.m3u8"), ("720p/17.ts", b"https://a.example/x/720p/17.ts")],
)
async def test_an_answer_for_an_event_with_its_own_origin_names_the_files_address(name: str, origin: bytes) -> None:
    headers = raw(question(fresh(), path=f"/streams/{EVENT_ID}/{name}"))
    start, response = authorizing(SOURCES).answer(headers)
    assert dict(start["headers"])[b"x-gate-origin"] == origin
    assert b"\r\nx-gate-origin: %s\r\n\r\n" % origin in response
    assert b"x-gate-origin" not in dict(authorizing({}).answer(headers).start["headers"])


@pytest.mark.parametrize("asked", [question("nonsense"), question(), question(fresh(), path="/streams/elsewhere/1.ts")])
async def test_a_refusal_does_not_name_the_origin(asked: dict[str, str]) -> None:
    assert b"origin" not in authorizing(SOURCES).answer(raw(asked)).response


async def test_the_raw_response_equals_the_asgi_response() -> None:
    for token, sources in ((fresh(), {}), (fresh(), SOURCES), ("nonsense", {}), (fresh(iat=1, exp=2), SOURCES)):
        start, response = authorizing(sources).answer(raw(question(token)))
        first, *lines = response.removesuffix(b"\r\n\r\n").split(b"\r\n")
        assert first.startswith(b"HTTP/1.1 %d " % start["status"])
        assert [tuple(line.split(b": ")) for line in lines] == start["headers"]
