"""Input validation of the API: one message per field, and no unknown fields."""

from typing import Any

import pytest
from pydantic import ValidationError

from control_plane.schemas import Paging
from control_plane.schemas.accounts import SignInForm
from control_plane.schemas.events import EventDraft
from control_plane.schemas.tickets import TicketOrder

EVENT: dict[str, Any] = {
    "title": "Concert",
    "startsAt": "2027-01-15T20:00:00+01:00",
    "endsAt": "2027-01-15T22:00:00+01:00",
}
EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"


def wrong_fields(schema: type[Any], values: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        schema.model_validate(values)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_an_event_needs_a_title_and_two_times() -> None:
    assert wrong_fields(EventDraft, {}) == ["title", "startsAt", "endsAt"]


def test_an_event_has_the_defaults_of_the_organisers_page() -> None:
    draft = EventDraft.model_validate(EVENT)
    assert (draft.access_window_hours, draft.session_policy, draft.max_devices) == (48, "refuse", 1)
    assert draft.starts_at.isoformat() == "2027-01-15T20:00:00+01:00"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", 1),
        ("title", "\ud800"),
        ("description", "x" * 4001),
        ("posterUrl", "javascript:alert(1)"),
        ("posterUrl", "https://example.org/a b.jpg"),
        ("posterUrl", "/poster.jpg"),
        ("posterUrl", "http://example.org/poster.jpg"),
        ("posterUrl", "HTTP://example.org/poster.jpg"),
        ("startsAt", "2027-01-15T20:00:00"),
        ("startsAt", "tomorrow"),
        ("startsAt", None),
        ("startsAt", "0001-01-01T00:00:00+05:00"),
        ("endsAt", "9999-12-31T23:59:59Z"),
        ("accessWindowHours", 0),
        ("accessWindowHours", 169),
        ("accessWindowHours", "two days"),
        ("sessionPolicy", "share"),
        ("maxDevices", 0),
        ("maxDevices", 11),
        ("id", EVENT_ID.upper()),
        ("id", "../../etc"),
        ("id", EVENT_ID + "\n"),
        ("isActive", False),
        ("version", 7),
    ],
)
def test_a_wrong_value_is_refused_and_its_field_is_named(name: str, value: object) -> None:
    assert wrong_fields(EventDraft, EVENT | {name: value}) == [name]


@pytest.mark.parametrize("ends_at", ["2027-01-15T20:00:00+01:00", "2027-01-15T18:59:59Z"])
def test_an_event_ends_after_it_starts(ends_at: str) -> None:
    with pytest.raises(ValidationError, match="endsAt must be later than startsAt"):
        EventDraft.model_validate(EVENT | {"endsAt": ends_at})


@pytest.mark.parametrize(("name", "value"), [("accessWindowHours", 1), ("accessWindowHours", 168), ("maxDevices", 10)])
def test_boundary_values_are_accepted(name: str, value: int) -> None:
    assert EventDraft.model_validate(EVENT | {name: value}).model_dump(by_alias=True)[name] == value


def test_a_title_is_stripped() -> None:
    assert EventDraft.model_validate(EVENT | {"title": "  Concert \n"}).title == "Concert"


@pytest.mark.parametrize("count", [0, 1001, -1, "many", None, 1.5])
def test_between_one_and_a_thousand_codes_are_generated_at_once(count: object) -> None:
    assert wrong_fields(TicketOrder, {"count": count}) == ["count"]
    assert TicketOrder(count=1).count == 1
    assert TicketOrder(count=1000).count == 1000


def test_a_label_is_short() -> None:
    assert wrong_fields(TicketOrder, {"count": 1, "label": "x" * 201}) == ["label"]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [({"page": 0}, "page"), ({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"page": "x"}, "page")],
)
def test_pages_have_a_number_and_a_size(values: dict[str, Any], wrong: str) -> None:
    assert wrong_fields(Paging, values) == [wrong]


def test_a_sign_in_without_a_name_is_the_admins() -> None:
    assert SignInForm(password="x").username == "admin"
    assert wrong_fields(SignInForm, {"username": "admin"}) == ["password"]


def test_no_message_repeats_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        SignInForm.model_validate({"password": 123456789, "username": "x" * 65})
    assert "123456789" not in str(caught.value)
