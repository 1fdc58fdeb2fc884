"""The set-up link: it creates the first owner, once, and its token appears in no log, URL or readable file."""

import asyncio
import re
import stat
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from control_plane.accounts import accounts, admin_users, setup_link
from control_plane.cli import setup_link as setup_command
from control_plane.clock import utc_now
from control_plane.errors import Conflict, OperatorError, SetupLinkUnusable
from control_plane.ops.home import create_home
from control_plane.settings import Settings
from tests.support.clients.api import Admin, ControlPlane, cookies_of, make_settings, running
from tests.support.clients.staff import audit_of
from tests.support.services.ports import free_port
from tests.support.threads import in_thread

pytestmark = pytest.mark.anyio
PASSWORD = "a long enough password"
FORM = {"username": "Anna", "password": PASSWORD, "passwordAgain": PASSWORD}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "setup-link"


@pytest.fixture
def settings(database_url: str, file: Path) -> Settings:
    return make_settings(
        database_url,
        admin_password_hash=None,
        setup_link_file=file,
        platform_app_url="http://tickets.example",
    )


def mode_of(file: Path) -> int | None:
    """Return the permissions of the file, or None if there is none."""
    return stat.S_IMODE(file.stat().st_mode) if file.exists() else None


def token_in(file: Path) -> str:
    origin, _, token = file.read_text().strip().partition("#")
    assert origin == "http://tickets.example/admin/setup"
    return token


async def set_up(plane: ControlPlane, token: str, address: str = "192.0.2.10", **values: str) -> httpx2.Response:
    async with plane.browser(address) as http:
        return await http.post("/admin/setup", data=FORM | {"token": token} | values)


def messages(page: str) -> dict[str, str]:
    """Return the message below each field."""
    found: list[tuple[str, str]] = re.findall(r'id="(\w+)-error">(?:<svg.*?</svg>)?([^<]*)</p>', page, re.DOTALL)
    return dict(found)


async def test_the_link_creates_the_first_owner_and_signs_them_in(settings: Settings, file: Path) -> None:
    async with running(settings) as plane, plane.browser() as http:
        assert mode_of(file) == 0o600
        assert (await http.get("/admin/setup")).status_code == 200
        assert "streamgate setup-link" in (await http.get("/admin/login")).text
        answer = await http.post("/admin/setup", data=FORM | {"token": token_in(file)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin?done=set-up")
        assert cookies_of(answer)["sg_admin"]["httponly"]
        owner = Admin(http)
        assert (await http.get("/api/admin/session")).json()["data"] == {"username": "anna", "role": "owner"}
        assert mode_of(file) is None
        assert "streamgate setup-link" not in (await http.get("/admin/login")).text
        assert (await owner.sign_in(PASSWORD, username="anna")).status_code == 200
        [entry] = await audit_of(owner, "user.create")
        [offered] = await audit_of(owner, "setup-link.create")
    assert (offered["actorKind"], offered["outcome"]) == ("system", "ok")
    assert (entry["actor"], entry["outcome"], entry["detail"]["by"]) == ("anna", "ok", "set-up link")


async def test_the_page_is_gone_after_the_first_account(settings: Settings, file: Path) -> None:
    async with running(settings) as plane, plane.browser() as http:
        token = token_in(file)
        assert (await set_up(plane, token)).status_code == 303
        assert (await http.get("/admin/setup")).status_code == 404
        again = await set_up(plane, token, username="mallory")
        assert again.status_code == 409
        assert "An account already exists. Please sign in." in again.text
        assert "set-cookie" not in again.headers


async def test_of_many_simultaneous_requests_one_becomes_the_owner(settings: Settings, file: Path) -> None:
    async with running(settings) as plane:
        token = token_in(file)
        tries = [set_up(plane, token, f"192.0.2.{number}", username=f"user{number}") for number in range(8)]
        statuses = [answer.status_code for answer in await asyncio.gather(*tries)]
        assert sorted(statuses) == [303] + [409] * 7
        async with plane.services.database.read() as db:
            users, total = await admin_users.page(db, 0, 10)
    assert (total, users[0].role) == (1, "owner")


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"token": "wrong"}, "token", SetupLinkUnusable.sentence),
        ({"token": ""}, "token", "Please open the set-up link again, or paste the part after its #."),
        ({"password": "short", "passwordAgain": "short"}, "password", "At least 12 characters, please."),
        ({"passwordAgain": "another password"}, "passwordAgain", "The passwords do not match."),
        (
            {"username": "an na"},
            "username",
            "Use only letters, digits and . _ @ + -, and start with a letter or digit.",
        ),
    ],
)
async def test_errors_are_reported_and_nothing_is_created(
    settings: Settings, file: Path, values: dict[str, str], field: str, sentence: str
) -> None:
    async with running(settings) as plane:
        answer = await set_up(plane, **{"token": token_in(file)} | values)
        assert answer.status_code == (403 if values.get("token") else 422)
        shown = {name: text.replace("&#39;", "'") for name, text in messages(answer.text).items()}
        assert {name: text.replace("`", "") for name, text in shown.items()} == {field: sentence.replace("`", "")}
        assert PASSWORD not in answer.text
        assert mode_of(file) == 0o600
        async with plane.services.database.read() as db:
            assert not await accounts.has_any(db)


async def test_guesses_of_the_token_are_limited(settings: Settings) -> None:
    async with running(settings) as plane:
        answers = [await set_up(plane, "wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_each_start_offers_a_new_link_and_a_day_old_one_is_invalid(settings: Settings, file: Path) -> None:
    tokens = []
    for _ in range(2):
        async with running(settings) as plane:
            tokens.append(token_in(file))
    now = utc_now()
    assert tokens[0] != tokens[1]
    async with running(settings) as plane, plane.services.database.read() as db:
        for token in tokens:
            await setup_link.check(db, token, now + timedelta(hours=23))
            with pytest.raises(SetupLinkUnusable):
                await setup_link.check(db, token, now + timedelta(hours=24))


async def test_with_an_account_no_link_is_offered_and_an_old_file_is_removed(
    database_url: str, settings: Settings, file: Path
) -> None:
    async with running(settings):
        token = token_in(file)
    async with running(make_settings(database_url, setup_link_file=file)) as plane:
        assert mode_of(file) is None
        assert (await set_up(plane, token)).status_code == 409


async def test_only_the_path_of_the_file_is_logged(
    settings: Settings, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(settings) as plane:
        token = token_in(file)
        await set_up(plane, token, password="x", passwordAgain="x")
        await set_up(plane, token)
    logged = "".join(capsys.readouterr())
    assert str(file) in logged
    assert token not in logged
    assert PASSWORD not in logged


async def test_without_a_file_there_is_no_link_and_a_log_message(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(make_settings(database_url, admin_password_hash=None)) as plane:
        assert (await set_up(plane, "anything")).status_code == 403
    assert "no_account" in capsys.readouterr().out


async def test_an_unwritable_file_does_not_prevent_the_start(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"setup_link_file": tmp_path / "missing" / "setup-link"})
    async with running(nowhere) as plane, plane.browser() as http:
        assert (await http.get("/admin/setup")).status_code == 200


def test_the_command_prints_a_link_while_there_is_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "ADMIN_PASSWORD_HASH", "PLATFORM_APP_URL", "STREAM_ROOT"):
        monkeypatch.delenv(name, raising=False)
    home, port = tmp_path / "home", free_port()
    in_thread(lambda: create_home(home, None, port))
    assert "ADMIN_PASSWORD_HASH=''" in (home / ".env").read_text()
    first, second = (in_thread(lambda: setup_command.create_link(home)) for _ in range(2))
    assert first.startswith(f"http://127.0.0.1:{port}/admin/setup#")
    assert first != second

    async def use(token: str) -> list[tuple[str, str]]:
        url = f"sqlite+aiosqlite:///{home}/streamgate.db"
        async with running(make_settings(url, admin_password_hash=None)) as plane, plane.browser() as http:
            assert (await http.post("/admin/setup", data=FORM | {"token": token})).status_code == 303
            return [
                (entry["actorKind"], entry["outcome"]) for entry in await audit_of(Admin(http), "setup-link.create")
            ]

    assert in_thread(lambda: asyncio.run(use(second.partition("#")[2]))) == [("command", "ok")] * 2
    with pytest.raises(OperatorError, match="An account already exists"):
        in_thread(lambda: setup_command.create_link(home))


@pytest.mark.parametrize(("is_terminal", "is_shown"), [(True, True), (False, False)])
def test_up_shows_the_link_to_a_terminal_only(tmp_path: Path, *, is_terminal: bool, is_shown: bool) -> None:
    assert setup_command.hint(tmp_path, is_terminal=is_terminal) is None
    (tmp_path / "setup-link").write_text("http://127.0.0.1:8080/admin/setup#secret\n")
    hint = setup_command.hint(tmp_path, is_terminal=is_terminal)
    assert hint
    assert ("#secret" in hint) is is_shown
    assert (str(tmp_path / "setup-link") in hint) is not is_shown


async def test_no_link_is_created_if_there_is_an_account(plane: ControlPlane) -> None:
    async with plane.services.database.write() as db:
        with pytest.raises(Conflict):
            await setup_link.make(db, utc_now())
