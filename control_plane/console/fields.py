"""Convert submitted forms to the input of schemas, and errors of schemas to one sentence per field.

Only the schemas have rules; the fields of a form have the names of the JSON API.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from control_plane.schemas.events import EventDraft
from control_plane.schemas.tickets import TicketOrder

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
EVENT_DEFAULTS: Final = {
    "accessWindowHours": "48",
    "holdUntilStart": "true",
    "sessionPolicy": "refuse",
    "maxDevices": "1",
}
ORDER_DEFAULTS: Final = {"count": "10"}
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
    """The submitted values, and the errors in them: one sentence per field."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


def event_draft(values: Mapping[str, str]) -> EventDraft:
    """Parse an event. Times are in the browser's time zone, or in UTC without JavaScript. Raise ValidationError."""
    times = {name: _moment(values.get(name, ""), values.get(f"{name}Offset", "")) for name in ("startsAt", "endsAt")}
    return EventDraft.model_validate(_non_blank(EventDraft, {**values, **times}))


def ticket_order(values: Mapping[str, str]) -> TicketOrder:
    """Parse a ticket order. Raise ValidationError."""
    return TicketOrder.model_validate(_non_blank(TicketOrder, values))


def messages(error: ValidationError) -> dict[str, str]:
    """Return one sentence per field. The message of a rule for the whole starts with the field that it concerns."""
    found: dict[str, str] = {}
    for item in error.errors():
        text = _sentence(item)
        found.setdefault(str(item["loc"][0]) if item["loc"] else text.split()[0], _with_labels(text))
    return found


def _sentence(item: ErrorDetails) -> str:
    bounds = item.get("ctx", {})
    if isinstance(bounds.get("ge", bounds.get("le")), str):  # a date that is millennia away
        return "Please check the year."
    known = _SENTENCES.get(item["type"])
    return known.format_map(bounds) if known else item["msg"].removeprefix("Value error, ")


def _non_blank(schema: type[BaseModel], values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the schema's fields; blank optional fields are omitted."""
    names = {info.alias or name: info for name, info in schema.model_fields.items() if name != "id"}
    given = {alias: values[alias].strip() for alias in names if alias in values}
    return {alias: text for alias, text in given.items() if text or names[alias].default is not None}


def _moment(wall_clock: str, offset: str) -> str:
    """Append the time zone to the value of a datetime-local field."""
    if not wall_clock:
        return ""
    return wall_clock + (offset if _OFFSET.fullmatch(offset) else "Z")


def _with_labels(text: str) -> str:
    """Replace names of fields by their labels, for rules that name two fields."""
    for name, label in EVENT_LABELS.items():
        if name != label.lower():
            text = re.sub(rf"\b{name}\b", f"the {label.lower()}", text)
    return text[:1].upper() + text[1:]
