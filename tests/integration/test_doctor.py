"""`streamgate doctor`: a home in order has no error, and each thing that is wrong is named with its fix."""

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from control_plane.running.home import create_home
from tests.support.certificates import certificate
from tests.support.command import Streamgate
from tests.support.origin import Origin, Reply
from tests.support.stack import free_port

EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"
EMPTY_PACKET = b"\x47\x1f\xff\x10".ljust(188, b"\xff")  # of a transport stream
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}.ts\n"


class Told(NamedTuple):
    level: str
    about: str
    what: str
    fix: str


Doctor = Callable[[], list[Told]]


@pytest.fixture
def streamgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamgate:
    return Streamgate(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_home(tmp_path / "home", "secret", free_port())
    return tmp_path / "home"


@pytest.fixture
def doctor(streamgate: Streamgate, home: Path) -> Doctor:
    def examine() -> list[Told]:
        said = streamgate("doctor", "--home", home, "--json")
        findings = [Told(**finding) for finding in json.loads(said.out)["data"]]
        assert said.code == any(finding.level == "error" for finding in findings)
        assert all(finding.fix for finding in findings if finding.level != "ok")
        return findings

    return examine


@pytest.fixture
def folder(streamgate: Streamgate, home: Path) -> Path:
    """Give the folder of an event that is on, with a playlist in it."""
    add_event(streamgate, home)
    folder = home / "streams" / EVENT_ID
    folder.mkdir()
    (folder / "stream.m3u8").write_text(PLAYLIST.format(0) + "#EXT-X-ENDLIST\n")
    (folder / "0.ts").write_bytes(EMPTY_PACKET * 3)
    return folder


def add_event(streamgate: Streamgate, home: Path, starts_in: timedelta = timedelta(hours=-1)) -> None:
    starts = datetime.now(UTC) + starts_in
    times = "--starts-at", starts.isoformat(), "--ends-at", (starts + timedelta(hours=5)).isoformat()
    assert streamgate("event", "create", "--home", home, "--title", "On", "--id", EVENT_ID, *times).code == 0


def add_settings(home: Path, **settings: str) -> None:
    with (home / ".env").open("a") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in settings.items())


def wrong(findings: list[Told], about: str) -> Told:
    """Give the finding about a thing, of which there must be one that is not well."""
    found = [finding for finding in findings if finding.about == about and finding.level != "ok"]
    assert len(found) == 1, findings
    return found[0]


def test_a_home_in_order_has_no_error(doctor: Doctor, folder: Path) -> None:
    findings = doctor()
    assert [finding for finding in findings if finding.level == "error"] == []
    about = {finding.about for finding in findings if finding.level == "ok"}
    assert {"settings", "nginx", "database", "accounts", f"stream {folder.name}"} <= about


def test_people_read_a_line_and_the_mend_below_it(streamgate: Streamgate, home: Path) -> None:
    (home / ".env").chmod(0o644)
    said = streamgate("doctor", "--home", home)
    assert said.code == 1
    assert f"error   {home}/.env: Open to everybody (mode 644), and it holds secrets.\n" in said.out
    assert f"        -> chmod 600 {home}/.env\n" in said.out


def test_it_changes_nothing(doctor: Doctor, home: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        found = (path for path in home.rglob("*") if "streamgate.db" not in path.name)
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = everything()
    doctor()
    assert everything() == before


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PLAYBACK_TOKEN_SECONDS", "soon", "PLAYBACK_TOKEN_SECONDS: "),
        ("INTERNAL_API_KEY", "short", "INTERNAL_API_KEY: "),
        ("ADMIN_PASSWORD_HASH", "plain text", "ADMIN_PASSWORD_HASH: must be an argon2id hash"),
        ("EDGE_NAME", "no spaces", "EDGE_NAME: "),
        ("REVOCATION_MAX_STALE_SECONDS", "0", "REVOCATION_MAX_STALE_SECONDS: "),
        ("TRUSTED_PROXIES", "everybody", "TRUSTED_PROXIES: "),
        ("CORS_ALLOWED_ORIGIN", "*", "CORS_ALLOWED_ORIGIN: "),
        ("PORT", "http", "PORT must be a number"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error(
    doctor: Doctor, home: Path, name: str, value: str, sentence: str
) -> None:
    add_settings(home, **{name: value})
    finding = wrong(doctor(), "settings")
    assert finding.level == "error"
    assert finding.what.startswith(sentence)


def test_secrets_that_are_easy_to_guess_or_the_same_are_named_and_not_shown(doctor: Doctor, home: Path) -> None:
    add_settings(home, PLAYBACK_SIGNING_SECRET="abcabc" * 8, INTERNAL_API_KEY="abcabc" * 8)
    findings = [finding for finding in doctor() if finding.about == "secrets"]
    assert {finding.level for finding in findings} == {"warning"}
    assert len(findings) == 3
    assert "abcabc" not in str(findings)


def test_a_key_file_for_the_whole_group_is_a_warning(streamgate: Streamgate, doctor: Doctor, home: Path) -> None:
    streamgate("key", "rotate", "--home", home)
    (home / "keys" / "playback.json").chmod(0o640)
    assert wrong(doctor(), f"{home}/keys/playback.json").level == "warning"


def test_a_port_that_another_program_holds_is_an_error(doctor: Doctor, home: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        add_settings(home, PORT=str(silent.getsockname()[1]))
        assert wrong(doctor(), f"port {silent.getsockname()[1]}").level == "error"


def test_another_web_server_at_the_port_is_not_taken_for_ours(doctor: Doctor, home: Path) -> None:
    with answering() as port:
        add_settings(home, PORT=str(port))
        assert wrong(doctor(), f"port {port}").what == "Another program answers there."


def test_an_origin_is_asked_and_its_clock_compared(doctor: Doctor, home: Path) -> None:
    with answering(clock=datetime(2020, 1, 1, tzinfo=UTC)) as port:
        add_settings(home, UPSTREAM_ORIGIN=f"http://127.0.0.1:{port}")
        assert "differs from the origin's" in wrong([each for each in doctor() if "origin" in each.what], "clock").what
    assert wrong(doctor(), "origin").level == "error"


@pytest.mark.parametrize(
    ("reply", "level", "says"),
    [
        (
            Reply(302, b"", {"Location": "/hls/?cookieCheck=1&session=hunter2"}),
            "warning",
            "302 to /hls/?cookieCheck=...",
        ),
        (Reply(401), "warning", "answers 401."),
        (Reply(503), "warning", "answers 503."),
        (Reply(404), "ok", "answers (404)."),
    ],
)
def test_an_origin_is_quoted_with_what_it_answers(
    doctor: Doctor, home: Path, reply: Reply, level: str, says: str
) -> None:
    origin = Origin(replies={"/hls/": reply})
    origin.start()
    add_settings(home, UPSTREAM_ORIGIN=origin.url)
    try:
        [found] = [each for each in doctor() if each.about == "origin"]
    finally:
        origin.stop()
    assert found.level == level
    assert says in found.what
    assert "hunter2" not in found.what


def test_an_origin_is_shown_what_it_wants_and_says_why_it_gives_no_answer(doctor: Doctor, home: Path) -> None:
    origin = Origin(replies={"/hls/": Reply(404)})
    origin.start()
    settings = {"UPSTREAM_ORIGIN_HEADER": "X-Key: hunter2", "UPSTREAM_ORIGIN_QUERY": "sign=a%20b"}
    add_settings(home, UPSTREAM_ORIGIN=origin.url, **settings)
    doctor()
    origin.stop()
    [asked] = origin.asked
    assert (asked.headers["x-key"], asked.target) == ("hunter2", "/hls/?sign=a%20b")
    found = wrong(doctor(), "origin")
    assert (found.level, found.what) == ("error", "UPSTREAM_ORIGIN does not answer: connection refused.")
    add_settings(home, UPSTREAM_ORIGIN="http://no-such-host.invalid")
    assert "the name of its host is not known" in wrong(doctor(), "origin").what


def test_an_origin_whose_certificate_nobody_trusts_is_told_so(doctor: Doctor, home: Path, tmp_path: Path) -> None:
    origin = Origin(certificate=certificate(tmp_path, "localhost"))
    origin.start()
    add_settings(home, UPSTREAM_ORIGIN=origin.url)
    try:
        assert "the certificate is not trusted: self" in wrong(doctor(), "origin").what
    finally:
        origin.stop()


def test_a_cache_that_may_fill_the_databases_disk_is_a_warning(doctor: Doctor, home: Path) -> None:
    add_settings(home, UPSTREAM_ORIGIN="http://127.0.0.1:9", SEGMENT_CACHE_MAX_SIZE_GB="90000")
    assert "90000 GB" in wrong(doctor(), "cache").what
    add_settings(home, SEGMENT_CACHE_MAX_SIZE_GB="1")
    assert not [each for each in doctor() if each.about == "cache"]


def test_a_database_that_is_missing_is_an_error(doctor: Doctor, home: Path) -> None:
    (home / "streamgate.db").unlink()
    assert "no database" in wrong(doctor(), "database").what
    assert not (home / "streamgate.db").exists()


def test_an_older_schema_is_an_error(doctor: Doctor, home: Path) -> None:
    change(home, "UPDATE alembic_version SET version_num = '0001'")
    assert "migrate" in wrong(doctor(), "database").what


def test_nobody_who_may_sign_in_is_found(doctor: Doctor, home: Path) -> None:
    add_settings(home, ADMIN_PASSWORD_HASH="")
    change(
        home,
        "INSERT INTO admin_user (id, username, password_hash, role, is_active, created_at) "
        "VALUES ('1', 'admin', 'hash', 'owner', 0, '2027-01-15 12:00:00')",
    )
    findings = doctor()
    assert wrong(findings, "accounts").level == "error"


def test_an_event_that_is_on_without_its_folder_is_an_error_and_a_later_one_a_warning(
    streamgate: Streamgate, doctor: Doctor, home: Path
) -> None:
    add_event(streamgate, home)
    assert wrong(doctor(), f"stream {EVENT_ID}").level == "error"
    change(home, "UPDATE event SET starts_at = '2090-01-01 12:00:00', ends_at = '2090-01-01 14:00:00'")
    assert wrong(doctor(), f"stream {EVENT_ID}").level == "warning"


def test_a_closed_event_needs_no_stream(streamgate: Streamgate, doctor: Doctor, home: Path) -> None:
    add_event(streamgate, home)
    streamgate("event", "deactivate", EVENT_ID, "--home", home)
    assert [finding for finding in doctor() if finding.about.startswith("stream ")] == []


def test_a_folder_without_the_playlist_is_an_error(doctor: Doctor, folder: Path) -> None:
    (folder / "stream.m3u8").rename(folder / "index.m3u8")
    assert "no stream.m3u8" in wrong(doctor(), f"stream {EVENT_ID}").what


def test_each_file_that_would_not_play_is_named_with_its_reason(doctor: Doctor, folder: Path) -> None:
    variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    playlist = PLAYLIST.format("segment 1") + "#EXT-X-ENDLIST\n"
    (folder / "stream.m3u8").write_text(f"#EXTM3U\n{variant}gone.m3u8\n{variant}odd.m3u8\n")
    (folder / "odd.m3u8").write_text(playlist)
    findings = [finding for finding in doctor() if finding.about == f"stream {EVENT_ID}" and finding.level != "ok"]
    assert {finding.what.partition(":")[0] for finding in findings} == {"gone.m3u8", "segment 1.ts"}
    assert {finding.level for finding in findings} == {"error"}
    assert any("a space" in finding.what for finding in findings)


def test_a_link_is_an_error_for_nginx_follows_none(doctor: Doctor, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in wrong(doctor(), f"stream {EVENT_ID}").what


def test_a_playlist_that_is_rewritten_in_place_is_found_out(doctor: Doctor, folder: Path) -> None:
    playlist = folder / "stream.m3u8"
    with writing(playlist.write_text):
        finding = wrong(doctor(), str(playlist))
    assert finding.level == "warning"
    assert "temp_file" in finding.fix


def test_a_playlist_that_is_renamed_into_place_is_well(doctor: Doctor, folder: Path) -> None:
    def write(text: str) -> None:
        (folder / "stream.m3u8.tmp").write_text(text)
        (folder / "stream.m3u8.tmp").replace(folder / "stream.m3u8")

    with writing(write):
        findings = doctor()
    assert [finding.level for finding in findings if finding.about == "live playlists"] == ["ok"]
    assert not any("in place" in finding.what for finding in findings)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_stream_that_cannot_be_read_is_an_error(doctor: Doctor, folder: Path) -> None:
    (folder / "stream.m3u8").chmod(0)
    assert "cannot be read" in wrong(doctor(), f"stream {EVENT_ID}").what


def change(home: Path, statement: str) -> None:
    with sqlite3.connect(home / "streamgate.db") as connection:
        connection.execute(statement)
    connection.close()


@contextmanager
def writing(write: Callable[[str], object]) -> Iterator[None]:
    """Be an encoder: a new playlist four times a second."""
    over = threading.Event()

    def encode() -> None:
        number = 0
        while not over.wait(0.25):
            write(PLAYLIST.format(number := number + 1))

    write(PLAYLIST.format(0))
    encoder = threading.Thread(target=encode)
    encoder.start()
    try:
        yield
    finally:
        over.set()
        encoder.join()


@contextmanager
def answering(clock: datetime | None = None) -> Iterator[int]:
    """Be some web server; give its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(clock.timestamp() if clock else timestamp)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
