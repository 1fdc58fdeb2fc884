"""Authenticate admins by their session cookie, and programs by their API key. With a key, the cookie is ignored."""

from starlette.responses import Response

from control_plane.access import audit
from control_plane.access.actors import Actor, ActorKind, Permission
from control_plane.access.audit_queue import RefusedAction
from control_plane.accounts import accounts, api_keys
from control_plane.clock import utc_now
from control_plane.errors import Forbidden, SignInRequired
from control_plane.metrics import template_of
from control_plane.services import Request
from control_plane.web.requests import bearer, client_address, is_secure, services

ADMIN_COOKIE = "sg_admin"


async def actor_of(request: Request, permission: Permission | None) -> Actor:
    """Return the actor of a request. Raise SignInRequired, or Forbidden, which is recorded in the audit log.

    If no permission is needed, return an anonymous actor without authentication.
    """
    if permission is None:
        return Actor(ActorKind.USER, "nobody", address=client_address(request))
    key = bearer(request) or ""
    actor = await _by_key(request, key) if key.startswith(api_keys.PREFIX) else await signed_in(request)
    if not actor.may(permission):
        _record_refusal(request, actor)
    actor.require(permission)
    return actor


async def signed_in(request: Request) -> Actor:
    """Return the admin who is signed in. Raise SignInRequired."""
    actor = await find_signed_in(request)
    if actor is None:
        raise SignInRequired
    return actor


async def find_signed_in(request: Request) -> Actor | None:
    app, secret = services(request), request.cookies.get(ADMIN_COOKIE)
    if not secret:
        return None
    async with app.database.read() as db:
        return await accounts.actor_of_session(db, secret, client_address(request), utc_now())


async def _by_key(request: Request, key: str) -> Actor:
    """Return the program that the API key belongs to. Raise SignInRequired."""
    app = services(request)
    async with app.database.read() as db:
        actor = await api_keys.actor_of_key(db, key, client_address(request))
    if actor is None or actor.id is None:
        raise SignInRequired("This API key is unknown or revoked.")
    app.key_uses.note(actor.id, utc_now())
    return actor


def _record_refusal(request: Request, actor: Actor) -> None:
    route = f"{request.method} {template_of(request.scope)}"
    refused = RefusedAction(audit.ASK, Forbidden.reason, client_address(request), actor=actor, route=route)
    services(request).audit_queue.note(refused, utc_now())


def set_admin_cookie(request: Request, response: Response, secret: str) -> None:
    response.set_cookie(
        ADMIN_COOKIE,
        secret,
        max_age=accounts.SESSION_HOURS * 3600,
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def clear_admin_cookie(response: Response) -> None:
    response.delete_cookie(ADMIN_COOKIE)
