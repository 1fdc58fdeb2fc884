"""The follower: its set is always complete and survives outages. Time is trio's mock clock, so no test waits."""

import json
from itertools import pairwise

import anyio
import httpx2
import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from authz_sidecar.contract.feed import FeedPage, FeedPageRefused
from authz_sidecar.follower import Follower
from tests.support.data.forging import NOW
from tests.support.services.feeds import Answer, GivenFeed, changes, revocation, snapshot

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def clock() -> float:
    return NOW + anyio.current_time()


def make(*answers: Answer, max_stale_seconds: float | None = None) -> tuple[Follower, GivenFeed]:
    feed = GivenFeed(list(answers))
    follower = Follower(feed, max_stale_seconds=max_stale_seconds, clock=clock)
    feed.look = lambda: refused_by(follower)
    return follower, feed


def refused_by(follower: Follower) -> set[str] | None:
    """Return the refused codes, or None while the follower does not know them."""
    revocations = follower.revocations(clock())
    return None if revocations is None else set(revocations.codes)


async def follow(follower: Follower, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await follower.run()


async def test_nothing_is_known_before_the_first_answer() -> None:
    follower, feed = make()
    await follow(follower, 60)
    assert refused_by(follower) is None
    assert follower.is_degraded
    assert [question.cursor for question in feed.questions] == [""]


async def test_an_empty_snapshot_makes_it_ready() -> None:
    follower, _ = make(snapshot("e.0"))
    await follow(follower, 1)
    assert refused_by(follower) == set()
    assert not follower.is_degraded
    assert follower.control_plane_reachable


async def test_changes_join_the_snapshot_and_each_cursor_acknowledges_the_answer_before() -> None:
    follower, feed = make(snapshot("e.2", "a"), changes("e.3", "b"), changes("e.3"), changes("e.4", "c"))
    await follow(follower, 1)
    assert refused_by(follower) == {"a", "b", "c"}
    assert [question.cursor for question in feed.questions] == ["", "e.2", "e.3", "e.3", "e.4"]


async def test_only_the_first_request_after_an_outage_does_not_wait() -> None:
    follower, feed = make(snapshot("e.0"), changes("e.1", "a"), OSError("gone"), changes("e.1"), changes("e.1"))
    await follow(follower, 5)
    assert [question.wait for question in feed.questions] == [False, True, True, False, True, True]


async def test_a_snapshot_in_pages_is_put_in_force_as_a_whole() -> None:
    follower, feed = make(snapshot("e.1", "a", more=True), snapshot("e.2", "b", more=True), snapshot("e.3", "c"))
    await follow(follower, 1)
    assert [question.cursor for question in feed.questions] == ["", "e.1.snapshot", "e.2.snapshot", "e.3"]
    assert [question.in_force for question in feed.questions] == [None, None, None, {"a", "b", "c"}]


async def test_a_new_snapshot_replaces_the_old_set_only_with_its_last_page() -> None:
    old, first, last = snapshot("e.9", "old"), snapshot("f.1", "a", more=True), snapshot("f.2", "b")
    follower, feed = make(old, first, last)
    await follow(follower, 1)
    assert [question.in_force for question in feed.questions] == [None, {"old"}, {"old"}, {"a", "b"}]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b'{"cursor": "f.2", "snapshot": true, "mo',
        b"<html>502 Bad Gateway</html>",
        httpx2.ReadTimeout("cut off"),
        OSError("reset"),
        changes("f.2", "x"),
        changes("e.10", "x"),
    ],
)
async def test_an_invalid_page_in_the_middle_keeps_the_old_set_and_restarts_the_snapshot(broken: Answer) -> None:
    again = snapshot("f.1", "a", more=True), snapshot("f.2", "b")
    follower, feed = make(snapshot("e.9", "old"), snapshot("f.1", "half", more=True), broken, *again)
    await follow(follower, 5)
    assert [question.cursor for question in feed.questions] == ["", "e.9", "f.1.snapshot", "e.9", "f.1.snapshot", "f.2"]
    assert [question.in_force for question in feed.questions][3:] == [{"old"}, {"old"}, {"a", "b"}]


async def test_a_log_that_changes_its_epoch_within_a_snapshot_is_not_mixed_with_the_other() -> None:
    follower, _ = make(snapshot("e.1", "old", more=True), snapshot("f.1", "a", more=True), snapshot("f.2", "b"))
    await follow(follower, 1)
    assert refused_by(follower) == {"a", "b"}


@pytest.mark.parametrize("wrong", [changes("f.10", "x"), b"{}", b"null"])
async def test_an_answer_that_does_not_continue_from_the_cursor_is_refused(wrong: Answer) -> None:
    follower, feed = make(snapshot("e.9", "a"), wrong)
    await follow(follower, 3)
    assert refused_by(follower) == {"a"}
    assert feed.questions[-1].cursor == "e.9"


async def test_changes_before_the_first_snapshot_are_refused() -> None:
    follower, _ = make(changes("e.9", "a"))
    with pytest.raises(FeedPageRefused):
        await follower.sync_once()
    assert refused_by(follower) is None


async def test_failures_are_followed_by_growing_pauses_with_jitter_up_to_ten_seconds() -> None:
    follower, feed = make(*[httpx2.ConnectError("away")] * 8, snapshot("e.0"))
    await follow(follower, 100)
    asked = [question.at for question in feed.questions]
    pauses = [later - earlier for earlier, later in pairwise(asked)][:8]
    for pause, longest in zip(pauses, [0.5, 1, 2, 4, 8, 10, 10, 10], strict=True):
        assert longest / 2 <= pause <= longest
    assert follower.control_plane_reachable


async def test_after_a_success_the_pauses_start_small_again() -> None:
    failures = [httpx2.ConnectError("away")] * 4
    follower, feed = make(*failures, snapshot("e.0"), OSError("away"), changes("e.0"))
    await follow(follower, 100)
    assert feed.questions[6].at - feed.questions[5].at <= 0.5


async def test_immediate_empty_answers_do_not_cause_a_busy_loop() -> None:
    follower, feed = make(snapshot("e.0"), *[changes("e.0")] * 10_000)
    await follow(follower, 10)
    assert len(feed.questions) <= 10 / 0.05 + 2


async def test_known_revocations_stay_in_force_while_the_control_plane_is_unreachable() -> None:
    follower, _ = make(snapshot("e.1", "a"), *[OSError("away")] * 10_000)
    await follow(follower, 1800)
    assert refused_by(follower) == {"a"}
    assert not follower.control_plane_reachable
    assert follower.is_degraded


async def test_it_is_degraded_after_five_minutes_without_an_answer() -> None:
    follower, _ = make(snapshot("e.1"), *[OSError("away")] * 10_000)
    await follow(follower, 299)
    assert not follower.is_degraded
    await anyio.sleep(2)
    assert follower.is_degraded


async def test_revocations_that_are_staler_than_allowed_are_not_used() -> None:
    follower, _ = make(snapshot("e.1", "a"), *[OSError("away")] * 10_000, max_stale_seconds=60)
    await follow(follower, 59)
    assert refused_by(follower) == {"a"}
    await anyio.sleep(2)
    assert refused_by(follower) is None


async def test_an_answer_without_changes_is_also_a_sync() -> None:
    quiet = [changes("e.1")] * 10_000
    follower, _ = make(snapshot("e.1", "a"), *quiet, max_stale_seconds=60)
    await follow(follower, 120)
    assert refused_by(follower) == {"a"}


async def test_entries_that_no_live_token_can_match_are_dropped() -> None:
    follower, _ = make(snapshot("e.1", "a"), *[OSError("away")] * 2000, changes("e.1"))
    await follow(follower, 20_000)
    assert refused_by(follower) == set()


def newer(cursor: str, *kinds: str, snapshot: bool = False) -> bytes:
    """Return a page with kinds that do not exist yet and a revocation of `a`."""
    entries = [{"kind": kind, "id": "x", "address": "https://media.example.org/"} for kind in kinds]
    return json.dumps(
        FeedPage(cursor, (), snapshot).to_json() | {"changes": [*entries, revocation("a").to_json()]}
    ).encode()


async def test_unknown_kinds_are_skipped_and_counted_and_the_cursor_advances() -> None:
    follower, feed = make(newer("e.5", "origin", snapshot=True), newer("e.9", "origin", "user"), changes("e.10", "b"))
    with capture_logs() as logs:
        await follow(follower, 1)
    assert refused_by(follower) == {"a", "b"}
    assert [question.cursor for question in feed.questions] == ["", "e.5", "e.9", "e.10"]
    assert follower.skipped == {"origin": 2, "user": 1}
    assert [log["kinds"] for log in logs if log["event"] == "feed_kinds_unknown"] == [["origin"], ["user"]]


async def test_an_outage_of_the_control_plane_and_its_end_are_logged_once() -> None:
    follower, _ = make(snapshot("e.1"), *[OSError("away")] * 5, changes("e.1"))
    with capture_logs() as logs:
        await follow(follower, 100)
    assert [entry["event"] for entry in logs] == ["feed_followed", "feed_lost", "feed_followed"]
