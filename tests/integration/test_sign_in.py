"""Signing in: one answer for every kind of failure, single-use codes, and floods that never accumulate."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from threading import Event
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from control_plane.access.actors import Role
from control_plane.accounts import accounts, admin_users
from control_plane.accounts.accounts import SESSION_HOURS, Client
from control_plane.accounts.passwords import MOST_AT_ONCE, MOST_WAITING
from control_plane.accounts.sign_in import SignIn, SignInAttempt
from control_plane.clock import utc_now
from control_plane.errors import SignInFailed
from control_plane.tables import AdminSession, AuditEntry
from tests.support.clients.api import HASHER, PASSWORD, PASSWORD_HASH, Admin, ControlPlane, make_settings, running
from tests.support.clients.staff import audit_of, code_now, hire, use_codes

pytestmark = pytest.mark.anyio


class WatchedSignIn(PasswordHasher):
    """A real hasher that records its costs and simultaneous calls, and waits for its gate to open."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.busy = self.most_busy = 0
        self.costs: list[str] = []  # parameters of a verification, or "hash"
        self.gate = Event()
        self.gate.set()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.costs.append("hash")
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the base class's name
        self.costs.append(str(hash).split("$")[3])
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        self.gate.wait(timeout=10)
        try:
            return super().verify(hash, password)
        finally:
            self.busy -= 1


async def test_every_kind_of_failure_gets_byte_for_byte_the_same_answer(database_url: str) -> None:
    hasher = WatchedSignIn()
    async with running(make_settings(database_url), hasher) as plane, plane.browser("198.51.100.1") as http:
        owner = Admin(http)
        assert (await owner.sign_in()).status_code == 200
        gone = await hire(owner, "gone", "operator")
        await owner.http.patch(f"/api/admin/users/{gone}/deactivate")
        await use_codes(owner)
        wrong = [
            {"username": "nobody"},
            {"password": "wrong"},
            {"username": "gone"},
            {"totp": "000000"},
            {"totp": "aaaa-bbbb-cccc-dddd"},
            {},  # the right password without its code
            {"username": "nobody", "totp": "000000"},
            {"username": "no\0body"},
        ]
        answers, checks = [], []
        for attempt in wrong:
            before = len(hasher.costs)
            async with plane.browser("192.0.2.99") as stranger:
                answer = await stranger.post("/api/admin/login", json={"password": PASSWORD} | attempt)
            answers.append((answer.status_code, answer.content, sorted(answer.headers.items())))
            checks += hasher.costs[before:]
    assert {status for status, _, _ in answers} == {401}
    assert SignInFailed.sentence.encode() in answers[0][1]
    assert [answer for answer in answers if answer != answers[0]] == []
    assert checks == ["m=8,t=1,p=1"] * len(wrong)


async def test_an_unknown_user_costs_as_much_as_a_known_one_from_the_first_attempt_on(
    database_url: str,
) -> None:
    hasher = WatchedSignIn()
    older = make_settings(database_url, admin_password_hash=PasswordHasher(2, 16, 1).hash(PASSWORD))
    async with running(older, hasher) as plane:
        for name in ("nobody", "admin"):
            await enter(plane, name)
    assert hasher.costs == ["m=16,t=2,p=1"] * 2


async def test_with_hashes_of_different_cost_an_unknown_name_always_costs_the_same_as_an_existing_one(
    database_url: str,
) -> None:
    costs: list[list[str]] = []
    older = make_settings(database_url, admin_password_hash=PasswordHasher(2, 16, 1).hash(PASSWORD))
    async with running(older) as plane, plane.services.database.write() as db:
        await admin_users.create(db, "anna", Role.ADMIN, PASSWORD_HASH, utc_now())
    for _ in range(2):  # control planes
        hasher = WatchedSignIn()
        async with running(older, hasher) as plane:
            for number in range(20):
                await enter(plane, f"nobody{number}", f"192.0.2.{number}")
                await enter(plane, f" NoBody{number}", f"192.0.2.{number}")
        assert hasher.costs[::2] == hasher.costs[1::2]
        costs.append(hasher.costs)
    assert costs[0] == costs[1]
    assert set(costs[0]) == {"m=16,t=2,p=1", "m=8,t=1,p=1"}


async def test_a_code_of_the_app_signs_in_once(plane: ControlPlane, admin: Admin) -> None:
    secret, _ = await use_codes(admin)
    code = code_now(secret, 1)
    async with plane.browser() as http:
        statuses = [(await Admin(http).sign_in(totp=code)).status_code for _ in range(2)]
    assert statuses == [200, 401]


async def test_the_code_that_confirmed_the_secret_does_not_sign_in_again(plane: ControlPlane, admin: Admin) -> None:
    begun = await admin.http.post("/api/admin/account/totp", json={"password": PASSWORD})
    code = code_now(begun.json()["data"]["secret"])
    assert (await admin.http.post("/api/admin/account/totp/confirm", json={"code": code})).status_code == 200
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(totp=code)).status_code == 401


async def test_an_attempt_whose_check_took_long_is_judged_and_stamped_when_its_transaction_begins(
    plane: ControlPlane, admin: Admin
) -> None:
    secret, _ = await use_codes(admin)
    app, now = plane.services, utc_now()
    requested = now - timedelta(minutes=10)
    attempt = SignInAttempt("admin", PASSWORD, code_now(secret, 1), Client("192.0.2.5", ""))
    _, user = await SignIn(app.database, app.passwords, app.limits, app.audit_queue).sign_in(attempt, requested)
    async with app.database.read() as db:
        session = await db.scalar(select(AdminSession).where(AdminSession.address == "192.0.2.5"))
        entry = await db.scalar(select(AuditEntry).where(AuditEntry.address == "192.0.2.5"))
        signed_in = await accounts.get(db, user.id)
    assert session
    assert entry
    assert signed_in.last_sign_in_at == session.created_at == entry.at >= now
    assert session.expires_at == session.created_at + timedelta(hours=SESSION_HOURS)


async def test_a_code_typed_in_groups_is_the_same_code(plane: ControlPlane, admin: Admin) -> None:
    secret, _ = await use_codes(admin)
    code = code_now(secret, 1)
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(totp=f" {code[:3]} {code[3:]} ")).status_code == 200


async def test_each_recovery_code_signs_in_once_even_when_used_ten_times_at_once(
    plane: ControlPlane, admin: Admin
) -> None:
    _, codes = await use_codes(admin)
    assert len(set(codes)) == 10

    async def enter(code: str) -> int:
        async with plane.browser("192.0.2.77") as http:
            return (await Admin(http).sign_in(totp=code)).status_code

    at_once = await asyncio.gather(*(enter(codes[0]) for _ in range(5)))
    assert sorted(at_once) == [200, 401, 401, 401, 401]
    assert await enter(codes[1].upper().replace("-", " ")) == 200
    assert (await admin.list("/account"))["data"]["recoveryCodesLeft"] == 8


async def test_guesses_of_codes_with_the_right_password_are_limited(plane: ControlPlane, admin: Admin) -> None:
    secret, codes = await use_codes(admin)
    for number in range(10):
        async with plane.browser(f"192.0.2.{number}") as http:
            assert (await Admin(http).sign_in(totp="000000")).status_code == 401
    async with plane.browser("192.0.2.200") as http:
        assert (await Admin(http).sign_in(totp=code_now(secret, 1))).status_code == 401
        assert (await Admin(http).sign_in(totp=codes[0])).status_code == 401


async def test_wrong_passwords_of_others_do_not_lock_an_account(plane: ControlPlane, admin: Admin) -> None:
    secret, _ = await use_codes(admin)
    for number in range(20):
        async with plane.browser(f"192.0.2.{number}") as http:
            await Admin(http).sign_in("wrong", totp="000000")
    async with plane.browser("192.0.2.200") as http:
        assert (await Admin(http).sign_in(totp=code_now(secret, 1))).status_code == 200


async def test_the_user_name_is_case_insensitive(plane: ControlPlane) -> None:
    async with plane.browser() as http:
        assert (await Admin(http).sign_in(username=" Admin ")).status_code == 200


async def test_of_a_hundred_simultaneous_sign_ins_few_are_checked_and_the_rest_is_refused(
    database_url: str,
) -> None:
    hasher, retry_after = WatchedSignIn(), set[str]()
    hasher.gate.clear()  # closed until a request was refused, since a fast hasher would have no waiting requests

    async def try_once(plane: ControlPlane, number: int) -> int:
        async with plane.browser(f"192.0.2.{number}") as http:
            answer = await Admin(http).sign_in("wrong", username=("admin", "nobody")[number % 2])
        retry_after.add(answer.headers.get("retry-after", ""))
        if answer.status_code == 503:
            hasher.gate.set()
        return answer.status_code

    async with running(make_settings(database_url), hasher) as plane:
        statuses = Counter(await asyncio.gather(*(try_once(plane, number) for number in range(100))))
        async with plane.browser() as http:
            assert (await Admin(http).sign_in()).status_code == 200
            sent_away = await refused_sign_ins(plane, Admin(http), "busy")
    assert hasher.most_busy <= MOST_AT_ONCE
    assert len({entry["address"] for entry in sent_away}) == statuses[503]
    assert {(entry["actorKind"], entry["actor"]) for entry in sent_away} == {("user", "nobody")}
    assert statuses.keys() == {401, 503}
    assert statuses[401] >= MOST_AT_ONCE + MOST_WAITING
    assert retry_after == {"", "3"}


async def test_a_hash_of_older_parameters_is_renewed_at_sign_in(database_url: str) -> None:
    newer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    async with running(make_settings(database_url), newer) as plane, plane.browser() as http:
        owner = Admin(http)
        assert (await owner.sign_in()).status_code == 200
        assert (await owner.sign_in()).status_code == 200
        assert (await owner.list("/account"))["data"]["username"] == "admin"  # the session stays valid
        renewed = await hash_of(plane, "admin")
        assert "m=16,t=2" in renewed
    async with running(make_settings(database_url), newer) as plane, plane.browser() as http:
        assert (await Admin(http).sign_in()).status_code == 200
        assert await hash_of(plane, "admin") == renewed
    assert HASHER.verify(renewed, PASSWORD)


async def test_the_audit_log_records_sign_ins_and_failures_with_their_reason(plane: ControlPlane, admin: Admin) -> None:
    _, codes = await use_codes(admin)
    async with plane.browser("192.0.2.5") as http:
        person = Admin(http)
        await person.sign_in("a wrong secret")
        await person.sign_in(PASSWORD, username="hunter2hunter2")
        await person.sign_in(PASSWORD, totp="000000")
        await person.sign_in(PASSWORD, totp=codes[0])
        await http.post("/api/admin/logout")
        await http.post("/api/admin/logout")
    entries = [
        (entry["actor"], entry["address"], entry["outcome"], entry["subject"], (entry["detail"] or {}).get("why"))
        for entry in (await audit_of(admin, "sign-in"))[1:]
    ]
    assert entries == [
        ("nobody", "192.0.2.5", "sign-in-failed", "admin", "password"),
        ("nobody", "192.0.2.5", "sign-in-failed", entries[1][3], "unknown user"),
        ("nobody", "192.0.2.5", "sign-in-failed", "admin", "authentication code"),
        ("admin", "192.0.2.5", "ok", "admin", None),
    ]
    assert [entry["actor"] for entry in await audit_of(admin, "sign-out")] == ["admin"]
    everything = (await admin.http.get("/api/admin/audit", params={"limit": 200})).text
    for secret in ("hunter2", "a wrong secret", PASSWORD, codes[0], "000000"):
        assert secret not in everything


async def test_too_many_sign_ins_are_recorded_as_few_entries(plane: ControlPlane, admin: Admin) -> None:
    began = time.monotonic()
    async with plane.browser("192.0.2.5") as http:
        answers = [(await Admin(http).sign_in("wrong")).status_code for _ in range(60)]
    took = time.monotonic() - began
    assert Counter(answers) == {401: 10, 429: 50}
    refused = await refused_sign_ins(plane, admin, "rate-limited")
    assert 1 <= len(refused) <= took + 2  # one per second
    assert sum((entry["detail"] or {}).get("times", 1) for entry in refused) == 50
    assert {(entry["actor"], entry["address"], entry["subject"]) for entry in refused} == {
        ("nobody", "192.0.2.5", None)
    }


async def enter(plane: ControlPlane, username: str, address: str = "192.0.2.99") -> int:
    """Try a wrong password."""
    async with plane.browser(address) as http:
        return (await Admin(http).sign_in("wrong", username=username)).status_code


async def refused_sign_ins(plane: ControlPlane, owner: Admin, outcome: str) -> list[dict[str, Any]]:
    await plane.services.audit_queue.write_behind()
    return [entry for entry in await audit_of(owner, "sign-in") if entry["outcome"] == outcome]


async def hash_of(plane: ControlPlane, username: str) -> str:
    async with plane.services.database.read() as db:
        user = await accounts.find(db, username)
    assert user
    return user.password_hash
