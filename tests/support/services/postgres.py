"""A real PostgreSQL for the tests: Debian's programs with a private data folder, on a unix socket only.

`initdb` refuses root, so root runs it as the package's user `postgres`. The server ends with the tests, also if they
are killed.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from control_plane.db.database import upgrade_schema
from tests.support.waiting import eventually

_ACCOUNT: Final = "postgres"
_TEMPLATE: Final = "migrated"
_PREFIX: Final = "streamgate-pg-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - used if it exists: a new database is 300 small files
_FIRST_WITH_STRATEGY: Final = 15
_SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "200",
    # Test data need not survive a power failure.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    # Far from UTC, so that a time that loses its zone is wrong by hours.
    "timezone": "Asia/Kolkata",
}


class Postgres:
    """A server with its own data folder, which can be stopped and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = _SETTINGS) -> None:
        self._folder = folder
        self._settings = settings
        self._data = folder / "data"
        self._log = folder / "log"
        self._names = (f"test{number}" for number in count(1))
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT, _ACCOUNT)
        arguments = "--auth=trust", "--username=streamgate", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"
        with self._log.open("wb") as log:
            made = subprocess.run(
                self._argv("initdb", "-D", str(self._data), *arguments), stdout=log, stderr=log, check=False, cwd="/"
            )
        assert made.returncode == 0, self._log.read_text()
        self._version = int((self._data / "PG_VERSION").read_text())

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        argv = self._argv("postgres", "-D", str(self._data), "-k", str(self._folder), *settings)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        eventually(self._answers, within=30, what="PostgreSQL answers")
        # The only strategy of older servers is the faster one here: files are small and in memory.
        self._copying = "STRATEGY file_copy" if self._version >= _FIRST_WITH_STRATEGY else ""

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT closes all connections, SIGQUIT is a crash."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://streamgate@/{database}?host={self._folder}"

    def prepare(self) -> None:
        """Create the migrated template database that tests copy."""
        self.execute("CREATE DATABASE {}", _TEMPLATE)
        with ThreadPoolExecutor(1) as thread:  # migrations start an event loop, and this thread may have one
            thread.submit(upgrade_schema, self.url(_TEMPLATE)).result()

    @contextmanager
    def new_database(self, template: str = _TEMPLATE) -> Iterator[str]:
        """Yield the URL of a new copy of the template database; drop it afterwards, closing open connections."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {{}} TEMPLATE {{}} {self._copying}", name, template)
        try:
            yield self.url(name)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    def execute(self, statement: str, *names: str) -> None:
        """Execute a statement that concerns whole databases."""
        with psycopg.connect(host=str(self._folder), user="streamgate", dbname="postgres", autocommit=True) as line:
            line.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _argv(self, program: str, *arguments: str) -> list[str]:
        """Return the command line to run a program as an ordinary user; it ends with this process."""
        become = ["setpriv", "--pdeathsig=INT"]
        if os.geteuid() == 0:
            user = pwd.getpwnam(_ACCOUNT)
            become += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return [*become, str(_programs() / program), *arguments]


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server. Its folder has a short path, as sockets need, and is accessible to the server's user."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    server = None
    with ExitStack() as held:
        with (parent / f"{_PREFIX}lock").open("w") as turn:  # nobody may clean up a folder before it is in use
            fcntl.flock(turn, fcntl.LOCK_EX)
            _clear_up(parent)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            fcntl.flock(held.enter_context((folder / "in-use").open("w")), fcntl.LOCK_EX)
        try:
            server = Postgres(folder)
            server.start()
            yield server
        finally:
            if server:
                server.stop()
            shutil.rmtree(folder)


def _clear_up(parent: Path) -> None:
    """Remove leftovers of killed tests, which would occupy memory until the machine is restarted."""
    for left in parent.glob(f"{_PREFIX}*/in-use"):
        with suppress(OSError), left.open("w") as in_use:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent)


def _programs() -> Path:
    """Return the folder of Debian's newest server, which is not on the PATH, or of one that is."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    assert found, "PostgreSQL is missing; Debian's package is `postgresql`."
    return Path(found).parent
