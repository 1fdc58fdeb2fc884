"""Path tricks: no spelling gives access to another event's stream or to anything outside of the streams."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clients.raw_http import RawAnswer, raw_request
from tests.support.data.tokens import Minter
from tests.support.media.streams import Folder, make_folder
from tests.support.services.stack import StackUnderTest

TRICKS = [
    "/streams/{mine}/../{other}/1.ts",
    "/streams/{mine}/./../{other}/1.ts",
    "/streams/{mine}/low/../../{other}/1.ts",
    "/streams/{mine}/%2e%2e/{other}/1.ts",
    "/streams/{mine}/.%2e/{other}/1.ts",
    "/streams/{mine}/%2E%2E%2f{other}/1.ts",
    "/streams/{mine}%2f..%2f{other}/1.ts",
    "/streams/{mine}/..%5c{other}/1.ts",
    "/streams/{mine}/..\\{other}\\1.ts",
    "/streams/{mine}\\..\\{other}/1.ts",
    "/streams/{mine}/%252e%252e/{other}/1.ts",
    "/streams/{mine}/..;/{other}/1.ts",
    "/streams/{mine};/../{other}/1.ts",
    "/streams/{mine}/1.ts/../../{other}/1.ts",
    "/streams/{mine}//../{other}/1.ts",
    "//streams/{other}/1.ts",
    "/streams//{other}/1.ts",
    "/streams/{other}//1.ts",
    "/./streams/{other}/1.ts",
    "/x/../streams/{other}/1.ts",
    "/%73treams/{other}/1.ts",
    "/streams/{mine}/1.ts#/../../{other}/1.ts",
    "/streams/{other}/1.ts#/streams/{mine}/1.ts",
    "/streams/{mine}#/../{other}/1.ts",
    "/streams/{mine}/%00/../{other}/1.ts",
    "/streams/{mine}/1.ts%00",
    "/streams/{mine}/1.ts%00.m3u8",
    "/streams/{mine}/%0d%0aX-Gate-Path:%20/streams/{other}/1.ts",
    "/streams/{mine}%0d%0aX-Gate-Path:%20x/../{other}/1.ts",
    "/streams/{other}/1.ts%0d%0aX-Gate-Path: /streams/{mine}/1.ts",
    "/STREAMS/{mine}/1.ts",
    "/Streams/{other}/1.ts",
    "/streams/{mine}/1.TS",
    "/streams/{mine}/1.ts.",
    "/streams/{mine}/1.ts..",
    "/streams/{mine}/1.ts/",
    "/streams/{mine}/1.ts%20",
    "/streams/{mine}/1.ts::$DATA",
    "/streams/{mine}/.hidden.ts",
    "/streams/{mine}/low/.hidden.ts",
    "/streams/{mine}/secret.txt",
    "/streams/{mine}/",
    "/streams/{mine}",
    "/streams/",
    "/streams",
    "/streams/../.env",
    "/streams/{mine}/../../.env",
    "/streams/{mine}/../../streamgate.db",
    "/t/{token}/streams/{mine}/../{other}/1.ts",
    "/t/{token}/../streams/{other}/1.ts",
    "/t/{token}/t/{token}/streams/{mine}/1.ts",
    "/t/{token}//streams/{other}/1.ts",
    "/t//streams/{other}/1.ts",
    "/t/../streams/{other}/1.ts",
    "/t/{token}/internal/feed.ts",
    "/t/{token}/api/admin/events",
    "/streams/{mine}/" + "a" * 3000 + "/../../{other}/1.ts",
    "http://other.example/streams/{other}/1.ts",
    "*",
]


@pytest.fixture(scope="module")
def folders(gate: StackUnderTest) -> tuple[Folder, Folder]:
    mine, other = make_folder(gate.streams), make_folder(gate.streams)
    return mine, other


def ask(gate: StackUnderTest, mine: Folder, target: str) -> RawAnswer:
    token = Minter(gate.home).token(mine.event_id)
    return raw_request(gate.url, target.replace("{token}", token), headers=(f"Authorization: Bearer {token}",))


@pytest.mark.parametrize("trick", TRICKS)
def test_path_tricks_never_serve_another_events_bytes_or_any_other_file(
    gate: StackUnderTest, folders: tuple[Folder, Folder], trick: str
) -> None:
    mine, other = folders
    target = trick.replace("{mine}", mine.event_id).replace("{other}", other.event_id)
    answer = ask(gate, mine, target)
    assert answer.status in {400, 403, 404, 414}, target
    assert b"mark-of" not in answer.body
    assert b"SECRET" not in answer.body


def test_a_very_long_path_is_refused_and_the_next_request_is_served(
    gate: StackUnderTest, folders: tuple[Folder, Folder]
) -> None:
    mine, _ = folders
    assert ask(gate, mine, f"{mine.url}/{'a' * 60_000}.ts").status in {404, 414}
    assert ask(gate, mine, f"{mine.url}/1.ts").status == 200


CARRIERS = ["header", "query", "cookie", "path", "none"]
DOCUMENTED = {200, 400, 401, 403, 404}
# The beginning of a mixture: in the own stream or another one, at an existing file, or elsewhere.
BEGINNINGS = ["/streams/{mine}/1.ts", "/streams/{other}/1.ts", "/streams/{mine}", "/streams/{other}", ""]
WORDS = ["{mine}", "{other}", "{token}", "streams", "t", "..", ".", "", "1.ts", "low", "stream.m3u8", "%2e%2e"]
GLUE = ["/", "/", "/", "//", "%2f", "\\", ";", "#", "?", "&", "%00", "%0d%0a", "%5c", "/./"]
MIXTURES = st.builds(
    lambda beginning, parts: beginning + "".join(separator + word for separator, word in parts),
    st.sampled_from(BEGINNINGS),
    st.lists(st.tuples(st.sampled_from(GLUE), st.sampled_from(WORDS)), max_size=9),
)


def carried(carrier: str, target: str) -> tuple[str, tuple[str, ...]]:
    """Return the target and headers of a request with the token in this carrier."""
    target = "/" + target.lstrip("/")
    if carrier == "path":
        return "/t/{token}" + target, ()
    if carrier == "query":
        return f"{target}{'&' if '?' in target else '?'}__token={{token}}", ()
    lines = {"header": ("Authorization: Bearer {token}",), "cookie": ("Cookie: sg_playback={token}",)}
    return target, lines.get(carrier, ())


def test_no_mixture_of_path_parts_with_any_carrier_serves_another_events_bytes(
    gate: StackUnderTest, folders: tuple[Folder, Folder]
) -> None:
    mine, other = folders
    names = {"mine": mine.event_id, "other": other.event_id, "token": Minter(gate.home).token(mine.event_id)}
    seen: set[tuple[str, int]] = set()

    def ask_for(carrier: str, mixture: str) -> None:
        target, headers = carried(carrier, mixture)
        target, *lines = (line.format(**names) for line in (target, *headers))
        answer = raw_request(gate.url, target, headers=tuple(lines))
        seen.add((carrier, answer.status))
        assert answer.status in DOCUMENTED
        assert other.mark.encode() not in answer.body
        if mine.mark.encode() in answer.body:
            assert names["token"] in "".join([target, *lines])

    for carrier, mixture in product(CARRIERS, ("/streams/{mine}/1.ts", "/streams/{other}/1.ts", "/nothing")):
        ask_for(carrier, mixture)
    drawn = given(carrier=st.sampled_from(CARRIERS), mixture=MIXTURES)(ask_for)
    settings(max_examples=600, deadline=None)(drawn)()
    opened = {(carrier, status) for carrier in CARRIERS[:-1] for status in (200, 403, 404)}
    assert seen >= opened | {("none", 401), ("none", 404)}
