"""The console's import of codes: check them, let the organiser decide about doubtful lines, then create the tickets.

The form contains the codes as text; a script copies the text of a file into the field. The rules are the API's.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from anyio import to_thread
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import Response
from starlette.routing import Route

from control_plane.access.audited_change import Action
from control_plane.console.frame import HOME, audited_action, console_page, redirect, render
from control_plane.errors import Conflict, ImportRefused, MalformedRequest
from control_plane.events import events
from control_plane.services import Request
from control_plane.tables import Event
from control_plane.tickets import ticket_csv, ticket_import
from control_plane.tickets.ticket_csv import Doubtful, ParsedCodes, Problem
from control_plane.web import forms
from control_plane.web.errors import status_of
from control_plane.web.requests import services

_MAX_SHOWN: Final = 200
_LONGEST_SHOWN: Final = 60
_LARGEST_FORM: Final = 5 * ticket_csv.MAX_BYTES  # a form may encode each byte as %xx
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TOO_LARGE: Final = "This is more than 1 MB. Please import the codes in several parts."
_ANSWERS: Final[dict[str, Doubtful]] = {"ask": "ask", "import": "import", "skip": "skip"}


class Remark(NamedTuple):
    """A problem with a line of the text."""

    line: int
    text: str
    sentence: str


@console_page
async def show(request: Request) -> Response:
    return render(request, "import.html", event=await _event(request), text="")


@console_page
async def take(request: Request) -> Response:
    """Check the codes; import them if the form has a decision about doubtful lines."""
    typed, event = await forms.read_form(request), await _event(request)
    text, answer = typed.get("codes", ""), _ANSWERS.get(typed.get("doubtful", ""))
    try:
        codes = await to_thread.run_sync(_read, text)
        if answer is None:
            async with services(request).database.read() as db:
                problems = await ticket_import.check(db, event.id, codes)
            return await to_thread.run_sync(_report, request, event, text, codes, problems)
        async with audited_action(request, Action.TICKET_IMPORT, event.id) as change:
            chosen = codes.answered(answer)
            change.event_id, change.detail = event.id, {"count": chosen.total}
            await ticket_import.run(change.db, event.id, chosen, change.now)
    except ImportRefused as refusal:
        problems = [Problem(*each) for each in refusal.problems]
        return await to_thread.run_sync(_report, request, event, text, codes, problems, status_of(refusal))
    except (MalformedRequest, Conflict) as refusal:
        return render(request, "import.html", status_of(refusal), event=event, text=text, trouble=str(refusal))
    return redirect(f"{HOME}/events/{event.id}", done="imported")


def _read(text: str) -> ParsedCodes:
    """Parse the codes. Raise MalformedRequest."""
    body = text.encode()
    if len(body) > ticket_csv.MAX_BYTES:
        raise MalformedRequest(_TOO_LARGE)
    return ticket_csv.read(body)


def _report(
    request: Request, event: Event, text: str, codes: ParsedCodes, problems: Sequence[Problem], status: int = 200
) -> Response:
    lines = _LINE_END.split(text)
    remarks = [(Remark(each.line, _shortened(lines, each.line), each.sentence), each.is_question) for each in problems]
    found = {
        "wrong": [remark for remark, is_question in remarks if not is_question],
        "doubtful": [remark for remark, is_question in remarks if is_question],
        "all": codes.answered("import").total,
        "certain": codes.answered("skip").total,
    }
    return render(request, "import.html", status, event=event, text=text, found=found, most=_MAX_SHOWN)


def _shortened(lines: Sequence[str], number: int) -> str:
    line = lines[number - 1].strip()
    return f"{line[:_LONGEST_SHOWN]}…" if len(line) > _LONGEST_SHOWN else line


async def _event(request: Request) -> Event:
    async with services(request).database.read() as db:
        return await events.find(db, str(request.path_params["event_id"]))


_PATH: Final = "/events/{event_id:uuid}/import"
ROUTES: Final = (
    Route(_PATH, show),
    Route(
        _PATH,
        take,
        methods=["POST"],
        middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=_LARGEST_FORM)],
    ),
)
