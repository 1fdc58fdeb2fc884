"""Sign in to the console and out of it."""

from pydantic import ValidationError
from starlette.responses import Response

from control_plane.accounts import accounts
from control_plane.api.sign_in import admit
from control_plane.api.sign_in import sign_in as sign_in_with
from control_plane.api.sign_in import sign_out as signed_out
from control_plane.console.frame import (
    SIGN_IN,
    local_path,
    redirect,
    refusals_shown,
    render,
)
from control_plane.errors import Refusal, SignInFailed, SignInRequired, TooBusy, TooManyAttempts
from control_plane.schemas.accounts import SignInForm
from control_plane.services import Request
from control_plane.web import forms
from control_plane.web.authentication import set_admin_cookie, signed_in
from control_plane.web.errors import status_of
from control_plane.web.requests import services


async def show_sign_in(request: Request) -> Response:
    onward = local_path(request.query_params.get("next"))
    try:
        await signed_in(request)
    except SignInRequired:
        async with services(request).database.read() as db:
            is_first_start = not await accounts.has_any(db)
        return render(request, "login.html", onward=onward, username="admin", is_first_start=is_first_start)
    return redirect(onward)


@refusals_shown
async def sign_in(request: Request) -> Response:
    try:
        await admit(request)
    except TooManyAttempts as refusal:
        return _sign_in_again(request, {}, refusal)
    typed = await forms.read_form(request)
    onward = local_path(typed.get("next"))
    try:
        credentials = SignInForm.model_validate({name: typed.get(name, "") for name in SignInForm.model_fields})
        secret, _who = await sign_in_with(request, credentials)
    except ValidationError:
        return _sign_in_again(request, typed, SignInFailed())
    except (SignInFailed, TooBusy) as refusal:
        return _sign_in_again(request, typed, refusal)
    response = redirect(onward)
    set_admin_cookie(request, response, secret)
    return response


async def sign_out(request: Request) -> Response:
    return await signed_out(request, redirect(SIGN_IN, done="signed-out"))


def _sign_in_again(request: Request, typed: dict[str, str], refusal: Refusal) -> Response:
    values = {"onward": local_path(typed.get("next")), "username": typed.get("username", ""), "trouble": str(refusal)}
    response = render(request, "login.html", status_of(refusal), **values)
    if isinstance(refusal, TooManyAttempts | TooBusy):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
