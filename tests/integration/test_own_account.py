"""The own account: password, sessions and second factor; sensitive changes require the password."""

from typing import Any

import pytest

from tests.support.clients.api import PASSWORD, UNKNOWN_ID, Admin, ControlPlane, cookies_of
from tests.support.clients.staff import audit_of, code_now, hire, new_key, program, use_codes

pytestmark = pytest.mark.anyio
FRESH = "another long password"
PROVEN = [
    ("/password", {"currentPassword": "wrong", "newPassword": FRESH}, "currentPassword"),
    ("/totp", {"password": "wrong"}, "password"),
    ("/totp/disable", {"password": "wrong"}, "password"),
]


async def test_a_changed_password_ends_every_session_including_this_one(plane: ControlPlane, admin: Admin) -> None:
    async with plane.browser() as http:
        other = Admin(http)
        await other.sign_in()
        body = {"currentPassword": PASSWORD, "newPassword": FRESH}
        answer = await admin.http.post("/api/admin/account/password", json=body)
        assert answer.status_code == 204
        assert cookies_of(answer)["sg_admin"].value == ""
        for person in (admin, other):
            assert (await person.http.get("/api/admin/session")).status_code == 401
        assert (await other.sign_in(PASSWORD)).status_code == 401
        assert (await other.sign_in(FRESH)).status_code == 200
        entries = await audit_of(other, "password.change")
    assert [(entry["actor"], entry["outcome"]) for entry in entries] == [("admin", "ok")]


@pytest.mark.parametrize("path", ["/password", "/totp", "/totp/disable"])
async def test_a_stolen_session_cannot_change_the_account_without_the_password(admin: Admin, path: str) -> None:
    _, body, field = next(row for row in PROVEN if row[0] == path)
    answer = await admin.http.post(f"/api/admin/account{path}", json=body)
    assert (answer.status_code, answer.json()["fields"]) == (422, {field: "This is not your password."})
    assert (await admin.list("/account"))["data"]["usesTotp"] is False
    assert (await admin.sign_in()).status_code == 200


async def test_wrong_current_passwords_count_as_sign_in_attempts(admin: Admin) -> None:
    statuses = [
        (await admin.http.post("/api/admin/account/totp", json={"password": "wrong"})).status_code for _ in range(10)
    ]
    assert statuses == [422] * 9 + [429]  # signing in was the first attempt


@pytest.mark.parametrize("password", ["x" * 11, "x" * 1001, ""])
async def test_a_password_has_12_to_1000_characters(admin: Admin, password: str) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": password}
    answer = await admin.http.post("/api/admin/account/password", json=body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["newPassword"])
    assert (await admin.http.get("/api/admin/session")).status_code == 200


async def test_own_sessions_are_listed_and_can_be_ended(plane: ControlPlane, admin: Admin) -> None:
    async with plane.browser("192.0.2.7", **{"User-Agent": "Phone"}) as http:
        phone = Admin(http)
        await phone.sign_in()
        listed = (await admin.list("/account/sessions"))["data"]
        assert [(row["address"], row["device"], row["isCurrent"]) for row in listed] == [
            ("192.0.2.7", "Phone", False),
            ("198.51.100.1", listed[1]["device"], True),
        ]
        assert (await admin.http.delete(f"/api/admin/account/sessions/{listed[0]['id']}")).status_code == 204
        assert (await http.get("/api/admin/session")).status_code == 401
        assert (await admin.http.delete(f"/api/admin/account/sessions/{listed[0]['id']}")).status_code == 404
    assert len((await admin.list("/account/sessions"))["data"]) == 1


async def test_all_other_sessions_can_be_ended_at_once(plane: ControlPlane, admin: Admin) -> None:
    await hire(admin, "anna", "operator")
    async with plane.browser() as one, plane.browser() as two, plane.browser() as anna:
        for http in (one, two):
            await Admin(http).sign_in()
        await Admin(anna).sign_in(username="anna")
        ended = await admin.http.delete("/api/admin/account/sessions")
        assert ended.json() == {"data": {"ended": 2}}
        statuses = [(await http.get("/api/admin/session")).status_code for http in (one, two, anna, admin.http)]
    assert statuses == [401, 401, 200, 200]


async def test_sessions_of_other_users_cannot_be_ended(plane: ControlPlane, admin: Admin) -> None:
    await hire(admin, "anna", "owner")
    mine = (await admin.list("/account/sessions"))["data"][0]["id"]
    async with plane.browser() as http:
        await Admin(http).sign_in(username="anna")
        for session in (mine, UNKNOWN_ID):
            assert (await http.delete(f"/api/admin/account/sessions/{session}")).status_code == 404
    assert (await admin.http.get("/api/admin/session")).status_code == 200


async def test_codes_are_required_after_the_first_was_confirmed(plane: ControlPlane, admin: Admin) -> None:
    begun = (await admin.http.post("/api/admin/account/totp", json={"password": PASSWORD})).json()["data"]
    assert begun["uri"].startswith("otpauth://totp/StreamGate:admin?")
    assert begun["secret"] in begun["uri"]
    assert begun["qr"].startswith("<svg")
    async with plane.browser() as http:
        assert (await Admin(http).sign_in()).status_code == 200
        confirm = "/api/admin/account/totp/confirm"
        wrong = await admin.http.post(confirm, json={"code": "000000"})
        assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["code"])
        assert (await Admin(http).sign_in()).status_code == 200
        assert (await admin.http.post(confirm, json={"code": code_now(begun["secret"])})).status_code == 200
        assert (await Admin(http).sign_in()).status_code == 401
        assert (await Admin(http).sign_in(totp=code_now(begun["secret"], 1))).status_code == 200
    account = (await admin.list("/account"))["data"]
    assert (account["usesTotp"], account["recoveryCodesLeft"]) == (True, 10)


async def test_a_second_request_for_a_secret_replaces_the_first(admin: Admin) -> None:
    secrets = [
        (await admin.http.post("/api/admin/account/totp", json={"password": PASSWORD})).json()["data"]["secret"]
        for _ in range(2)
    ]
    statuses = [
        (await admin.http.post("/api/admin/account/totp/confirm", json={"code": code_now(secret)})).status_code
        for secret in secrets
    ]
    assert statuses == [422, 200]


@pytest.mark.parametrize(("path", "body"), [("/totp", {"password": PASSWORD}), ("/totp/confirm", {"code": "000000"})])
async def test_an_active_second_factor_is_not_replaced(admin: Admin, path: str, body: dict[str, Any]) -> None:
    await use_codes(admin)
    assert (await admin.http.post(f"/api/admin/account{path}", json=body)).status_code == 409


async def test_a_code_without_a_secret_confirms_nothing(admin: Admin) -> None:
    answer = await admin.http.post("/api/admin/account/totp/confirm", json={"code": "000000"})
    assert answer.status_code == 409


async def test_after_switching_codes_off_a_password_is_enough(plane: ControlPlane, admin: Admin) -> None:
    await use_codes(admin)
    off = await admin.http.post("/api/admin/account/totp/disable", json={"password": PASSWORD})
    assert off.status_code == 204
    async with plane.browser() as http:
        assert (await Admin(http).sign_in()).status_code == 200
    assert (await admin.list("/account"))["data"]["recoveryCodesLeft"] == 0
    entries = [entry["action"] for entry in (await admin.list("/audit", limit=200))["data"]]
    assert (entries.count("totp.enable"), entries.count("totp.disable")) == (2, 1)


async def test_neither_secret_nor_recovery_codes_are_ever_shown_again(admin: Admin) -> None:
    secret, codes = await use_codes(admin)
    for path in ("/account", "/users", "/audit", "/account/sessions"):
        text = (await admin.http.get(f"/api/admin{path}")).text
        assert secret not in text
        assert [code for code in codes if code in text] == []


@pytest.mark.parametrize("role", ["admin", "operator"])
async def test_every_user_has_their_own_account(plane: ControlPlane, admin: Admin, role: str) -> None:
    await hire(admin, "anna", role)
    async with plane.browser() as http:
        person = Admin(http)
        await person.sign_in(username="anna")
        assert (await person.list("/account"))["data"]["username"] == "anna"
        body = {"currentPassword": PASSWORD, "newPassword": FRESH}
        assert (await http.post("/api/admin/account/password", json=body)).status_code == 204


async def test_a_program_has_no_account(plane: ControlPlane, admin: Admin) -> None:
    key = await new_key(admin, "read", "tickets", "events")
    async with program(plane, key["key"]) as http:
        assert (await http.get("/api/admin/account")).status_code == 403
        body = {"currentPassword": PASSWORD, "newPassword": FRESH}
        assert (await http.post("/api/admin/account/password", json=body)).status_code == 403
