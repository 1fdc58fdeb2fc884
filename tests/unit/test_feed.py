"""Pages of the feed: parsed strictly, and refused as a whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.feed import Change, Cursor, FeedPage, FeedPageRefused, Kind, parse_page

CHANGE: dict[str, Any] = {
    "kind": "code",
    "id": "K7F2X9M4B1C3",
    "revoked": True,
    "notBefore": None,
    "at": "2027-01-15T08:00:00+00:00",
    "expiresAt": "2027-01-15T09:00:00+00:00",
}
PAGE: dict[str, Any] = {"cursor": "k3f9.184", "snapshot": False, "more": False, "changes": [CHANGE]}
AT = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()

moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
times = moments.map(lambda moment: moment.timestamp())
changes = st.builds(
    Change,
    kind=st.sampled_from(Kind),
    id=st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])),
    revoked=st.booleans(),
    not_before=st.none() | times.map(int),
    at=times,
    expires_at=times,
    until=st.none() | times,
)
marks = st.from_regex(r"\A[0-9a-f]{8}\Z")
inside = st.just((True, None)) | st.tuples(st.just(False), st.none() | marks)
cursors = st.builds(
    lambda epoch, n, rest: Cursor(epoch, n, *rest),
    st.from_regex(r"\A[0-9a-z]{1,16}\Z"),
    st.integers(0, 2**59),
    inside,
)


def page(**members: Any) -> bytes:
    return json.dumps(PAGE | members).encode()


def page_of(**members: Any) -> bytes:
    return page(changes=[CHANGE | members])


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def test_a_page_in_the_published_form_is_parsed() -> None:
    assert parse_page(page()) == FeedPage("k3f9.184", (Change(Kind.CODE, "K7F2X9M4B1C3", True, None, AT, AT + 3600),))


def test_a_mark_is_kept_with_the_cursor_and_is_optional() -> None:
    assert parse_page(page(mark="0123abcd")).place == "k3f9.184.0123abcd"
    assert parse_page(page()).place == "k3f9.184"


@pytest.mark.parametrize("mark", ["", "snapshot", "0123abc", "0123ABCD", "0123abcd.1", 7, ["0123abcd"]])
def test_a_page_with_an_invalid_mark_is_refused(mark: object) -> None:
    with pytest.raises(FeedPageRefused):
        parse_page(page(mark=mark))


def test_an_empty_page_is_valid() -> None:
    assert parse_page(page(changes=[])) == FeedPage("k3f9.184", ())


def test_times_in_any_zone_are_the_same_moment() -> None:
    same = page_of(at="2027-01-15T10:30:00+02:30", expiresAt="2027-01-15T09:00:00Z")
    assert parse_page(same) == parse_page(page())


def test_a_fraction_of_a_second_in_not_before_refuses_the_whole_second() -> None:
    read = parse_page(page_of(revoked=False, notBefore="2027-01-15T08:00:00.001+00:00"))
    assert read.changes[0].not_before == AT + 1


def test_members_that_a_newer_control_plane_adds_are_ignored() -> None:
    read = parse_page(page(epochStarted=1, changes=[CHANGE | {"reason": {"by": "admin"}}]))
    assert read == parse_page(page())


@pytest.mark.parametrize(
    "stranger", [{"kind": "origin"}, {"kind": "CODE", "id": [], "at": 7}, CHANGE | {"kind": "user"}]
)
def test_entries_of_kinds_that_a_newer_control_plane_adds_are_skipped_and_named(stranger: dict[str, Any]) -> None:
    known = parse_page(page()).changes
    read = parse_page(page(changes=[stranger, CHANGE, stranger]))
    assert (read.cursor, read.changes, read.skipped) == ("k3f9.184", known, (stranger["kind"],) * 2)


def test_a_held_event_has_an_end_of_the_hold() -> None:
    held = parse_page(page_of(kind="event", until="2027-01-15T20:00:00+00:00")).changes[0]
    assert held.until == AT + 12 * 3600
    assert held.to_json()["until"] == "2027-01-15T20:00:00+00:00"
    assert "until" not in parse_page(page()).changes[0].to_json()


def test_a_page_of_unknown_kinds_only_is_valid() -> None:
    assert parse_page(page(changes=[{"kind": "origin"}])) == FeedPage("k3f9.184", (), skipped=("origin",))


@given(st.integers(0, len(page()) - 1))
def test_a_page_truncated_anywhere_is_refused(length: int) -> None:
    refused(page()[:length])


def pages_with(name: str, *values: object, **others: Any) -> dict[str, bytes]:
    return {f"{name} {value!r:.40}": page(**others, **{name: value}) for value in values}


def changes_with(name: str, *values: object) -> dict[str, bytes]:
    return {f"change's {name} {value!r}": page_of(**{name: value}) for value in values}


NO_TIMES: list[object] = [
    "2027-01-15T08:00:00", "2027-01-15", "yesterday", "", 1_800_000_000, 1.5, True, [], "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59.5+00:00", "9999-12-31T23:59:59-01:00",
]  # fmt: skip
NO_CURSORS: list[object] = [
    None, "", 184, "k3f9", "184.", ".184", "k3f9.-1", "k3f9.1.later", "k 9.1", "k3f9.\u0661", "k3f9." + "9" * 19,
    "k3f9." + "9" * 5000, ["k3f9.184"], {},
]  # fmt: skip
BAD_PAGES = {
    **{f"without {name}": json.dumps(without(PAGE, name)).encode() for name in PAGE},
    **{f"a change without {name}": page(changes=[without(CHANGE, name)]) for name in CHANGE},
    **pages_with("changes", None, {}, "", 0, "abc", [None], [[]], ["a"], [CHANGE, 1]),
    **pages_with("snapshot", None, 0, 1, "true", []),
    **pages_with("more", None, 0, 1, "true", []),
    **pages_with("cursor", *NO_CURSORS),
    **pages_with("next", *NO_CURSORS, snapshot=True, more=True),
    **changes_with("kind", "", None, 1, [], {}),
    "an unknown kind beside a change that makes no sense": page(changes=[{"kind": "origin"}, CHANGE | {"at": 1}]),
    **changes_with("id", "", None, 1, [], {}, True),
    **changes_with("revoked", None, 0, 1, "true", []),
    **changes_with("at", None, *NO_TIMES),
    **changes_with("expiresAt", None, *NO_TIMES),
    **changes_with("notBefore", *NO_TIMES),
    **changes_with("until", *NO_TIMES),
    "NaN": page_of(notBefore=float("nan")),
    "Infinity": page(lag=float("inf")),
    "a key twice": page()[:-1] + b', "more": false}',
    "a change's key twice": page().replace(b'"revoked": true', b'"revoked": true, "revoked": false'),
    "a list": b"[" + page() + b"]",
    "nothing": b"",
    "an error page": b"<html><title>502 Bad Gateway</title></html>",
    "two pages": page() + page(),
    "a BOM": b"\xef\xbb\xbf" + page(),
    "UTF-16": page().decode().encode("utf-16"),
    "invalid UTF-8": page().replace(b"K7F2", b"K7\xff2"),
    "deep nesting": b"[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("data", BAD_PAGES.values(), ids=BAD_PAGES.keys())
def test_an_invalid_page_is_refused_as_a_whole(data: bytes) -> None:
    refused(data)


@given(cursors, st.lists(changes, max_size=5), st.booleans(), st.booleans())
def test_a_written_page_is_parsed_unchanged(cursor: Cursor, listed: list[Change], snapshot: bool, more: bool) -> None:  # noqa: FBT001
    written = FeedPage(str(cursor), tuple(listed), snapshot, more, str(cursor) if more else None)
    assert parse_page(json.dumps(written.to_json()).encode()) == written


@given(st.binary())
def test_random_bytes_are_refused_without_any_other_error(data: bytes) -> None:
    refused(data)


@given(cursors)
def test_a_cursor_is_parsed_unchanged(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text())
def test_a_text_is_a_cursor_with_the_same_text_or_none(text: str) -> None:
    cursor = Cursor.parse(text)
    assert cursor is None or Cursor.parse(str(cursor)) == cursor


def refused(data: bytes) -> None:
    with pytest.raises(FeedPageRefused):
        parse_page(data)
