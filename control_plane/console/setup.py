"""The set-up page: whoever holds the link makes the first owner and is signed in. Gone once there is an account.

The token comes in the link's fragment, which no server sees: a script puts it into the form, or a person pastes it.
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

_START: Final = {"username": "admin"}
_SENTENCES: Final = {
    "username": "Letters, digits and . _ @ + - only, please; it starts with a letter or digit.",
    "password": f"At least {MINIMUM_PASSWORD_LENGTH} characters, please.",
    "token": "Please open the set-up link again, or paste the part after its #.",
}
_AGAIN: Final = "The two passwords are different."


async def show(request: Request) -> Response:
    async with services(request).database.read() as db:
        if await accounts.has_any(db):
            return render(request, "refusal.html", 404, refusal=NotFound())
    return render(request, "setup.html", form=SubmittedForm(_START))


@refusals_shown
async def set_up(request: Request) -> Response:
    try:
        await services(request).limits.count_sign_in(client_address(request))
    except TooManyAttempts as refusal:
        return _again(request, {}, {}, refusal)
    typed = await forms.typed(request)
    if errors := _errors(typed):
        return _again(request, typed, errors)
    try:
        secret = await _make_owner(request, OwnerDraft.model_validate(_values(typed)))
    except Conflict as refusal:
        return render(request, "refusal.html", 409, refusal=refusal)
    except SetupLinkUnusable as refusal:
        return _again(request, typed, {"token": str(refusal)}, refusal)
    except TooBusy as refusal:
        return _again(request, typed, {}, refusal)
    response = redirect(HOME, done="set-up")
    set_admin_cookie(request, response, secret)
    return response


async def _make_owner(request: Request, draft: OwnerDraft) -> str:
    """Return the secret of the new owner's session. The token is looked at first: hashing is expensive."""
    app, now = services(request), utc_now()
    async with app.database.read() as db:
        await setup_link.check(db, draft.token, now)
    password_hash = await app.passwords.hash(draft.password)
    actor = Actor(ActorKind.USER, draft.username, frozenset({Permission.ADMINISTER}), client_address(request))
    async with audited_change(app.database, actor, Action.USER_CREATE, now, draft.username) as deed:
        deed.detail = {"role": "owner", "by": "set-up link"}
        owner = await setup_link.redeem(deed.db, draft.token, draft.username, password_hash, now)
        secret = await accounts.begin_session(deed.db, owner.id, client_of(request), now)
    setup_link.withdraw(app.settings.setup_link_file)
    return secret


def _values(typed: Mapping[str, str]) -> dict[str, str]:
    """Passwords count as they were typed; what stands around the others is nobody's intention."""
    return {
        "username": typed.get("username", "").strip(),
        "password": typed.get("password", ""),
        "token": typed.get("token", "").strip(),
    }


def _errors(typed: Mapping[str, str]) -> dict[str, str]:
    """Return one sentence a field."""
    try:
        draft = OwnerDraft.model_validate(_values(typed))
    except ValidationError as error:
        return {str(item["loc"][0]): _SENTENCES[str(item["loc"][0])] for item in error.errors()}
    return {} if typed.get("passwordAgain", "") == draft.password else {"passwordAgain": _AGAIN}


def _again(
    request: Request, typed: Mapping[str, str], errors: Mapping[str, str], refusal: Refusal | None = None
) -> Response:
    """Show the form again, without the passwords."""
    kept = {name: typed.get(name, "") for name in ("username", "token")}
    trouble = str(refusal) if refusal and not errors else None
    status = status_of(refusal) if refusal else 422
    response = render(request, "setup.html", status, form=SubmittedForm(kept, errors), trouble=trouble)
    if isinstance(refusal, TooManyAttempts | TooBusy):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
