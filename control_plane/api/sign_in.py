"""The admin API's sign-in: sign in, sign out, and show who is signed in."""

from starlette.responses import Response

from control_plane.access.actors import Permission, Role
from control_plane.accounts import sign_in as rules
from control_plane.accounts.accounts import Client
from control_plane.accounts.sign_in import SignIn, SignInAttempt
from control_plane.clock import utc_now
from control_plane.errors import SignInFailed, TooBusy, TooManyAttempts
from control_plane.schemas import Schema
from control_plane.schemas.accounts import SignInForm
from control_plane.services import Request
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.authentication import clear_admin_cookie, find_signed_in, set_admin_cookie
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import client_address, services


class SignedIn(Schema):
    """The current actor: a user with a role, or an API key with its name and no role."""

    username: str
    role: Role | None


def sign_in_service(request: Request) -> SignIn:
    app = services(request)
    return SignIn(app.database, app.passwords, app.limits, app.audit_queue)


def client_of(request: Request) -> Client:
    return Client(client_address(request), request.headers.get("user-agent", ""))


async def admit(request: Request) -> None:
    """Count an attempt to sign in, before its body is read. Raise TooManyAttempts."""
    await sign_in_service(request).admit(client_address(request), utc_now())


async def sign_in(request: Request, credentials: SignInForm) -> tuple[str, SignedIn]:
    """Return the secret of a new admin session, and its user. Call `admit` first.

    Raise SignInFailed, with the same message for every cause, or TooBusy.
    """
    attempt = SignInAttempt(credentials.username, credentials.password, credentials.totp or "", client_of(request))
    secret, user = await sign_in_service(request).sign_in(attempt, utc_now())
    return secret, SignedIn(username=user.username, role=Role(user.role))


@endpoint(
    "POST /login", permission=None, responses={200: Data[SignedIn]}, refusals=(SignInFailed, TooManyAttempts, TooBusy)
)
async def login(call: Call, body: SignInForm) -> Response:
    """Sign in; the response sets the session cookie."""
    await admit(call.request)
    secret, signed_in = await sign_in(call.request, body)
    response = answers.data(signed_in)
    set_admin_cookie(call.request, response, secret)
    return response


async def sign_out(request: Request, response: Response) -> Response:
    actor = await find_signed_in(request)
    if actor:
        async with services(request).database.write() as db:
            await rules.sign_out(db, actor, utc_now())
    clear_admin_cookie(response)
    return response


@endpoint("POST /logout", permission=None, responses={204: None})
async def logout(call: Call) -> Response:
    """Sign out; does nothing if you are not signed in."""
    return await sign_out(call.request, answers.nothing())


@endpoint("DELETE /session", permission=None, responses={204: None})
async def end_own_session(call: Call) -> Response:
    """Sign out; does nothing if you are not signed in."""
    return await sign_out(call.request, answers.nothing())


@endpoint("GET /session", permission=Permission.READ, responses={200: Data[SignedIn]})
async def show_session(call: Call) -> Response:
    """Show who is signed in."""
    return answers.data(SignedIn(username=call.actor.name, role=call.actor.role))


ENDPOINTS = (login, logout, show_session, end_own_session)
