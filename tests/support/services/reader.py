"""Somebody who follows the documents: with a checkout, and the service that the README's own commands start."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from tests.support import leaks
from tests.support.documents import ROOT, commands
from tests.support.media.video import make_recording
from tests.support.services.checkout import VERSION, new_checkout
from tests.support.services.home import new_home
from tests.support.services.ports import free_port
from tests.support.services.shell import Shell
from tests.support.services.stack import Service

_RUNS_UNTIL_STOPPED: Final = re.compile(r".*\bstreamgate (?:up|demo) |.*\bmake demo|python -m [\w.]+ --uds ")
# Which `DIR` is meant, if it is not the home of the running service: a new folder, or a home that is not up.
_NEW_FOLDER: Final = ("streamgate init ", "streamgate demo ")
_STOPPED_HOME: Final = ("streamgate restore ", "streamgate secrets ", "streamgate setup-link ", "streamgate up ")
_ANSWERS: Final = {"streamgate hash-password": "a password\n", "streamgate secrets reset --home DIR": "y\n"}


@dataclass
class Reader:
    """`values` is what they type for a placeholder, and instead of ports and paths of the whole machine."""

    shell: Shell
    values: dict[str, str]
    done: set[str] = field(default_factory=set)

    def follow(self, command: str, folder: Path) -> None:
        """Type a command as a document has it, unless another one had it before. Fail if it fails."""
        if command in self.done:
            return
        self.done.add(command)
        typed = self.filled_in(command, folder)
        if _RUNS_UNTIL_STOPPED.match(command):
            self.start(typed, folder).end()
        elif key := re.search(r"sgk_[\w-]{20,}", self.printed_by(typed, _ANSWERS.get(command, ""))):
            self.values["$KEY"] = key[0]

    def printed_by(self, typed: str, answers: str = "") -> str:
        code, printed = self.shell.run(typed, answers)
        assert code == 0, f"`{typed}` ends with {code}:\n{printed}"
        return printed

    def filled_in(self, command: str, folder: Path) -> str:
        """Return the command with all of its options and with values for its placeholders."""
        in_full = re.sub(r"\[(--[^]|]+)[^]]*\]", r"\1", command)
        values = {**self.values, "DIR": self._home(command, folder), "FILE": f"{folder}/backup"}
        names = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
        return re.sub(rf"(?<!\w)(?<! -)(?:{names})(?!\w)", lambda found: values[found[0]], in_full)

    def start(self, command: str, folder: Path) -> Service:
        """Start what runs until it is stopped, and wait until it is ready."""
        log = folder / f"printed by {len(self.done)}"
        socket = Path(command.rsplit(maxsplit=1)[-1])

        def is_ready() -> bool:
            return socket.is_socket() or "StreamGate is up at" in log.read_text()

        return self.shell.start(command, log, is_ready, _settings(command, folder))

    def _home(self, command: str, folder: Path) -> str:
        if command.startswith(_NEW_FOLDER):
            return f"{folder}/new"
        return str(_stopped_home(folder)) if command.startswith(_STOPPED_HOME) else self.values["/srv/streamgate"]


def _settings(command: str, folder: Path) -> dict[str, str]:
    """Return what the environment has to say: all settings for a part of its own, and a free port for the demo."""
    if command.startswith("python "):
        return {name: value for name, value in dotenv_values(_stopped_home(folder) / ".env").items() if value}
    return {"PORT": str(free_port())} if command == "make demo" else {}


def _stopped_home(folder: Path) -> Path:
    home = folder / "stopped"
    if not home.exists():
        new_home(home, port=free_port())
    return home


@contextmanager
def reader_of_the_readme(folder: Path) -> Iterator[Reader]:
    """Start the service with the README's commands; at the end, fail if its logs contain a secret."""
    home = folder / "home"
    reader = Reader(Shell(new_checkout(folder), folder), _values(folder, home))
    init, up = (command for command in commands(ROOT / "README.md") if "/srv/streamgate" in command)
    reader.done |= {init, up}
    password = reader.printed_by(reader.filled_in(init, folder)).split()[-1]
    leaks.remember(password)
    service = reader.start(reader.filled_in(up, folder), folder)
    try:
        reader.values |= _values_of_the_service(reader, home, service, password)
        yield reader
    finally:
        service.stop()
    leaks.check_home(home)


def _values(folder: Path, home: Path) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "/srv/streamgate": str(home),
        "/run/streamgate": str(folder),
        "8080": str(free_port()),
        "9000": str(free_port()),
        "--port N": f"--port {free_port()}",
        "N": "1",
        "P": "password",
        "T": "Title",
        "L": "Label",
        "S": "unused",
        "TEXT": "abc",
        "TIME": now.isoformat(),
        "--ends-at TIME": f"--ends-at {(now + timedelta(hours=5)).isoformat()}",
        "FOLDER": f"{folder}/streams",
        "v0.2.0": f"v{VERSION}",
        "0.2.0": VERSION,
        "streamgate-0.2.0-py3-none-any.whl": f"dist/streamgate-{VERSION}-py3-none-any.whl",
    }


def _values_of_the_service(reader: Reader, home: Path, service: Service, password: str) -> dict[str, str]:
    begins, ends = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 5))
    times = f"--starts-at {begins.isoformat()} --ends-at {ends.isoformat()}"
    event = reader.printed_by(f"streamgate event create --home {home} --title Concert {times}").strip()
    make_recording(home / "streams" / event, seconds=2)
    ticket = reader.printed_by(f"streamgate ticket generate {event} --home {home} --count 1").strip()
    return {
        "EVENT": event,
        "<event id>": event,
        "INPUT": f"{home}/streams/{event}/stream.m3u8",
        "TICKET...": ticket,
        "CODE": ticket,
        '"..."': f'"{password}"',
        "$MAINPID": str(service.pid),
        "$INTERNAL_API_KEY": dotenv_values(home / ".env")["INTERNAL_API_KEY"] or "",
    }
