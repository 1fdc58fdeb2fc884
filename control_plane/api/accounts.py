"""The admin API's users, for owners. A password that was made up is shown in the answer and nowhere else."""

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.accounts import accounts, admin_users, second_factor
from control_plane.errors import Conflict, TooBusy
from control_plane.models_admin import AdminUser
from control_plane.schemas import Paging
from control_plane.schemas.accounts import PasswordReset, RoleChange, UserDraft, UserView, UserWithPassword
from control_plane.web import answers
from control_plane.web.answers import Data, Page
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /users", needs=Permission.ADMINISTER, answers={200: Page[UserView]})
async def list_users(call: Call, query: Paging) -> Response:
    """List the users by name."""
    async with call.app.database.read() as db:
        found, total = await admin_users.page(db, query.offset, query.limit)
    return answers.page([user_view(user) for user in found], query, total)


@endpoint(
    "POST /users",
    needs=Permission.ADMINISTER,
    answers={201: Data[UserWithPassword]},
    refuses=(Conflict, TooBusy),
)
async def create_user(call: Call, body: UserDraft) -> Response:
    """Create a user; without a password one is made up and shown this once."""
    made_up = None if body.password else admin_users.new_password()
    password_hash = await call.app.passwords.hash(body.password or made_up or "")
    async with call.act(Action.USER_CREATE, body.username) as deed:
        deed.detail = {"role": body.role}
        user = await admin_users.create(deed.db, body.username, body.role, password_hash, call.now)
    return answers.data(_with_password(user, made_up), 201)


@endpoint("GET /users/{user_id:uuid}", needs=Permission.ADMINISTER, answers={200: Data[UserView]})
async def show_user(call: Call) -> Response:
    """Show one user."""
    async with call.app.database.read() as db:
        return answers.data(user_view(await accounts.get(db, call.id("user_id"))))


@endpoint(
    "PUT /users/{user_id:uuid}/role",
    needs=Permission.ADMINISTER,
    answers={200: Data[UserView]},
    refuses=(Conflict,),
)
async def change_role(call: Call, body: RoleChange) -> Response:
    """Change what a user may do, and end their sessions; never the last active owner's."""
    async with call.act(Action.USER_UPDATE, call.id("user_id")) as deed:
        deed.detail = {"role": body.role}
        user = await admin_users.change_role(deed.db, call.id("user_id"), body.role)
        deed.subject = user.username
    return answers.data(user_view(user))


@endpoint(
    "PATCH /users/{user_id:uuid}/deactivate",
    needs=Permission.ADMINISTER,
    answers={200: Data[UserView]},
    refuses=(Conflict,),
)
async def deactivate_user(call: Call) -> Response:
    """Stop a user from signing in, and end their sessions; never the last active owner."""
    async with call.act(Action.USER_UPDATE, call.id("user_id")) as deed:
        deed.detail = {"active": False}
        user = await admin_users.deactivate(deed.db, call.id("user_id"))
        deed.subject = user.username
    return answers.data(user_view(user))


@endpoint("PATCH /users/{user_id:uuid}/reactivate", needs=Permission.ADMINISTER, answers={200: Data[UserView]})
async def reactivate_user(call: Call) -> Response:
    """Let a deactivated user sign in again."""
    async with call.act(Action.USER_UPDATE, call.id("user_id")) as deed:
        deed.detail = {"active": True}
        user = await admin_users.reactivate(deed.db, call.id("user_id"))
        deed.subject = user.username
    return answers.data(user_view(user))


@endpoint(
    "POST /users/{user_id:uuid}/password",
    needs=Permission.ADMINISTER,
    answers={200: Data[UserWithPassword]},
    refuses=(Conflict, TooBusy),
)
async def reset_password(call: Call, body: PasswordReset) -> Response:
    """Give somebody else another password, and end their sessions; without one it is generated and shown once."""
    made_up = None if body.password else admin_users.new_password()
    password_hash = await call.app.passwords.hash(body.password or made_up or "")
    async with call.act(Action.USER_UPDATE, call.id("user_id")) as deed:
        deed.detail = {"reset": "password"}
        user = await admin_users.reset_password(deed.db, call.id("user_id"), call.actor.id, password_hash)
        deed.subject = user.username
    return answers.data(_with_password(user, made_up))


@endpoint(
    "DELETE /users/{user_id:uuid}/totp",
    needs=Permission.ADMINISTER,
    answers={200: Data[UserView]},
    refuses=(Conflict,),
)
async def reset_totp(call: Call) -> Response:
    """Let somebody else sign in without an authentication code, and end their sessions."""
    async with call.act(Action.USER_UPDATE, call.id("user_id")) as deed:
        deed.detail = {"reset": "totp"}
        user = await admin_users.reset_second_factor(deed.db, call.id("user_id"), call.actor.id)
        deed.subject = user.username
    return answers.data(user_view(user))


def user_view(user: AdminUser) -> UserView:
    names = UserView.model_fields.keys() - {"uses_totp"}
    values = {name: getattr(user, name) for name in names}
    return UserView(**values, uses_totp=second_factor.is_in_force(user))


def _with_password(user: AdminUser, made_up: str | None) -> UserWithPassword:
    return UserWithPassword(**user_view(user).model_dump(), password=made_up)


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
