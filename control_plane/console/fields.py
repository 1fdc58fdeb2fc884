"""From a submitted form to a schema's input, and from a schema's errors to one sentence a field.

The rules are the schemas' alone; a form's fields have the names of the JSON API.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from control_plane.schemas import EventDraft, TicketOrder

EVENT_LABELS: Final = {
    "title": "Title",
    "description": "Description",
    "streamUrl": "Stream source",
    "posterUrl": "Poster address",
    "startsAt": "Start",
    "endsAt": "End",
    "accessWindowHours": "Access after the end",
    "holdUntilStart": "Before the start",
    "sessionPolicy": "If the ticket is already in use",
    "maxDevices": "Devices per ticket",
}
EVENT_START: Final = {"accessWindowHours": "48", "holdUntilStart": "true", "sessionPolicy": "refuse", "maxDevices": "1"}
ORDER_START: Final = {"count": "10"}
_OFFSET: Final = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d", re.ASCII)
_SENTENCES: Final = {
    "missing": "Please fill this in.",
    "string_too_short": "Please fill this in.",
    "string_too_long": "At most {max_length} characters, please.",
    "string_pattern_mismatch": "Please enter an address that starts with https://.",
    "int_parsing": "Please enter a whole number.",
    "int_parsing_size": "Please enter a smaller number.",
    "greater_than_equal": "The smallest possible value is {ge}.",
    "less_than_equal": "The largest possible value is {le}.",
    "datetime_from_date_parsing": "Please enter a date and a time.",
    "datetime_parsing": "Please enter a date and a time.",
    "datetime_object_invalid": "Please enter a date and a time.",
    "literal_error": "Please choose one of these.",
}


@dataclass(frozen=True, slots=True)
class SubmittedForm:
    """What was typed, and what is wrong with it: one sentence a field."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


def event_draft(values: Mapping[str, str]) -> EventDraft:
    """Raise pydantic's ValidationError. Times count in the zone that the browser named, without JavaScript in UTC."""
    times = {name: _moment(values.get(name, ""), values.get(f"{name}Offset", "")) for name in ("startsAt", "endsAt")}
    return EventDraft.model_validate(_filled_in(EventDraft, {**values, **times}))


def ticket_order(values: Mapping[str, str]) -> TicketOrder:
    """Raise pydantic's ValidationError."""
    return TicketOrder.model_validate(_filled_in(TicketOrder, values))


def messages(error: ValidationError) -> dict[str, str]:
    """Return one sentence a field. A rule about the whole starts with the name of the field that it is about."""
    found: dict[str, str] = {}
    for item in error.errors():
        text = _sentence(item)
        found.setdefault(str(item["loc"][0]) if item["loc"] else text.split()[0], _in_words(text))
    return found


def _sentence(item: ErrorDetails) -> str:
    bounds = item.get("ctx", {})
    if isinstance(bounds.get("ge", bounds.get("le")), str):  # of a date; it is millennia away
        return "Please check the year."
    known = _SENTENCES.get(item["type"])
    return known.format_map(bounds) if known else item["msg"].removeprefix("Value error, ")


def _filled_in(schema: type[BaseModel], values: Mapping[str, str]) -> dict[str, str]:
    """Return the schema's own fields; an optional one that was left blank is no value at all."""
    names = {info.alias or name: info for name, info in schema.model_fields.items() if name != "id"}
    given = {alias: values[alias].strip() for alias in names if alias in values}
    return {alias: text for alias, text in given.items() if text or names[alias].default is not None}


def _moment(wall_clock: str, offset: str) -> str:
    """Add the zone to what a datetime-local field gave."""
    if not wall_clock:
        return ""
    return wall_clock + (offset if _OFFSET.fullmatch(offset) else "Z")


def _in_words(text: str) -> str:
    """Say fields as the form labels them, for the rules that name two of them."""
    for name, label in EVENT_LABELS.items():
        if name != label.lower():
            text = re.sub(rf"\b{name}\b", f"the {label.lower()}", text)
    return text[:1].upper() + text[1:]
