"""The admin API's keys, for owners. A key is shown in the response that creates it and nowhere else."""

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.accounts import api_keys
from control_plane.accounts.api_keys import LastUses
from control_plane.errors import Conflict
from control_plane.schemas import Paging
from control_plane.schemas.accounts import KeyDraft, KeyView, NewKeyView
from control_plane.tables import ApiKey
from control_plane.web import answers
from control_plane.web.answers import Data, Page
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /api-keys", permission=Permission.ADMINISTER, responses={200: Page[KeyView]})
async def list_keys(call: Call, query: Paging) -> Response:
    """List the API keys, including revoked ones, newest first."""
    async with call.app.database.read() as db:
        found, total = await api_keys.page(db, query.offset, query.limit)
    return answers.page([_view(key, call.app.key_uses) for key in found], query, total)


@endpoint("POST /api-keys", permission=Permission.ADMINISTER, responses={201: Data[NewKeyView]}, refusals=(Conflict,))
async def create_key(call: Call, body: KeyDraft) -> Response:
    """Create an API key; the key is shown once."""
    async with call.audited_change(Action.API_KEY_CREATE, body.name) as change:
        change.detail = {"scopes": " ".join(body.scopes)}
        key, secret = await api_keys.create(change.db, body.name, body.scopes, call.actor.name, change.now)
    return answers.data(NewKeyView(**_view(key, call.app.key_uses).model_dump(), key=secret), 201)


@endpoint("DELETE /api-keys/{key_id:uuid}", permission=Permission.ADMINISTER, responses={200: Data[KeyView]})
async def revoke_key(call: Call) -> Response:
    """Revoke an API key immediately and permanently."""
    async with call.audited_change(Action.API_KEY_REVOKE, call.id("key_id")) as change:
        key = await api_keys.revoke(change.db, call.id("key_id"), change.now)
        change.subject = key.name
    return answers.data(_view(key, call.app.key_uses))


def _view(key: ApiKey, uses: LastUses) -> KeyView:
    values = {name: getattr(key, name) for name in KeyView.model_fields.keys() - {"scopes", "last_used_at"}}
    return KeyView(**values, scopes=api_keys.scopes_of(key), last_used_at=uses.of(key))


ENDPOINTS = (list_keys, create_key, revoke_key)
