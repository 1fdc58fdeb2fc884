"""The admin pages: sign in, create an event, generate codes, revoke tickets. Plain forms that work without JavaScript.

They call the same functions as the JSON API and never have rules of their own. A POST redirects or shows the errors.
"""

from typing import Final

from starlette.routing import BaseRoute, Route

from control_plane.console import events, import_codes, preview, questions, setup, sign_in, tickets
from control_plane.console.frame import no_such_page

_EVENT: Final = "/events/{event_id:uuid}"
_TICKET: Final = "/tickets/{ticket_id:uuid}"
_ASK: Final = ["GET", "POST"]
ROUTES: Final[list[BaseRoute]] = [
    Route("/", events.list_events),
    Route("/login", sign_in.show_sign_in),
    Route("/login", sign_in.sign_in, methods=["POST"]),
    Route("/logout", sign_in.sign_out, methods=["POST"]),
    Route("/setup", setup.show),
    Route("/setup", setup.set_up, methods=["POST"]),
    Route("/events", events.list_events),
    Route("/events/new", events.new_event),
    Route("/events/new", events.create_event, methods=["POST"]),
    Route(_EVENT, events.show_event),
    Route(f"{_EVENT}/origin-credentials", events.show_to_origin, methods=["POST"]),
    Route(f"{_EVENT}/codes", tickets.show_codes),
    Route(f"{_EVENT}/codes", tickets.generate_codes, methods=["POST"]),
    *import_codes.ROUTES,
    Route(f"{_EVENT}/stream", events.show_stream),
    Route(f"{_EVENT}/deactivate", questions.about_event(questions.DEACTIVATE), methods=_ASK),
    Route(f"{_EVENT}/reactivate", questions.about_event(questions.REACTIVATE), methods=_ASK),
    Route(f"{_EVENT}/open-doors", questions.about_event(questions.OPEN_DOORS), methods=_ASK),
    Route(f"{_EVENT}/close-doors", questions.about_event(questions.CLOSE_DOORS), methods=_ASK),
    Route(f"{_EVENT}/preview", preview.show),
    Route(f"{_TICKET}/revoke", questions.about_ticket(questions.REVOKE), methods=_ASK),
    Route(f"{_TICKET}/unrevoke", questions.about_ticket(questions.UNREVOKE), methods=_ASK),
    Route("/{path:path}", no_such_page, methods=["GET", "POST"]),
]
