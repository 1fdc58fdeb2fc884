"""The set-up page: it creates the first owner and signs them in. It is not available once there is an account.

The token is in the fragment of the set-up link, which is not sent to servers: a script copies it into the form, or the
user pastes it.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from starlette.responses import Response

from control_plane.access.actors import Actor, ActorKind, Permission
from control_plane.access.audited_change import Action, audited_change
from control_plane.accounts import accounts, setup_link
from control_plane.api.sign_in import client_of
from control_plane.clock import utc_now
from control_plane.console.fields import SubmittedForm
from control_plane.console.frame import HOME, redirect, refusals_shown, render
from control_plane.errors import Conflict, NotFound, Refusal, SetupLinkUnusable, TooBusy, TooManyAttempts
from control_plane.schemas.accounts import MINIMUM_PASSWORD_LENGTH, OwnerDraft
from control_plane.services import Request
from control_plane.web import forms
from control_plane.web.authentication import set_admin_cookie
from control_plane.web.errors import status_of
from control_plane.web.requests import client_address, services

_DEFAULTS: Final = {"username": "admin"}
_SENTENCES: Final = {
    "username": "Use only letters, digits and . _ @ + -, and start with a letter or digit.",
    "password": f"At least {MINIMUM_PASSWORD_LENGTH} characters, please.",
    "token": "Please open the set-up link again, or paste the part after its #.",
}
_DIFFERENT_PASSWORDS: Final = "The passwords do not match."


async def show(request: Request) -> Response:
    async with services(request).database.read() as db:
        if await accounts.has_any(db):
            return render(request, "refusal.html", 404, refusal=NotFound())
    return render(request, "setup.html", form=SubmittedForm(_DEFAULTS))


@refusals_shown
async def set_up(request: Request) -> Response:
    try:
        await services(request).limits.count_sign_in(client_address(request))
    except TooManyAttempts as refusal:
        return _render_again(request, {}, {}, refusal)
    typed = await forms.read_form(request)
    if errors := _errors(typed):
        return _render_again(request, typed, errors)
    try:
        secret = await _create_owner(request, OwnerDraft.model_validate(_values(typed)))
    except Conflict as refusal:
        return render(request, "refusal.html", 409, refusal=refusal)
    except SetupLinkUnusable as refusal:
        return _render_again(request, typed, {"token": str(refusal)}, refusal)
    except TooBusy as refusal:
        return _render_again(request, typed, {}, refusal)
    response = redirect(HOME, done="set-up")
    set_admin_cookie(request, response, secret)
    return response


async def _create_owner(request: Request, draft: OwnerDraft) -> str:
    """Return the secret of the new owner's session. The token is checked first, because hashing is expensive."""
    app = services(request)
    async with app.database.read() as db:
        await setup_link.check(db, draft.token, utc_now())
    password_hash = await app.passwords.hash(draft.password)
    actor = Actor(ActorKind.USER, draft.username, frozenset({Permission.ADMINISTER}), client_address(request))
    async with audited_change(app.database, actor, Action.USER_CREATE, draft.username) as change:
        change.detail = {"role": "owner", "by": "set-up link"}
        owner = await setup_link.redeem(change.db, draft.token, draft.username, password_hash, change.now)
        secret = await accounts.begin_session(change.db, owner.id, client_of(request), change.now)
    setup_link.withdraw(app.settings.setup_link_file)
    return secret


def _values(typed: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the form, stripped of whitespace except for the password."""
    return {
        "username": typed.get("username", "").strip(),
        "password": typed.get("password", ""),
        "token": typed.get("token", "").strip(),
    }


def _errors(typed: Mapping[str, str]) -> dict[str, str]:
    """Return one sentence per invalid field."""
    try:
        draft = OwnerDraft.model_validate(_values(typed))
    except ValidationError as error:
        return {str(item["loc"][0]): _SENTENCES[str(item["loc"][0])] for item in error.errors()}
    return {} if typed.get("passwordAgain", "") == draft.password else {"passwordAgain": _DIFFERENT_PASSWORDS}


def _render_again(
    request: Request, typed: Mapping[str, str], errors: Mapping[str, str], refusal: Refusal | None = None
) -> Response:
    """Render the form again, without the passwords."""
    kept = {name: typed.get(name, "") for name in ("username", "token")}
    trouble = str(refusal) if refusal and not errors else None
    status = status_of(refusal) if refusal else 422
    response = render(request, "setup.html", status, form=SubmittedForm(kept, errors), trouble=trouble)
    if isinstance(refusal, TooManyAttempts | TooBusy):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
