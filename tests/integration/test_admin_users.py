"""Users: management by owners, its effect on sessions, and that there is always an owner."""

import asyncio
from typing import Any

import anyio
import httpx2
import pytest

from control_plane.accounts import admin_users
from control_plane.errors import Conflict
from tests.support.clients.api import PASSWORD, UNKNOWN_ID, Admin, ControlPlane
from tests.support.clients.staff import audit_of, code_now, hire, new_key, program, use_codes

pytestmark = pytest.mark.anyio
FRESH = "another long password"


async def change(owner: Admin, method: str, path: str, body: Any = None) -> httpx2.Response:
    return await owner.http.request(method, f"/api/admin/users{path}", json=body)


async def own_id(person: Admin) -> str:
    return str((await person.list("/account"))["data"]["id"])


async def test_a_new_user_signs_in_with_the_password_that_was_chosen(plane: ControlPlane, admin: Admin) -> None:
    answer = await change(admin, "POST", "", {"username": "Anna", "role": "operator", "password": FRESH})
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert (made["username"], made["role"], made["isActive"], made["usesTotp"]) == ("anna", "operator", True, False)
    assert made["password"] is None
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(FRESH, username="anna")).status_code == 200
        assert (await http.get("/api/admin/session")).json()["data"] == {"username": "anna", "role": "operator"}
    shown = (await change(admin, "GET", f"/{made['id']}")).json()["data"]
    assert shown["lastSignInAt"]
    assert "password" not in shown
    assert [user["username"] for user in (await admin.list("/users"))["data"]] == ["admin", "anna"]


async def test_a_password_is_generated_if_none_is_given_and_shown_once(plane: ControlPlane, admin: Admin) -> None:
    made = (await change(admin, "POST", "", {"username": "bob", "role": "admin"})).json()["data"]
    assert len(made["password"]) >= 20
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(made["password"], username="bob")).status_code == 200
    assert made["password"] not in (await admin.http.get("/api/admin/users")).text
    assert made["password"] not in (await admin.http.get("/api/admin/audit")).text


async def test_names_are_unique(admin: Admin) -> None:
    await hire(admin, "anna", "operator")
    again = await change(admin, "POST", "", {"username": "ANNA", "role": "admin"})
    assert (again.status_code, again.json()["error"]) == (409, "A user with this name already exists.")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"password": "x" * 11}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"username": ""}, "username"),
        ({"username": "x" * 65}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "anna\n"}, "username"),
        ({"username": "änna"}, "username"),
        ({"role": "king"}, "role"),
        ({"isActive": True}, "isActive"),
    ],
)
async def test_invalid_input_is_reported_by_field(admin: Admin, values: dict[str, Any], field: str) -> None:
    answer = await change(admin, "POST", "", {"username": "anna", "role": "operator"} | values)
    assert answer.status_code == 422
    assert answer.json()["fields"].keys() == {field}
    assert "xxxxxxx" not in answer.text
    assert (await admin.list("/users"))["pagination"]["total"] == 1


@pytest.mark.parametrize("length", [12, 1000])
async def test_the_shortest_and_the_longest_password_sign_in(plane: ControlPlane, admin: Admin, length: int) -> None:
    await hire(admin, "anna", "operator", "é" * length)
    async with plane.browser() as http:
        assert (await Admin(http).sign_in("é" * length, username="anna")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "is_out"),
    [
        ("PUT", "role", {"role": "admin"}, True),
        ("PUT", "role", {"role": "operator"}, False),  # their current role
        ("PATCH", "deactivate", None, True),
        ("POST", "password", {"password": FRESH}, True),
        ("DELETE", "totp", None, True),
        ("PATCH", "reactivate", None, False),
    ],
)
async def test_changed_access_ends_a_users_sessions(
    plane: ControlPlane, admin: Admin, method: str, path: str, body: Any, *, is_out: bool
) -> None:
    anna = await hire(admin, "anna", "operator")
    async with plane.browser() as phone, plane.browser() as laptop:
        for http in (phone, laptop):
            assert (await Admin(http).sign_in(username="anna")).status_code == 200
        assert (await change(admin, method, f"/{anna}/{path}", body)).status_code == 200
        statuses = [(await http.get("/api/admin/session")).status_code for http in (phone, laptop)]
    assert statuses == [401 if is_out else 200] * 2
    assert (await admin.http.get("/api/admin/session")).status_code == 200


async def test_a_deactivated_user_cannot_sign_in_until_reactivated(plane: ControlPlane, admin: Admin) -> None:
    anna = await hire(admin, "anna", "operator")
    async with plane.browser() as http:
        assert (await change(admin, "PATCH", f"/{anna}/deactivate")).json()["data"]["isActive"] is False
        assert (await Admin(http).sign_in(username="anna")).status_code == 401
        assert (await change(admin, "PATCH", f"/{anna}/reactivate")).json()["data"]["isActive"] is True
        assert (await Admin(http).sign_in(username="anna")).status_code == 200


async def test_a_role_applies_from_the_next_sign_in_on(plane: ControlPlane, admin: Admin) -> None:
    anna = await hire(admin, "anna", "operator")
    assert (await change(admin, "PUT", f"/{anna}/role", {"role": "owner"})).json()["data"]["role"] == "owner"
    async with plane.browser() as http:
        await Admin(http).sign_in(username="anna")
        assert (await http.get("/api/admin/users")).status_code == 200


async def test_a_reset_password_replaces_the_old_one(plane: ControlPlane, admin: Admin) -> None:
    anna = await hire(admin, "anna", "operator")
    made_up = (await change(admin, "POST", f"/{anna}/password", {})).json()["data"]["password"]
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(PASSWORD, username="anna")).status_code == 401
        assert (await Admin(http).sign_in(made_up, username="anna")).status_code == 200


async def test_a_user_without_their_phone_can_sign_in_after_a_reset(plane: ControlPlane, admin: Admin) -> None:
    anna = await hire(admin, "anna", "operator")
    async with plane.browser() as http:
        person = Admin(http)
        await person.sign_in(username="anna")
        _, codes = await use_codes(person)
        assert (await person.sign_in(username="anna")).status_code == 401
        assert (await change(admin, "DELETE", f"/{anna}/totp")).json()["data"]["usesTotp"] is False
        assert (await person.sign_in(username="anna")).status_code == 200
        begun, more = await use_codes(person)
        assert (await person.sign_in(username="anna", totp=codes[0])).status_code == 401
        assert (await person.sign_in(username="anna", totp=more[0])).status_code == 200
        assert (await person.sign_in(username="anna", totp=code_now(begun, 1))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"), [("PUT", "role", {"role": "admin"}), ("PATCH", "deactivate", None)]
)
async def test_the_last_active_owner_stays(
    plane: ControlPlane, admin: Admin, method: str, path: str, body: Any
) -> None:
    gone = await hire(admin, "gone", "owner")
    assert (await change(admin, "PATCH", f"/{gone}/deactivate")).status_code == 200
    me = await own_id(admin)
    refused = await change(admin, method, f"/{me}/{path}", body)
    assert (refused.status_code, refused.json()["error"]) == (
        409,
        "This is the last active owner. Make somebody else an owner first.",
    )
    await change(admin, "PATCH", f"/{gone}/reactivate")
    assert (await change(admin, method, f"/{me}/{path}", body)).status_code == 200
    assert (await admin.http.get("/api/admin/session")).status_code == 401
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(username="gone")).status_code == 200


async def test_of_owners_who_remove_each_other_at_once_one_remains(plane: ControlPlane, admin: Admin) -> None:
    ids = [await own_id(admin)] + [await hire(admin, f"owner{number}", "owner") for number in range(5)]
    people = [admin]
    async with plane.browser() as one, plane.browser() as two, plane.browser() as three:
        for number, http in enumerate((one, two, three)):
            people.append(Admin(http))
            assert (await people[-1].sign_in(username=f"owner{number}")).status_code == 200
        away = [change(person, "PATCH", f"/{user}/deactivate") for user in ids for person in people]
        statuses = {answer.status_code for answer in await asyncio.gather(*away)}
    assert statuses <= {200, 401, 409}
    async with plane.services.database.read() as db:
        users, _ = await admin_users.page(db, 0, 10)
    assert [user.is_active for user in users].count(True) == 1


async def test_removals_of_owners_are_serialized(plane: ControlPlane, admin: Admin) -> None:
    one, other = await own_id(admin), await hire(admin, "other", "owner")
    is_over, refused = anyio.Event(), []

    async def send_the_other_away() -> None:
        try:
            async with plane.services.database.write() as db:
                await admin_users.deactivate(db, other)
        except Conflict as refusal:
            refused.append(str(refusal))
        is_over.set()

    async with anyio.create_task_group() as tasks, plane.services.database.write() as db:
        await admin_users.deactivate(db, one)
        tasks.start_soon(send_the_other_away)
        with anyio.move_on_after(0.5):  # enough time, if it did not wait
            await is_over.wait()
    assert len(refused) == 1


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "password", {}), ("DELETE", "totp", None)])
async def test_own_credentials_cannot_be_reset_without_the_password(
    admin: Admin, method: str, path: str, body: Any
) -> None:
    refused = await change(admin, method, f"/{await own_id(admin)}/{path}", body)
    assert (refused.status_code, refused.json()["reason"]) == (409, "conflict")
    assert (await admin.http.get("/api/admin/session")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "/role", {"role": "admin"}),
        ("PATCH", "/deactivate", None),
        ("PATCH", "/reactivate", None),
        ("POST", "/password", {}),
        ("DELETE", "/totp", None),
    ],
)
async def test_a_missing_user_is_not_found(admin: Admin, method: str, path: str, body: Any) -> None:
    assert (await change(admin, method, f"/{UNKNOWN_ID}{path}", body)).status_code == 404


async def test_only_owners_manage_users(plane: ControlPlane, admin: Admin) -> None:
    key = await new_key(admin, "read", "tickets", "events")
    for role in ("admin", "operator"):
        await hire(admin, f"an-{role}", role)
        async with plane.browser() as http:
            await Admin(http).sign_in(username=f"an-{role}")
            assert (await http.get("/api/admin/users")).status_code == 403
            draft = {"username": "friend", "role": "owner"}
            assert (await http.post("/api/admin/users", json=draft)).status_code == 403
    async with program(plane, key["key"]) as http:
        assert (await http.get("/api/admin/users")).status_code == 403
    assert [entry["subject"] for entry in await audit_of(admin, "user.create")] == [
        "admin",
        "an-admin",
        "an-operator",
    ]


async def test_the_audit_log_names_actor_and_user_and_refusals(admin: Admin) -> None:
    anna = await hire(admin, "anna", "operator")
    await change(admin, "PUT", f"/{anna}/role", {"role": "admin"})
    await change(admin, "POST", f"/{anna}/password", {"password": FRESH})
    await change(admin, "PATCH", f"/{await own_id(admin)}/deactivate")
    entries = await audit_of(admin, "user.update")
    assert [(entry["actor"], entry["outcome"], entry["detail"]) for entry in entries] == [
        ("admin", "ok", {"role": "admin"}),
        ("admin", "ok", {"reset": "password"}),
        ("admin", "conflict", {"active": False}),
    ]
    assert [entry["subject"] for entry in entries[:2]] == ["anna", "anna"]
    assert FRESH not in (await admin.http.get("/api/admin/audit")).text
