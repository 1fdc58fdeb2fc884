"""`streamgate event` and `streamgate ticket`: the rules of the API from a shell, on a home's database."""

import io
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from control_plane.ops.home import read_environment
from control_plane.tickets import ticket_search
from tests.support.clients.api import UNKNOWN_ID
from tests.support.data.rows import contents
from tests.support.services.command import Streamgate
from tests.support.services.home import new_home

NOW = datetime.now(UTC)
STARTS, ENDS = (NOW - timedelta(hours=1)).isoformat(), (NOW + timedelta(hours=5)).isoformat()


@pytest.fixture
def streamgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamgate:
    return Streamgate(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on each database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    new_home(tmp_path / "home")
    monkeypatch.delenv("DATABASE_URL")
    return tmp_path / "home"


@pytest.fixture
def event(streamgate: Streamgate, home: Path) -> str:
    return new_event(streamgate, home)


def new_event(streamgate: Streamgate, home: Path, title: str = "Concert", *options: str) -> str:
    times = "--starts-at", STARTS, "--ends-at", ENDS
    said = streamgate("event", "create", "--home", home, "--title", title, *times, *options)
    assert said.code == 0, said.err
    return said.out.strip()


def codes(streamgate: Streamgate, home: Path, event: str, count: int = 1) -> list[str]:
    return streamgate("ticket", "generate", event, "--home", home, "--count", count).out.split()


def rows(streamgate: Streamgate, home: Path, *options: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(streamgate("ticket", "list", "--home", home, "--json", *options).out)[
        "data"
    ]
    return listed


def statuses(streamgate: Streamgate, home: Path) -> dict[str, str]:
    return {row["code"]: row["status"] for row in rows(streamgate, home)}


def test_an_event_is_created_listed_and_deactivated(streamgate: Streamgate, home: Path) -> None:
    created = new_event(streamgate, home, "Concert", "--max-devices", "2", "--session-policy", "takeover")
    listed = json.loads(streamgate("event", "list", "--home", home, "--json").out)
    assert listed["pagination"]["total"] == 1
    [shown] = listed["data"]
    assert (shown["id"], shown["title"], shown["maxDevices"], shown["sessionPolicy"]) == (
        created,
        "Concert",
        2,
        "takeover",
    )
    assert shown["isActive"]

    said = streamgate("event", "deactivate", created, "--home", home)
    assert (said.code, said.out) == (0, f"{created} is deactivated.\n")
    assert "no" in streamgate("event", "list", "--home", home).out.splitlines()[1].split()


def test_every_invalid_option_has_its_line_and_the_exit_code_is_2(streamgate: Streamgate, home: Path) -> None:
    times = "--starts-at", "2027-01-01T20:00", "--ends-at", "soon"
    said = streamgate("event", "create", "--home", home, "--title", " ", *times, "--max-devices", "11")
    assert said.code == 2
    lines = said.err.removeprefix("streamgate: ").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["--title", "--starts-at", "--ends-at", "--max-devices"]
    assert json.loads(streamgate("event", "list", "--home", home, "--json").out)["data"] == []


def test_an_event_that_ends_before_it_starts_is_refused(streamgate: Streamgate, home: Path) -> None:
    times = "--starts-at", ENDS, "--ends-at", STARTS
    said = streamgate("event", "create", "--home", home, "--title", "Backwards", *times)
    assert said.code == 2
    assert "later than" in said.err


def test_an_id_that_is_taken_is_refused(streamgate: Streamgate, home: Path, event: str) -> None:
    times = "--starts-at", STARTS, "--ends-at", ENDS
    said = streamgate("event", "create", "--home", home, "--title", "Again", *times, "--id", event)
    assert (said.code, said.err) == (1, "streamgate: An event with this id already exists.\n")


def test_generated_codes_are_printed_one_per_line_and_listed(streamgate: Streamgate, home: Path, event: str) -> None:
    made = streamgate("ticket", "generate", event, "--home", home, "--count", 3, "--label", "Press").out.splitlines()
    assert len(set(made)) == 3
    assert {row["code"] for row in rows(streamgate, home)} == set(made)
    assert {row["label"] for row in rows(streamgate, home)} == {"Press"}
    other = new_event(streamgate, home, "Other")
    [code] = codes(streamgate, home, other)
    assert [row["code"] for row in rows(streamgate, home, "--event", other)] == [code]
    assert [row["code"] for row in rows(streamgate, home, "--search", made[0][2:9])] == [made[0]]
    assert rows(streamgate, home, "--status", "redeemed") == []


def test_a_list_says_if_a_search_was_incomplete(
    streamgate: Streamgate, home: Path, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamgate("ticket", "generate", event, "--home", home, "--count", 30, "--label", "Guest")
    search = "ticket", "list", "--home", home, "--search", "guest"
    assert (streamgate(*search).err, json.loads(streamgate(*search, "--json").out)["note"]) == ("", None)
    monkeypatch.setattr(ticket_search, "MOST", 20)
    said = streamgate(*search)
    assert said.code == 0
    assert said.err.startswith("More tickets may match")
    assert said.err.strip() not in said.out
    found = json.loads(streamgate(*search, "--json").out)
    assert (found["pagination"]["total"], found["note"]) == (20, said.err.strip())
    assert streamgate("ticket", "list", "--home", home).err == ""


def test_a_long_list_says_that_there_is_more(streamgate: Streamgate, home: Path, event: str) -> None:
    codes(streamgate, home, event, 5)
    first = streamgate("ticket", "list", "--home", home, "--limit", 2).out.splitlines()
    assert first[0].split()[:2] == ["CODE", "STATUS"]
    assert first[-1] == "2 of 5; --page 2 shows more."
    last = streamgate("ticket", "list", "--home", home, "--limit", 2, "--page", 3).out.splitlines()
    assert len(last) == 2


def test_a_table_contains_no_control_sequences(streamgate: Streamgate, home: Path, event: str) -> None:
    streamgate("ticket", "generate", event, "--home", home, "--count", 1, "--label", "\x1b[2Jgone\n")
    printed = streamgate("ticket", "list", "--home", home).out
    assert "\x1b" not in printed
    assert len(printed.splitlines()) == 2


def test_csv_output_equals_the_consoles_export(streamgate: Streamgate, home: Path) -> None:
    event = new_event(streamgate, home, "=1+1")
    arguments = "ticket", "generate", event, "--home", home, "--count", 2, "--label", 'The "Press", all', "--csv"
    lines = streamgate(*arguments).out.splitlines()
    assert lines[0] == "Code,Event Title,Expires At,Label,Status"
    assert len(lines) == 3
    assert lines[1].endswith(',"The ""Press"", all",unused')
    assert ",=1+1," not in lines[1]


@pytest.mark.parametrize("count", ["0", "1001"])
def test_an_impossible_count_is_refused(streamgate: Streamgate, home: Path, event: str, count: str) -> None:
    said = streamgate("ticket", "generate", event, "--home", home, "--count", count)
    assert said.code == 2
    assert said.err.startswith("streamgate: --count: ")
    assert rows(streamgate, home) == []


def test_tickets_of_no_event_are_refused(streamgate: Streamgate, home: Path) -> None:
    said = streamgate("ticket", "generate", UNKNOWN_ID, "--home", home, "--count", 1)
    assert (said.code, said.err) == (1, "streamgate: There is no event with this id.\n")


def test_several_tickets_are_revoked_and_restored_by_code_or_id(streamgate: Streamgate, home: Path, event: str) -> None:
    one, two, three = codes(streamgate, home, event, 3)
    ids = {row["code"]: row["id"] for row in rows(streamgate, home)}
    said = streamgate("ticket", "revoke", one, ids[two], one, "--home", home)
    assert (said.code, said.out) == (0, "Revoked 2 tickets.\n")
    assert statuses(streamgate, home) == {one: "revoked", two: "revoked", three: "unused"}

    answer = json.loads(streamgate("ticket", "unrevoke", two, "--home", home, "--json").out)
    assert [row["code"] for row in answer["data"]] == [two]
    assert answer["revocation"].endswith(".3")
    assert statuses(streamgate, home) == {one: "revoked", two: "unused", three: "unused"}


def test_a_ticket_is_found_by_any_spelling_of_its_code(streamgate: Streamgate, home: Path, event: str) -> None:
    [code] = codes(streamgate, home, event)
    for name in (f"{code[:4]}-{code[4:]}", code.lower(), f"https://tickets.example/#{code}", f"Code: {code}."):
        assert streamgate("ticket", "revoke", name, "--home", home).out == "Revoked 1 ticket.\n"
        assert streamgate("ticket", "unrevoke", name, "--home", home).code == 0
    assert streamgate("ticket", "revoke", "--home", home, "--", "?").code == 1


def test_one_unknown_ticket_prevents_all_revocations_and_no_code_is_repeated(
    streamgate: Streamgate, home: Path, event: str
) -> None:
    [code] = codes(streamgate, home, event)
    for unknown in ("Abcdefgh1234", UNKNOWN_ID, "--", "' OR 1=1"):
        said = streamgate("ticket", "revoke", "--home", home, "--", code, unknown)
        assert said.code == 1
        assert said.err == "streamgate: Nothing was changed: number 2 of 2 is not the code or id of a ticket.\n"
    assert statuses(streamgate, home) == {code: "unused"}


def test_tickets_can_be_named_on_standard_input(
    streamgate: Streamgate, home: Path, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = codes(streamgate, home, event, 2)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*made, ""])))
    assert streamgate("ticket", "revoke", "-", "--home", home).out == "Revoked 2 tickets.\n"
    said = streamgate("ticket", "revoke", "-", "--home", home)
    assert said.code == 2
    assert "Standard input" in said.err


def test_an_expired_ticket_is_not_restored(streamgate: Streamgate, home: Path) -> None:
    times = "--starts-at", "2020-01-01T00:00Z", "--ends-at", "2020-01-01T01:00Z"
    event = streamgate("event", "create", "--home", home, "--title", "Past", *times).out.strip()
    [code] = codes(streamgate, home, event)
    streamgate("ticket", "revoke", code, "--home", home)
    said = streamgate("ticket", "unrevoke", code, "--home", home)
    assert (said.code, said.err) == (1, "streamgate: This ticket has expired; un-revoking it would have no effect.\n")


def test_a_commands_actions_are_in_the_audit_log_of_each_ticket(
    streamgate: Streamgate, home: Path, event: str, database_url: str
) -> None:
    made = codes(streamgate, home, event, 2)
    ids = {row["id"] for row in rows(streamgate, home)}
    streamgate("ticket", "revoke", *made, "--home", home)
    entries = anyio.run(contents, database_url)["audit_entry"]
    told = [(entry[2], entry[5], entry[6]) for entry in entries]
    assert told[:2] == [("command", "event.create", "ok"), ("command", "ticket.generate", "ok")]
    assert told[2:] == [("command", "ticket.revoke", "ok")] * 2
    assert {entry[9] for entry in entries[2:]} == ids
    assert not any(code in str(entries) for code in made)


def test_commands_work_from_the_environment_alone(
    streamgate: Streamgate, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: settings are environment variables, and the folder has no `.env`."""
    for name, value in read_environment(home).items():
        monkeypatch.setenv(name, value)
    bare = tmp_path / "bare"
    event = new_event(streamgate, bare)
    [code] = codes(streamgate, bare, event)
    assert streamgate("ticket", "revoke", code, "--home", bare).code == 0
    assert code in streamgate("ticket", "list", "--home", bare).out
    assert streamgate("key", "rotate", "--home", bare).code == 0
    assert streamgate("key", "rotate", "--home", bare, "--keep", 1).code == 0
    assert streamgate("backup", tmp_path / "backup", "--home", bare).code == 0
    assert streamgate("restore", tmp_path / "backup", "--home", bare, "--force").code == 0
    assert "settings: " in streamgate("doctor", "--home", bare).out
    assert not (bare / ".env").exists()


def test_a_folder_that_is_not_a_home_is_reported(streamgate: Streamgate, tmp_path: Path) -> None:
    said = streamgate("ticket", "list", "--home", tmp_path)
    assert said.code == 1
    assert "streamgate init" in said.err


def test_an_older_schema_is_reported(streamgate: Streamgate, tmp_path: Path) -> None:
    new_home(tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "streamgate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    said = streamgate("ticket", "list", "--home", tmp_path / "home")
    assert (said.code, "streamgate migrate" in said.err) == (1, True)


def test_an_unreachable_database_is_reported_in_one_sentence(streamgate: Streamgate, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql+psycopg://user:hidden@127.0.0.1:1/streamgate\n")
    said = streamgate("ticket", "list", "--home", tmp_path)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("streamgate: The database cannot be used: ")
    assert "hidden" not in said.err
