"""The admin API's own account: password, second factor and sessions of the user who is signed in.

Changes that a stolen session must not make require the password again; this counts as an attempt to sign in.
"""

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.accounts import accounts, second_factor, totp
from control_plane.api.accounts import user_view
from control_plane.api.sign_in import sign_in_service
from control_plane.api.tv import qr_code
from control_plane.errors import Conflict, FieldRefused, TooBusy, TooManyAttempts
from control_plane.schemas.accounts import (
    AccountView,
    AdminSessionView,
    CodeProof,
    EndedSessions,
    OwnPasswordChange,
    PasswordProof,
    RecoveryCodes,
    TotpEnrolment,
)
from control_plane.tables import AdminSession
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.authentication import clear_admin_cookie
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import client_address

_PROOF_REFUSALS = (FieldRefused, TooManyAttempts, TooBusy)


@endpoint("GET /account", permission=Permission.OWN_ACCOUNT, responses={200: Data[AccountView]})
async def show_account(call: Call) -> Response:
    """Show your own account."""
    async with call.app.database.read() as db:
        user = await accounts.get(db, _own_id(call))
        left = await second_factor.recovery_codes_left(db, user.id)
    return answers.data(AccountView(**user_view(user).model_dump(), recovery_codes_left=left))


@endpoint("POST /account/password", permission=Permission.OWN_ACCOUNT, responses={204: None}, refusals=_PROOF_REFUSALS)
async def change_password(call: Call, body: OwnPasswordChange) -> Response:
    """Change your own password and end all your sessions, including this one."""
    verified = await _prove(call, body.current_password, "currentPassword")
    password_hash = await call.app.passwords.hash(body.new_password)
    async with call.audited_change(Action.PASSWORD_CHANGE, call.actor.name) as change:
        await accounts.change_own_password(change.db, _own_id(call), verified, password_hash)
    response = answers.nothing()
    clear_admin_cookie(response)
    return response


@endpoint("GET /account/sessions", permission=Permission.OWN_ACCOUNT, responses={200: Data[list[AdminSessionView]]})
async def list_own_sessions(call: Call) -> Response:
    """List your own sessions, newest first."""
    async with call.app.database.read() as db:
        found = await accounts.sessions_of(db, _own_id(call), call.now)
    return answers.data([_session_view(session, call.actor.session_id) for session in found])


@endpoint("DELETE /account/sessions/{session_id:uuid}", permission=Permission.OWN_ACCOUNT, responses={204: None})
async def end_one_session(call: Call) -> Response:
    """End one of your own sessions."""
    async with call.audited_change(Action.ADMIN_SESSION_END, call.actor.name) as change:
        await accounts.end_own_session(change.db, _own_id(call), call.id("session_id"))
    return answers.nothing()


@endpoint("DELETE /account/sessions", permission=Permission.OWN_ACCOUNT, responses={200: Data[EndedSessions]})
async def end_other_sessions(call: Call) -> Response:
    """End all your own sessions except this one."""
    async with call.audited_change(Action.ADMIN_SESSION_END, call.actor.name) as change:
        ended = await accounts.end_sessions(change.db, _own_id(call), but=call.actor.session_id)
        change.detail = {"ended": ended}
    return answers.data(EndedSessions(ended=ended))


@endpoint(
    "POST /account/totp",
    permission=Permission.OWN_ACCOUNT,
    responses={201: Data[TotpEnrolment]},
    refusals=(Conflict, *_PROOF_REFUSALS),
)
async def begin_totp(call: Call, body: PasswordProof) -> Response:
    """Create a secret for an authenticator app; it takes effect when it is confirmed with a code."""
    verified = await _prove(call, body.password, "password")
    async with call.audited_change(Action.TOTP_ENABLE, call.actor.name) as change:
        change.detail = {"step": "secret"}
        user = await accounts.get(change.db, _own_id(call), lock=True)
        accounts.check_proof(user, verified, "password")
        secret = await second_factor.begin(change.db, user)
    uri = totp.uri(secret, call.app.settings.app_name, call.actor.name)
    return answers.data(TotpEnrolment(secret=secret, uri=uri, qr=qr_code(uri)), 201)


@endpoint(
    "POST /account/totp/confirm",
    permission=Permission.OWN_ACCOUNT,
    responses={200: Data[RecoveryCodes]},
    refusals=(Conflict, FieldRefused, TooManyAttempts),
)
async def confirm_totp(call: Call, body: CodeProof) -> Response:
    """Confirm the secret with a code of the app; the response shows the recovery codes once."""
    await call.app.limits.count_second_factor(_own_id(call))
    async with call.audited_change(Action.TOTP_ENABLE, call.actor.name) as change:
        change.detail = {"step": "confirmed"}
        user = await accounts.get(change.db, _own_id(call), lock=True)
        codes = await second_factor.confirm(change.db, user, body.code, change.now)
    return answers.data(RecoveryCodes(recovery_codes=codes))


@endpoint(
    "POST /account/totp/disable", permission=Permission.OWN_ACCOUNT, responses={204: None}, refusals=_PROOF_REFUSALS
)
async def disable_totp(call: Call, body: PasswordProof) -> Response:
    """Disable authentication codes for your account; its recovery codes become invalid."""
    verified = await _prove(call, body.password, "password")
    async with call.audited_change(Action.TOTP_DISABLE, call.actor.name) as change:
        user = await accounts.get(change.db, _own_id(call), lock=True)
        accounts.check_proof(user, verified, "password")
        await second_factor.remove(change.db, user)
    return answers.nothing()


async def _prove(call: Call, password: str, field: str) -> str:
    return await sign_in_service(call.request).confirm_password(
        _own_id(call), password, client_address(call.request), field
    )


def _own_id(call: Call) -> str:
    """Return the id of the actor; OWN_ACCOUNT is granted only to users, who all have one."""
    return call.actor.id or ""


def _session_view(session: AdminSession, current_id: str | None) -> AdminSessionView:
    return AdminSessionView(
        id=session.id,
        address=session.address,
        device=session.user_agent,
        since=session.created_at,
        expires_at=session.expires_at,
        is_current=session.id == current_id,
    )


ENDPOINTS = (
    show_account,
    change_password,
    list_own_sessions,
    end_one_session,
    end_other_sessions,
    begin_totp,
    confirm_totp,
    disable_totp,
)
