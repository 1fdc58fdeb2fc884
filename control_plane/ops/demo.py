"""`streamgate demo`: a complete installation with two events in one command; running it again continues the demo."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import anyio

from control_plane.clock import utc_now
from control_plane.db.database import Database, upgrade_schema
from control_plane.errors import NotFound
from control_plane.events import events
from control_plane.lifecycle import event_changes
from control_plane.ops import demo_streams, nginx_version, supervisor
from control_plane.ops.binaries import find_nginx
from control_plane.ops.home import create_home, new_password, read_environment, settings_file, stream_root
from control_plane.ops.home_database import database_url
from control_plane.ops.processes import ProcessSpec, common_environment, describe_stack, prepare_stack
from control_plane.schemas.events import EventDraft
from control_plane.tables import Event
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.tickets import TicketFilter

RECORDING_ID = "5e4de300-0000-4000-8000-000000000001"
LIVE_ID = "5e4de300-0000-4000-8000-000000000002"
CODES_EACH = 3
_BAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """An event of the demo and its codes."""

    title: str
    codes: list[str]


def run_demo(home: Path, port: int, sidecars: int, host: str) -> None:
    """Create what is missing, then run until SIGINT or SIGTERM. Raise OperatorError."""
    home = home.absolute()
    password = _ensure_home(home, port)
    environment = read_environment(home)
    folders = stream_root(home, environment) or home / "streams"
    running = prepare_stack(home, sidecars, host)
    _ensure_recording(folders / RECORDING_ID)
    demo_events = prepare_events(environment)
    encoder = _live_encoder(folders / LIVE_ID, environment)
    supervisor.run(
        running.with_companion(encoder),
        on_ready=lambda: _print(_welcome(running.url, demo_events, password)),
        warning=nginx_version.finding(find_nginx()),
        reread=lambda: describe_stack(home, sidecars, host).with_companion(encoder),
    )


def prepare_events(environment: Mapping[str, str]) -> list[DemoEvent]:
    """Create both events, or extend those of an earlier demo, and return them with their codes."""
    url = database_url(environment)
    upgrade_schema(url)
    return anyio.run(_prepare_events, url)


async def _prepare_events(url: str) -> list[DemoEvent]:
    database = Database(url)
    try:
        return [await _ensure_event(database, draft) for draft in _drafts(utc_now())]
    finally:
        await database.close()


def _drafts(now: datetime) -> tuple[EventDraft, EventDraft]:
    live = EventDraft(
        id=LIVE_ID,
        title="Live from the test studio",
        description="A stream that never ends, with a clock and a beep each second. You can go back one minute.",
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(days=365),
    )
    recording = EventDraft(
        id=RECORDING_ID,
        title="The recording",
        description="Two minutes in two qualities, made on this machine when the demo first ran.",
        starts_at=now - timedelta(hours=3),
        ends_at=now - timedelta(hours=1),
        access_window_hours=168,
    )
    return live, recording


async def _ensure_event(database: Database, draft: EventDraft) -> DemoEvent:
    async with database.write() as db:
        now = utc_now()
        try:
            event = await events.find(db, draft.id or "")
        except NotFound:
            event = await event_changes.create_event(db, draft, now)
        found, _, _ = await ticket_search.page(db, TicketFilter(event_id=event.id), now, 0, CODES_EACH)
        found = found or await tickets.generate(db, event, CODES_EACH, now, "Demo")
        _extend(event, draft)
        for ticket in found:
            ticket.expires_at = max(ticket.expires_at, events.ticket_expiry(event))
        return DemoEvent(event.title, [ticket.code for ticket in found])


def _extend(event: Event, draft: EventDraft) -> None:
    """Move the end of an event that ends within a day, so that an old demo can be run again."""
    if events.ticket_expiry(event) < utc_now() + timedelta(days=1):
        event.ends_at = draft.ends_at


def _ensure_home(home: Path, port: int) -> str | None:
    """Create the home if there is none, and return its new admin password; None if it existed."""
    if settings_file(home).exists():
        return None
    password = new_password()
    create_home(home, password, port)
    return password


def _ensure_recording(folder: Path) -> None:
    if not demo_streams.has_recording(folder):
        _print(["Creating the recording ..."])
        demo_streams.make_recording(folder, _show_progress)
        _print([""] if sys.stdout.isatty() else ["The recording is ready."])


def _show_progress(done: float) -> None:
    """Draw a progress bar if stdout is a terminal."""
    if sys.stdout.isatty():
        filled = round(done * _BAR_WIDTH)
        bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
        sys.stdout.write(f"\r  {bar} {done:4.0%}")
        sys.stdout.flush()


def _live_encoder(folder: Path, environment: Mapping[str, str]) -> ProcessSpec:
    async def is_ready() -> bool:
        return (folder / demo_streams.MASTER).is_file()

    (folder / demo_streams.MASTER).unlink(
        missing_ok=True
    )  # from an earlier run: the encoder is ready once it has written a new one
    return ProcessSpec("live", demo_streams.live_command(folder), common_environment(environment), is_ready)


def _welcome(url: str, demo_events: list[DemoEvent], password: str | None) -> list[str]:
    lines = ["", f"StreamGate is up at {url}", ""]
    for demo_event in demo_events:
        lines += [demo_event.title, *(f"  {code}   {url}/#{code}" for code in demo_event.codes), ""]
    signing_in = f"user admin, password {password}" if password else "user admin, with the password of the first run"
    return [*lines, f"Admin  {url}/admin  ({signing_in})", f"Stop   Ctrl-C (process {os.getpid()})", ""]


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        supervisor.print_line(line)
