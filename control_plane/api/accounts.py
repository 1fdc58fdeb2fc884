"""The admin API's users, for owners. A generated password is shown in the response and nowhere else."""

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.accounts import accounts, admin_users, second_factor
from control_plane.errors import Conflict, TooBusy
from control_plane.schemas import Paging
from control_plane.schemas.accounts import PasswordReset, RoleChange, UserDraft, UserView, UserWithPassword
from control_plane.tables import AdminUser
from control_plane.web import answers
from control_plane.web.answers import Data, Page
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /users", permission=Permission.ADMINISTER, responses={200: Page[UserView]})
async def list_users(call: Call, query: Paging) -> Response:
    """List the users by name."""
    async with call.app.database.read() as db:
        found, total = await admin_users.page(db, query.offset, query.limit)
    return answers.page([user_view(user) for user in found], query, total)


@endpoint(
    "POST /users",
    permission=Permission.ADMINISTER,
    responses={201: Data[UserWithPassword]},
    refusals=(Conflict, TooBusy),
)
async def create_user(call: Call, body: UserDraft) -> Response:
    """Create a user; without a password one is generated and shown once."""
    generated = None if body.password else admin_users.new_password()
    password_hash = await call.app.passwords.hash(body.password or generated or "")
    async with call.audited_change(Action.USER_CREATE, body.username) as change:
        change.detail = {"role": body.role}
        user = await admin_users.create(change.db, body.username, body.role, password_hash, change.now)
    return answers.data(_with_password(user, generated), 201)


@endpoint("GET /users/{user_id:uuid}", permission=Permission.ADMINISTER, responses={200: Data[UserView]})
async def show_user(call: Call) -> Response:
    """Show one user."""
    async with call.app.database.read() as db:
        return answers.data(user_view(await accounts.get(db, call.id("user_id"))))


@endpoint(
    "PUT /users/{user_id:uuid}/role",
    permission=Permission.ADMINISTER,
    responses={200: Data[UserView]},
    refusals=(Conflict,),
)
async def change_role(call: Call, body: RoleChange) -> Response:
    """Change the role of a user and end their sessions; the last active owner cannot be changed."""
    async with call.audited_change(Action.USER_UPDATE, call.id("user_id")) as change:
        change.detail = {"role": body.role}
        user = await admin_users.change_role(change.db, call.id("user_id"), body.role)
        change.subject = user.username
    return answers.data(user_view(user))


@endpoint(
    "PATCH /users/{user_id:uuid}/deactivate",
    permission=Permission.ADMINISTER,
    responses={200: Data[UserView]},
    refusals=(Conflict,),
)
async def deactivate_user(call: Call) -> Response:
    """Deactivate a user and end their sessions; the last active owner cannot be deactivated."""
    async with call.audited_change(Action.USER_UPDATE, call.id("user_id")) as change:
        change.detail = {"active": False}
        user = await admin_users.deactivate(change.db, call.id("user_id"))
        change.subject = user.username
    return answers.data(user_view(user))


@endpoint("PATCH /users/{user_id:uuid}/reactivate", permission=Permission.ADMINISTER, responses={200: Data[UserView]})
async def reactivate_user(call: Call) -> Response:
    """Let a deactivated user sign in again."""
    async with call.audited_change(Action.USER_UPDATE, call.id("user_id")) as change:
        change.detail = {"active": True}
        user = await admin_users.reactivate(change.db, call.id("user_id"))
        change.subject = user.username
    return answers.data(user_view(user))


@endpoint(
    "POST /users/{user_id:uuid}/password",
    permission=Permission.ADMINISTER,
    responses={200: Data[UserWithPassword]},
    refusals=(Conflict, TooBusy),
)
async def reset_password(call: Call, body: PasswordReset) -> Response:
    """Set another user's password and end their sessions; without one it is generated and shown once."""
    generated = None if body.password else admin_users.new_password()
    password_hash = await call.app.passwords.hash(body.password or generated or "")
    async with call.audited_change(Action.USER_UPDATE, call.id("user_id")) as change:
        change.detail = {"reset": "password"}
        user = await admin_users.reset_password(change.db, call.id("user_id"), call.actor.id, password_hash)
        change.subject = user.username
    return answers.data(_with_password(user, generated))


@endpoint(
    "DELETE /users/{user_id:uuid}/totp",
    permission=Permission.ADMINISTER,
    responses={200: Data[UserView]},
    refusals=(Conflict,),
)
async def reset_totp(call: Call) -> Response:
    """Remove another user's authentication app and end their sessions."""
    async with call.audited_change(Action.USER_UPDATE, call.id("user_id")) as change:
        change.detail = {"reset": "totp"}
        user = await admin_users.reset_second_factor(change.db, call.id("user_id"), call.actor.id)
        change.subject = user.username
    return answers.data(user_view(user))


def user_view(user: AdminUser) -> UserView:
    names = UserView.model_fields.keys() - {"uses_totp"}
    values = {name: getattr(user, name) for name in names}
    return UserView(**values, uses_totp=second_factor.is_in_force(user))


def _with_password(user: AdminUser, generated: str | None) -> UserWithPassword:
    return UserWithPassword(**user_view(user).model_dump(), password=generated)


ENDPOINTS = (
    list_users,
    create_user,
    show_user,
    change_role,
    deactivate_user,
    reactivate_user,
    reset_password,
    reset_totp,
)
