"""The sidecar's list of events with their own origin: polled, and kept during outages."""

import json

import anyio
import httpx2
import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from authz_sidecar.origins import Origins, OriginsRefused, Source, parse

pytestmark = pytest.mark.anyio
ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
ASK_EVERY_SECONDS = 2.0
AWAY = httpx2.ConnectError("away")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Given:
    """Return these answers in turn, and the last one from then on."""

    def __init__(self, *answers: dict[str, str] | bytes | Exception | None) -> None:
        self.answers = list(answers)
        self.asked_at: list[float] = []
        self.known: list[str] = []

    async def origins_may_differ(self) -> None:
        await anyio.sleep(ASK_EVERY_SECONDS)

    async def origins(self, known: str) -> tuple[str, bytes] | None:
        self.asked_at.append(anyio.current_time())
        self.known.append(known)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            answer = listed(answer)
        if answer is None:
            await anyio.sleep_forever()
        body = answer or b""
        tag = f"tag of {len(body)}"
        return None if known == tag else (tag, body)


def listed(origins: dict[str, str]) -> bytes:
    return json.dumps({"origins": origins}).encode()


async def follow(given: Given, seconds: float) -> Origins:
    origins = Origins(given)
    with anyio.move_on_after(seconds):
        await origins.run()
    return origins


async def test_the_first_list_is_known_before_it_is_started() -> None:
    origins = Origins(Given({ONE: "https://a.example/x/"}))
    async with anyio.create_task_group() as tasks:
        await tasks.start(origins.run)
        assert origins.by_event == {ONE: Source.at("https://a.example/x/")}
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [AWAY, None, b"nonsense"])
async def test_an_unreachable_or_hung_control_plane_does_not_block_the_start(answer: Exception | bytes | None) -> None:
    origins = Origins(Given(answer))
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(1.5):
            await tasks.start(origins.run)
        assert origins.by_event == {}
        tasks.cancel_scope.cancel()


async def test_a_change_is_known_within_seconds_in_the_same_dictionary() -> None:
    given = Given({ONE: "https://a.example/x/"}, {TWO: "https://b.example/a/longer/y.m3u8"})
    origins = Origins(given)
    seen = origins.by_event
    with anyio.move_on_after(ASK_EVERY_SECONDS + 0.1):
        await origins.run()
    assert seen == {TWO: Source.at("https://b.example/a/longer/y.m3u8")}
    assert given.known[1].startswith("tag")


@pytest.mark.parametrize("trouble", [AWAY, OSError("no socket"), b"nonsense", listed({"x": "https://a.example/"})])
async def test_the_known_list_stays_in_force_during_failures(trouble: Exception | bytes) -> None:
    with capture_logs() as logs:
        origins = await follow(Given({ONE: "https://a.example/x/"}, trouble), 600)
    assert origins.by_event == {ONE: Source.at("https://a.example/x/")}
    assert [entry["event"] for entry in logs] == ["origins_changed", "origins_not_heard"]


async def test_an_unreachable_control_plane_is_polled_with_growing_pauses_up_to_ten_seconds() -> None:
    given = Given({ONE: "https://a.example/x/"}, AWAY)
    await follow(given, 600)
    pauses = [later - earlier for earlier, later in zip(given.asked_at[1:], given.asked_at[2:], strict=False)]
    assert pauses[0] <= 0.5
    assert max(pauses) <= 10
    assert 600 / 10 <= len(pauses) <= 600 / 5 + 10


async def test_while_nothing_is_known_it_polls_every_second() -> None:
    given = Given(AWAY)
    await follow(given, 60)
    assert len(given.asked_at) >= 60


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"origins": []}',
        b'{"origins": {"a": "https://a.example/"}}',
        b'{"origins": {"a": "https://a.example/"}',
        listed({ONE: "ftp://a.example/"}),
        listed({ONE: "https://a.example/ x"}),
        listed({ONE: "https://a.example/\r\nX-Gate-Reason: x"}),
        listed({ONE: "https://a.example/" + "x" * 2000}),
        listed({ONE: "https://a.example/", TWO: "nonsense"}),
        b'{"origins": {"%b": 1}}' % ONE.encode(),
        b'{"origins": {}, "credentials": {"%b": {"header": "X: y\\r\\nZ: 1", "query": ""}}}' % ONE.encode(),
        b'{"origins": {}, "credentials": {"%b": {"header": "Host: y", "query": ""}}}' % ONE.encode(),
        b'{"origins": {}, "credentials": {"%b": {"header": ""}}}' % ONE.encode(),
        b'{"origins": {}, "credentials": []}',
    ],
)
def test_an_invalid_list_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(OriginsRefused):
        parse(body)


@pytest.mark.parametrize(
    ("source", "playlist", "segment"),
    [
        ("https://a.example/x/", "https://a.example/x/stream.m3u8", "https://a.example/x/720p/1.ts"),
        ("https://a.example/x", "https://a.example/x/stream.m3u8", "https://a.example/x/720p/1.ts"),
        ("https://a.example/x/index.m3u8", "https://a.example/x/index.m3u8", "https://a.example/x/720p/1.ts"),
        ("http://a.example:81/i.m3u8", "http://a.example:81/i.m3u8", "http://a.example:81/720p/1.ts"),
        ("http://a.example/X/I.M3U8", "http://a.example/X/I.M3U8", "http://a.example/X/720p/1.ts"),
    ],
)
def test_the_playlist_is_the_sources_and_all_other_files_are_next_to_it(
    source: str, playlist: str, segment: str
) -> None:
    assert Source.at(source).url_of("stream.m3u8") == playlist
    assert Source.at(source).url_of("720p/1.ts") == segment
    assert Source.at(source).url_of("720p/stream.m3u8").endswith("/720p/stream.m3u8")


def test_an_origins_credentials_are_added_to_each_file_and_never_appear_in_messages() -> None:
    shown = {"header": "Authorization: Bearer hunter2", "query": "a=hunter2"}
    source = parse(json.dumps({"origins": {ONE: "https://a.example/x/"}, "credentials": {ONE: shown}}).encode())[ONE]
    assert dict(source.headers_of("720p/1.ts")) == {
        b"x-gate-origin": b"https://a.example/x/720p/1.ts",
        b"x-gate-origin-header": b"Authorization: Bearer hunter2",
        b"x-gate-origin-query": b"a=hunter2",
    }
    assert "hunter2" not in repr(source)
