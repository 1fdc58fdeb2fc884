"""The admin API's posters: upload and remove them."""

from anyio import to_thread
from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.api.events import changed_event_view
from control_plane.errors import FieldRefused, MalformedRequest
from control_plane.events import events, posters
from control_plane.schemas.events import EventView
from control_plane.tickets import event_figures
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.endpoints import Call, endpoint


@endpoint(
    "PUT /events/{event_id:uuid}/poster",
    permission=Permission.EVENTS,
    responses={200: Data[EventView]},
    refusals=(MalformedRequest, FieldRefused),
    body_media_types=posters.MEDIA_TYPES,
    max_body_bytes=posters.MAX_BYTES,
)
async def upload_poster(call: Call) -> Response:
    """Upload an event's poster: a JPEG, PNG or WebP of 5 MB at most. It is scaled down and loses its metadata."""
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() not in posters.MEDIA_TYPES:
        raise MalformedRequest("Please send a JPEG, PNG or WebP picture (image/jpeg, image/png or image/webp).")
    body = await call.request.body()
    content = await to_thread.run_sync(posters.reencoded, body, limiter=call.app.poster_limiter)
    return await _change_poster(call, content)


@endpoint("DELETE /events/{event_id:uuid}/poster", permission=Permission.EVENTS, responses={200: Data[EventView]})
async def remove_poster(call: Call) -> Response:
    """Remove an event's uploaded poster; `posterUrl`, if set, is shown again."""
    return await _change_poster(call, None)


async def _change_poster(call: Call, content: bytes | None) -> Response:
    async with call.audited_change(Action.EVENT_POSTER, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await events.find(change.db, call.id("event_id"), for_update=True)
        if content is None:
            await posters.remove(change.db, event)
        else:
            await posters.put(change.db, event, content)
        change.detail = {"isUploaded": content is not None}
        figures = await event_figures.figures(change.db, [event.id], call.alive_since, change.now)
    return answers.data(changed_event_view(call, event, figures.get(event.id)))


ENDPOINTS = (upload_poster, remove_poster)
