"""The event commands: they apply the rules of the API to a home's database, with the command line as the actor."""

from collections.abc import Mapping
from pathlib import Path

from authz_sidecar.contract.origin_addresses import Server, read_allowed
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.api.events import Rule, event_view
from control_plane.cli import commands
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import NotFound, OperatorError
from control_plane.events import doors, events
from control_plane.lifecycle import event_changes, revocation
from control_plane.ops.home import read_environment
from control_plane.revocations import revocation_feed
from control_plane.schemas import EventDraft, EventView, Paging
from control_plane.tickets import event_figures
from control_plane.web.answers import Changed, Data, Page


def create(home: Path, **values: object) -> Data[EventView]:
    """Create an event. Raise OperatorError."""
    draft = commands.parse(EventDraft, values)
    allowed = _allowed(read_environment(home))

    async def work(change: AuditedChange) -> Data[EventView]:
        event = await event_changes.create_event(change.db, draft, allowed)
        change.subject = change.event_id = event.id
        return Data(data=event_view(event))

    return commands.apply_change(home, Action.EVENT_CREATE, work)


def list_page(home: Path, **values: object) -> Page[EventView]:
    """Return one page of events. Raise OperatorError."""
    paging = commands.parse(Paging, values)

    async def work(database: Database) -> Page[EventView]:
        async with database.read() as db:
            found, total = await events.page(db, paging.offset, paging.limit)
            figures = await event_figures.figures(db, [event.id for event in found], commands.alive_since(home))
        return Page(
            data=[event_view(event, figures.get(event.id)) for event in found],
            pagination=commands.pagination(paging, total),
        )

    return commands.on_database(home, work)


def deactivate(home: Path, event_id: str) -> Changed[EventView]:
    """Deactivate an event. Raise OperatorError."""
    return _change(home, event_id, Action.EVENT_DEACTIVATE, revocation.deactivate)


def open_doors(home: Path, event_id: str) -> Changed[EventView]:
    """Open the doors of an event. Raise OperatorError."""
    return _change(home, event_id, Action.EVENT_OPEN_DOORS, doors.open_doors)


def close_doors(home: Path, event_id: str) -> Changed[EventView]:
    """Close the doors of an event. Raise OperatorError."""
    return _change(home, event_id, Action.EVENT_CLOSE_DOORS, doors.close_doors)


def _change(home: Path, event_id: str, action: Action, rule: Rule) -> Changed[EventView]:
    async def work(change: AuditedChange) -> Changed[EventView]:
        try:
            event = await rule(change.db, event_id, utc_now())
        except NotFound:
            raise NotFound("There is no event with this id.") from None
        change.subject = change.event_id = event.id
        return Changed(data=event_view(event), revocation=await revocation_feed.head(change.db))

    return commands.apply_change(home, action, work)


def _allowed(environment: Mapping[str, str]) -> tuple[Server, ...]:
    try:
        return read_allowed(environment.get("UPSTREAM_ALLOWED_HOSTS", ""))
    except ValueError as error:
        raise OperatorError(f"UPSTREAM_ALLOWED_HOSTS {error}.") from None
