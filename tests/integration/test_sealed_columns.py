"""Secrets are sealed in the database: a copy reveals none, and each start reseals them with the current key."""

from pathlib import Path

import pytest
from anyio import to_thread
from sqlalchemy import delete, select, text, update

from control_plane.db.database import Database, DatabaseUnusable, upgrade_schema
from control_plane.db.sealing import Sealer
from control_plane.lifecycle import lost_secrets
from control_plane.sealed_columns import seal_all
from control_plane.tables import AdminUser, RecoveryCode, Webhook
from tests.support.clients.api import SEALER, SECRETS_KEY, Admin, ControlPlane, make_settings, running
from tests.support.clients.staff import code_now, use_codes
from tests.support.services.server import ControlPlaneProcess
from tests.support.threads import in_thread
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
OTHER_KEY = "quite another key that is long enough too"
HOOK = {"url": "https://hooks.example.org/", "topics": ["ticket.revoked"]}


async def stored(url: str) -> dict[str, str]:
    """Return the secrets as stored in the database."""
    database = Database(url)
    async with database.read() as db:
        totp, hook = await db.scalar(select(AdminUser.totp_secret)), await db.scalar(select(Webhook.secret))
    await database.close()
    assert totp
    assert hook
    return {"totp": totp, "hook": hook}


async def make_secrets(plane: ControlPlane) -> dict[str, str]:
    """Switch authentication codes on and add a webhook; return both secrets."""
    async with plane.browser() as http:
        owner = Admin(http)
        await owner.sign_in()
        hook = (await owner.http.post("/api/admin/webhooks", json=HOOK)).json()["data"]["secret"]
        totp, _ = await use_codes(owner)
    return {"totp": totp, "hook": hook}


async def test_stored_secrets_are_sealed_and_work_as_before(plane: ControlPlane, database_url: str) -> None:
    secrets = await make_secrets(plane)
    found = await stored(database_url)
    assert {name: SEALER.open(value) for name, value in found.items()} == secrets
    assert not [name for name in secrets if secrets[name] in found[name]]
    async with plane.browser("192.0.2.77") as http:
        assert (await Admin(http).sign_in(totp="000000")).status_code == 401
        assert (await Admin(http).sign_in(totp=code_now(secrets["totp"], 1))).status_code == 200


async def test_a_start_seals_unsealed_secrets_and_those_sealed_with_an_older_key(
    plane: ControlPlane, database_url: str
) -> None:
    secrets = await make_secrets(plane)
    async with plane.services.database.write() as db:
        await db.execute(update(AdminUser).values(totp_secret=secrets["totp"]))
        await db.execute(update(Webhook).values(secret=secrets["hook"]))
    assert in_thread(lambda: seal_all(database_url, SEALER)) == 0
    assert {name: SEALER.open(value) for name, value in (await stored(database_url)).items()} == secrets
    assert not set(secrets.values()) & set((await stored(database_url)).values())
    assert in_thread(lambda: seal_all(database_url, Sealer([OTHER_KEY, SECRETS_KEY]))) == 0
    other = Sealer([OTHER_KEY])
    assert {name: other.open(value) for name, value in (await stored(database_url)).items()} == secrets
    before = await stored(database_url)
    assert in_thread(lambda: seal_all(database_url, other)) == 0
    assert await stored(database_url) == before


@pytest.mark.parametrize("keys", [[], [OTHER_KEY]])
async def test_a_wrong_key_changes_nothing(plane: ControlPlane, database_url: str, keys: list[str]) -> None:
    await make_secrets(plane)
    in_thread(lambda: seal_all(database_url, SEALER))
    before = await stored(database_url)
    with pytest.raises(DatabaseUnusable, match="SECRETS_KEY is missing or is not the key"):
        in_thread(lambda: seal_all(database_url, Sealer(keys)))
    assert await stored(database_url) == before


async def test_a_damaged_value_does_not_affect_others(plane: ControlPlane, database_url: str) -> None:
    async with plane.browser("192.0.2.77") as http:
        owner = Admin(http)
        await owner.sign_in()
        await owner.http.post("/api/admin/webhooks", json=HOOK)
        secret, recovery_codes = await use_codes(owner)
        async with plane.services.database.write() as db:
            await db.execute(update(AdminUser).values(totp_secret="sealed:nonsense"))
        assert in_thread(lambda: seal_all(database_url, SEALER)) == 1
        assert (await owner.sign_in(totp=code_now(secret, 1))).status_code == 401
        assert (await owner.sign_in(totp=recovery_codes[0])).status_code == 200


async def test_without_a_key_no_secret_is_stored_and_the_reason_is_reported(database_url: str) -> None:
    settings = make_settings(database_url, secrets_key=None)
    async with running(settings) as plane, plane.browser() as http:
        owner = Admin(http)
        await owner.sign_in()
        answer = await owner.http.post("/api/admin/webhooks", json=HOOK)
        assert (answer.status_code, "SECRETS_KEY is not set" in answer.json()["error"]) == (409, True)
        assert (await owner.list("/webhooks"))["data"] == []


def test_a_service_with_another_key_does_not_start_and_reports_why(tmp_path: Path, database_url: str) -> None:
    with ControlPlaneProcess(tmp_path, database_url):
        pass
    another = ControlPlaneProcess(tmp_path, database_url, name="another", SECRETS_KEY=OTHER_KEY)
    another.start()
    eventually(lambda: "SECRETS_KEY" in another.service.printed(), within=30)
    another.service.stop()
    assert "SECRETS_KEY is missing or is not the key" in another.service.printed()
    assert "Traceback" not in another.service.printed()
    assert OTHER_KEY not in another.service.printed()


def modes_in(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.mark.parametrize("has_recovery_codes", [True, False])
async def test_secrets_with_a_lost_key_are_replaced_and_second_factors_stay_required(
    plane: ControlPlane, database_url: str, *, has_recovery_codes: bool
) -> None:
    await make_secrets(plane)
    fresh = Database(database_url, Sealer([OTHER_KEY]))
    async with fresh.write() as db:
        if not has_recovery_codes:
            await db.execute(delete(RecoveryCode))
        lost = await lost_secrets.replace(db)
    assert lost == (1, 0 if has_recovery_codes else 1, 1, 0)
    async with fresh.read() as db:
        assert (await lost_secrets.count(db)).total == 0
        totp = await db.scalar(select(AdminUser.totp_secret))
        assert await db.scalar(select(Webhook.is_active)) is False
    await fresh.close()
    assert (totp is not None) is has_recovery_codes
    await to_thread.run_sync(seal_all, database_url, Sealer([OTHER_KEY]))
    async with running(make_settings(database_url, secrets_key=OTHER_KEY)) as again, again.browser() as http:
        assert (await Admin(http).sign_in()).status_code == (401 if has_recovery_codes else 200)


async def test_a_new_database_file_is_accessible_to_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "open to all"
    in_thread(lambda: folder.mkdir(mode=0o755))
    url = f"sqlite+aiosqlite:///{folder}/new.db"
    in_thread(lambda: upgrade_schema(url))
    database = Database(url)
    async with database.write() as db:
        await db.execute(text("UPDATE feed_epoch SET epoch = 'x'"))
        assert modes_in(folder) == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)
    await database.close()
