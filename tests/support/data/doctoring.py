"""Helpers for tests of `streamgate doctor`: change a home, and read the findings."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.support.services.command import Streamgate

EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"
EMPTY_PACKET = b"\x47\x1f\xff\x10".ljust(188, b"\xff")  # of an MPEG transport stream
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}.ts\n"


class Told(NamedTuple):
    level: str
    about: str
    what: str
    fix: str


Doctor = Callable[[], list[Told]]


def add_event(streamgate: Streamgate, home: Path, starts_in: timedelta = timedelta(hours=-1)) -> None:
    starts = datetime.now(UTC) + starts_in
    times = "--starts-at", starts.isoformat(), "--ends-at", (starts + timedelta(hours=5)).isoformat()
    assert streamgate("event", "create", "--home", home, "--title", "On", "--id", EVENT_ID, *times).code == 0


def add_settings(home: Path, **settings: str) -> None:
    with (home / ".env").open("a") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in settings.items())


def wrong(findings: list[Told], about: str) -> Told:
    """Return the only finding about a subject that is not ok."""
    found = [finding for finding in findings if finding.about == about and finding.level != "ok"]
    assert len(found) == 1, findings
    return found[0]


def change(home: Path, statement: str) -> None:
    with sqlite3.connect(home / "streamgate.db") as connection:
        connection.execute(statement)
    connection.close()


@contextmanager
def answering(clock: datetime | None = None) -> Iterator[int]:
    """Run a web server; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - named by http.server

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
