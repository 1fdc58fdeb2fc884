"""Hooks that `st` loads (SCHEMATHESIS_HOOKS), for rules that the document cannot express.

Without them nearly every request would be refused. Each security scheme gets a valid credential, each request its own
address, and most requests ids that exist. Values that schemathesis made invalid on purpose stay invalid. Answers are
recorded for the test.
"""

import atexit
import os
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from control_plane.events.posters import MEDIA_TYPES
from tests.support.clients.api import PASSWORD
from tests.support.clients.api_stock import (
    HOOK_URL,
    STILL_SIGNED_IN,
    SignedInPerson,
    Stock,
    confirmation,
    proof,
    window,
)
from tests.support.media.pictures import picture

_STOCK: Final = Stock(os.environ["STREAMGATE_URL"], Path(os.environ["STREAMGATE_HOME"]))
_ANSWERS: Final = Path(os.environ["STREAMGATE_ANSWERS"])
_KEY: Final = _STOCK.api_key("read", "tickets", "events")["key"]
_WITH_API_KEY: Final = os.environ["STREAMGATE_SCHEME"] == "apiKey"
_UNCHANGED_EVERY: Final = 4
# Operations that end their own session or change the credentials of their user.
_ENDS_SESSION: Final = (
    "/api/admin/logout",
    "/api/admin/account",
    "DELETE /api/admin/session",
)

_DRY: Final = cycle(["false", "true"])
_people: dict[str, SignedInPerson] = {}
_turns: Counter[str] = Counter()


@schemathesis.auth(refresh_interval=None)
class KnownCredentials:
    """KnownCredentials for the operation's security scheme; those that can be used only once are new each time."""

    def get(self, case: Any, _context: Any) -> dict[str, dict[str, str]] | None:
        schemes = [name for one in case.operation.definition.raw["security"] for name in one]
        if any(part in case.operation.label for part in _ENDS_SESSION):
            return {"cookies": {"sg_admin": _fresh_person()}}
        return _OF_SCHEME[schemes[0]]() if schemes else None

    def set(self, case: Any, data: dict[str, dict[str, str]], _context: Any) -> None:
        case.headers.update(data.get("headers", {}))
        case.cookies.update(data.get("cookies", {}))


def _fresh_person() -> str:
    person = _STOCK.person()
    _people[person.secret] = person
    return person.secret


def _current_person(case: Any) -> SignedInPerson:
    """Return the person who uses their own account; the guest, if schemathesis invented the cookie."""
    return _people.get(str(case.cookies.get("sg_admin")), _STOCK.guest)


def _admin() -> dict[str, dict[str, str]]:
    return _bearer(_KEY) if _WITH_API_KEY else {"cookies": {"sg_admin": _STOCK.owner.secret}}


def _bearer(token: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


_OF_SCHEME: Final[dict[str, Callable[[], dict[str, dict[str, str]]]]] = {
    "session": _admin,
    "playbackToken": lambda: _bearer(_STOCK.watcher().token),
    "resumeCookie": lambda: {"cookies": {"sg_resume": _STOCK.watcher().resume_secret}},
    "internalKey": lambda: {"headers": {"X-Internal-Api-Key": _STOCK.internal_key}},
}

# By path parameter: a factory for an object that may be changed, and an object that is only read.
_EXISTING: Final[dict[str, tuple[Callable[[Any], Any], Callable[[], Any]]]] = {
    "event_id": (lambda _: _STOCK.event(), lambda: _STOCK.event_id),
    "ticket_id": (lambda _: _STOCK.ticket()["id"], lambda: _STOCK.standing_ticket["id"]),
    "webhook_id": (lambda _: _STOCK.webhook(), lambda: _STOCK.standing_webhook),
    "n": (lambda case: _STOCK.delivery(case.path_parameters["webhook_id"]), lambda: 1),
    "user_id": (lambda _: _STOCK.person().id, lambda: _STOCK.guest.id),
    "key_id": (lambda _: _STOCK.api_key()["id"], lambda: ""),
    "session_id": (lambda case: _current_person(case).other_session, lambda: ""),
    "sid": (lambda _: _STOCK.watcher().sid, lambda: ""),
    "cursor": (lambda _: "", _STOCK.cursor),
}

# Members of a well-formed body that must also be meaningful.
_MEANINGFUL: Final[dict[str, Callable[[Any], Mapping[str, Any] | str]]] = {
    "POST /api/admin/login": lambda _: {"username": _STOCK.guest.username} | proof(),
    "POST /api/admin/account/password": lambda _: {"currentPassword": PASSWORD},
    "POST /api/admin/account/totp": lambda _: proof(),
    "POST /api/admin/account/totp/disable": lambda _: proof(),
    "POST /api/admin/account/totp/confirm": lambda case: {"code": _current_person(case).code},
    "POST /api/admin/events": lambda _: {"streamUrl": None, "id": None} | window(),
    "PUT /api/admin/events/{event_id}/origin-credentials": lambda _: {
        "header": None,
        "query": None,
    },  # it has no origin
    "PUT /api/admin/events/{event_id}": lambda _: {"streamUrl": None, "version": 1} | window(),
    "POST /api/admin/events/{event_id}/tokens/import": lambda _: _STOCK.codes_to_import(),
    "PUT /api/admin/events/{event_id}/poster": lambda _: picture().decode("latin-1"),
    "POST /api/admin/tokens/bulk-revoke": lambda _: {"tokenIds": [_STOCK.ticket()["id"], _STOCK.ticket()["id"]]},
    "POST /api/admin/users": lambda _: {"username": f"user-{_STOCK.number()}"},
    "POST /api/admin/api-keys": lambda _: {"name": f"key {_STOCK.number()}"},
    "POST /api/admin/webhooks": lambda _: {
        "url": HOOK_URL,
        "isActive": False,
    },  # or all are notified
    "PUT /api/admin/webhooks/{webhook_id}": lambda _: {"url": HOOK_URL, "isActive": False},
    "POST /api/tokens/validate": lambda _: {"code": _STOCK.ticket()["code"]},
    "POST /api/playback/resume": lambda _: {"sid": None},
    "POST /api/tv/session": lambda _: {"deviceCode": _STOCK.tv()["deviceCode"]},
    "POST /api/tv/approve": lambda _: {"userCode": _STOCK.tv()["userCode"], "code": _STOCK.ticket()["code"]},
    "POST /api/playback/tv/approve": lambda _: {"userCode": _STOCK.tv()["userCode"]},
}
_MEANINGFUL_QUERY: Final[dict[str, Callable[[], Mapping[str, str]]]] = {
    "GET /api/events/{event_id}/status": lambda: {"code": _STOCK.standing_ticket["code"]},
    "GET /api/revocations": lambda: {"since": "2027-01-15T20:00:00+02:00"},
    "POST /api/admin/events/{event_id}/tokens/import": lambda: {"dryRun": next(_DRY)},
}


@schemathesis.serializer("text/csv")
def as_csv(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.serializer(*MEDIA_TYPES)
def as_picture(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1", errors="replace")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Set an address and, for most requests, existing ids. Objects that other requests need are never changed."""
    case.headers["X-Forwarded-For"] = _STOCK.address()
    label = case.operation.label
    _turns[label] += 1
    is_left_alone = _turns[label] % _UNCHANGED_EVERY == 0
    if not is_left_alone:
        _make_meaningful(case, label)
    _use_existing_ids(case, to_all=not is_left_alone)


def _use_existing_ids(case: Any, *, to_all: bool) -> None:
    if not _is_well_formed(case, ParameterLocation.PATH):
        return
    for name in sorted(case.path_parameters, reverse=True):  # a webhook before its delivery
        fresh, standing = _EXISTING[name]
        is_looking = case.method == "GET"
        if to_all or (case.path_parameters[name] in _STOCK.standing and not is_looking):
            case.path_parameters[name] = standing() if is_looking else fresh(case)


def _make_meaningful(case: Any, label: str) -> None:
    if label in _MEANINGFUL and _is_well_formed(case, ParameterLocation.BODY):
        true = _MEANINGFUL[label](case)
        case.body = case.body | true if isinstance(case.body, dict) and isinstance(true, dict) else true
    if label in _MEANINGFUL_QUERY and _is_well_formed(case, ParameterLocation.QUERY):
        case.query.update(_MEANINGFUL_QUERY[label]())
    if label == "DELETE /api/admin/events/{event_id}" and _is_well_formed(case, ParameterLocation.HEADER):
        case.headers["X-Confirm-Delete"] = confirmation()


def _is_well_formed(case: Any, place: ParameterLocation) -> bool:
    return case.meta is not None and not case.meta.is_negative_at(place)


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    with _ANSWERS.open("a") as file:
        file.write(f"{case.operation.label}\t{response.status_code}\n")


@atexit.register
def note_whether_the_owner_is_still_signed_in() -> None:
    with _ANSWERS.open("a") as file:
        file.write(f"{STILL_SIGNED_IN}\t{_STOCK.who_am_i()}\n")
    _STOCK.close()
