"""The admin API's dashboard: an overview in one response."""

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.api.edges import edge_views
from control_plane.schemas.records import (
    CurrentEvent,
    DashboardView,
    RefusalCount,
    TicketCounts,
    UpcomingEvent,
    WatchingAt,
)
from control_plane.streams.event_status import Status, detail_of
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /dashboard", permission=Permission.READ, responses={200: Data[DashboardView]})
async def show_dashboard(call: Call) -> Response:
    """Show an overview of events, tickets, viewers, edges and refusals."""
    return answers.data(await dashboard_view(call))


async def dashboard_view(call: Call) -> DashboardView:
    figures = await call.app.dashboard.figures(call.now)
    statuses = await call.app.probe.statuses(figures.events.current, call.now)
    return DashboardView(
        active_events=figures.events.active,
        live_events=sum(status is Status.LIVE for status in statuses.values()),
        current=[
            CurrentEvent(
                id=event.id,
                title=event.title,
                starts_at=event.starts_at,
                ends_at=event.ends_at,
                standing=detail_of(event, statuses[event.id], call.now).value,
            )
            for event in figures.events.current
        ],
        tickets=TicketCounts(**figures.tickets),
        watching=figures.watching,
        viewers=[WatchingAt(at=at, watching=watching) for at, watching in figures.viewers],
        upcoming=[
            UpcomingEvent(id=event.id, title=event.title, starts_at=event.starts_at, ends_at=event.ends_at)
            for event in figures.upcoming
        ],
        edges=await edge_views(call),
        refusals=[
            RefusalCount(reason=found.reason, last_hour=found.last_hour, last_day=found.last_day)
            for found in figures.refusals
        ],
    )


ENDPOINTS = (show_dashboard,)
