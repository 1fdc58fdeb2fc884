"""The stacks for the benchmark of an opening: one control plane on SQLite, or two on a durable PostgreSQL."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from control_plane.ops.processes import HttpProbe
from tests.support.services.postgres import Postgres
from tests.support.services.stack import Service, StackUnderTest

DATABASES: Final = ["sqlite", "postgresql"]
# Debian's default settings: committed data survives a power failure.
_SETTINGS: Final = {"listen_addresses": "", "max_connections": "100"}


@dataclass(frozen=True)
class Operation:
    """A running stack; `database` describes it, including the number of control planes."""

    home: Path
    url: str
    database: str
    control_planes: Sequence[Service]

    def stop_control_planes(self) -> None:
        for service in self.control_planes:
            service.stop()


@contextmanager
def in_operation(home: Path, database: str) -> Iterator[Operation]:
    with ExitStack() as stack:
        settings = {"DATABASE_URL": stack.enter_context(postgresql())[0]} if database == "postgresql" else {}
        running = StackUnderTest(home, settings=settings, nginx_workers="auto")
        stack.callback(running.stop)
        more = [_second(running)] if database == "postgresql" else []
        for service in more:
            stack.callback(service.stop)
        running.control_plane.start()  # the first one migrates the database
        running.control_plane.wait_ready()
        for service in [*more, *running.sidecars, running.nginx]:
            service.start()
            service.wait_ready()
        name = "PostgreSQL, 2 control planes" if more else "SQLite, 1 control plane"
        yield Operation(home, running.url, name, [running.control_plane, *more])


@contextmanager
def postgresql() -> Iterator[tuple[str, int]]:
    """Run a server on disk, not in memory like that of the tests; yield a database URL and the server's process id."""
    folder = Path(tempfile.mkdtemp(prefix="streamgate-pg-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        server = Postgres(folder, _SETTINGS)
        stack.callback(server.stop)
        server.start()  # in this thread, since it ends with the thread that started it
        server.execute("CREATE DATABASE {}", "doors")
        yield server.url("doors"), server.pid


def _second(running: StackUnderTest) -> Service:
    """Describe a second control plane, and add it to nginx's upstream."""
    first = running.control_plane.spec
    socket = Path(first.argv[-1])
    other = socket.with_name("control-2.sock")
    file = running.described.run_folder / "nginx" / "site" / "http.conf"
    text = file.read_text()
    line = next(line for line in text.splitlines() if socket.name in line)
    file.write_text(text.replace(line, f"{line}\n{line.replace(socket.name, other.name)}"))
    is_ready = HttpProbe("http://control-plane/internal/health", other)
    spec = replace(first, name="control-2", argv=(*first.argv[:-1], str(other)), is_ready=is_ready)
    return Service(spec, running.home / "log" / "control-2.log")
