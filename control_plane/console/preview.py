"""The console's preview: a page that plays a stream on the console's own origin, with its own token."""

from starlette.responses import Response

from control_plane.api.events import event_view
from control_plane.clock import utc_now
from control_plane.console.frame import console_page, render
from control_plane.events import doors, events
from control_plane.portal.pages import content_security_policy
from control_plane.services import Request
from control_plane.web.requests import services


@console_page
async def show(request: Request) -> Response:
    async with services(request).database.read() as db:
        event = await events.find(db, str(request.path_params["event_id"]))
    status = await services(request).probe.status(event, utc_now())
    is_held = doors.is_held(event, utc_now())
    response = render(request, "preview.html", event=event_view(event, None, status), is_held=is_held)
    response.headers["Content-Security-Policy"] = content_security_policy(services(request))
    return response
