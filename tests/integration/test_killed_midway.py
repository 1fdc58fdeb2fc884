"""kill -9 in the middle of a batch, or an outage of the database: all or nothing, and the service recovers."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import httpx2
import psycopg
import pytest

from tests.support.clients.api import INTERNAL_KEY, Admin, ViewerClient
from tests.support.services.postgres import Postgres, running_postgres
from tests.support.services.server import ControlPlaneProcess, control_planes
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
# Slow from the 500th ticket on, so that there is time to kill it midway.
SLOW_ON_SQLITE = """
    CREATE TRIGGER slow AFTER INSERT ON ticket WHEN (SELECT count(*) FROM ticket) > 500 BEGIN
      SELECT max(i) FROM (
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT i FROM n
      );
    END"""
SLOW_ON_POSTGRESQL = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT count(*) FROM ticket) > 500 THEN PERFORM pg_sleep(0.02); END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER slow AFTER INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION slow()"""
AMONG_THE_SLEEPING = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


@contextmanager
def outside(url: str) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    """Yield a direct connection to the database."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.partition("///")[2], isolation_level=None) as file:
            yield lambda statement: list(file.execute(statement))
        file.close()
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as line:

        def run(statement: str) -> list[tuple[object, ...]]:
            done = line.execute(statement)
            return list(done) if done.description else []

        yield run


def is_in_the_middle(url: str) -> bool:
    with outside(url) as run:
        if not url.startswith("sqlite"):
            return run(f"SELECT count(*) {AMONG_THE_SLEEPING}") == [(1,)]
        try:
            run("PRAGMA busy_timeout = 300")  # only the slow batch takes this long
            run("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        run("ROLLBACK")
        return False


@asynccontextmanager
async def signed_in(plane: ControlPlaneProcess) -> AsyncIterator[Admin]:
    async with plane.browser() as http:
        admin = Admin(http)
        assert (await admin.sign_in()).status_code == 200
        yield admin


async def test_a_batch_whose_process_is_killed_midway_leaves_nothing_and_can_be_repeated(
    database_url: str, tmp_path: Path
) -> None:
    with control_planes(tmp_path, database_url) as planes:
        async with signed_in(planes[0]) as admin:
            event_id = await admin.create_event()
        with outside(database_url) as run:
            run(SLOW_ON_SQLITE if database_url.startswith("sqlite") else SLOW_ON_POSTGRESQL)
        async with signed_in(planes[0]) as admin, anyio.create_task_group() as tasks:
            tasks.start_soon(kill_midway, planes[0], database_url)
            with pytest.raises(httpx2.TransportError):
                await admin.codes(event_id, 1000)
        planes[0].start()
        planes[0].service.wait_ready()
        with outside(database_url) as run:
            if not database_url.startswith("sqlite"):
                run(f"SELECT pg_terminate_backend(pid) {AMONG_THE_SLEEPING}")  # it would keep sleeping
            assert run("SELECT count(*) FROM ticket") == [(0,)]
            run("DROP TRIGGER slow" if database_url.startswith("sqlite") else "DROP TRIGGER slow ON ticket")
        for plane in planes:
            async with signed_in(plane) as admin, plane.browser() as http:
                made = await admin.codes(event_id, 1000)
                assert (await ViewerClient(http).validate(made[-1]["code"])).status_code == 200


async def kill_midway(plane: ControlPlaneProcess, url: str) -> None:
    await anyio.to_thread.run_sync(lambda: eventually(lambda: is_in_the_middle(url), within=30, every=0.05))
    plane.service.kill()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server for one test only, which stops it."""
    with running_postgres() as server:
        yield server


async def test_an_outage_of_the_database_is_survived(own_postgres: Postgres, tmp_path: Path) -> None:
    own_postgres.execute("CREATE DATABASE {}", "own")
    with ControlPlaneProcess(tmp_path, own_postgres.url("own")) as plane:
        async with signed_in(plane) as admin, plane.browser() as phone, plane.browser() as sidecar:
            one, other = await admin.codes(await admin.create_event(), 2)
            assert (await ViewerClient(phone).validate(one["code"])).status_code == 200
            cursor = (await ask(sidecar, "", 0)).json()["cursor"]
            heard: list[str] = []

            async def follow(cursor: str) -> None:
                while not heard:
                    answer = await ask(sidecar, cursor, 30)
                    if answer.status_code == 200:
                        cursor = answer.json()["cursor"]
                        heard.extend(change["id"] for change in answer.json()["changes"])

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, cursor)
                assert (await phone.get("/internal/health")).status_code == 200
                own_postgres.stop()
                for path, body in (("/api/tokens/validate", {"code": other["code"]}), ("/api/playback/resume", {})):
                    answer = await phone.post(path, json=body)
                    assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable")
                    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("5", "no-store")
                own_postgres.start()
                assert (await ViewerClient(phone).validate(other["code"])).status_code == 200
                await admin.patch("tokens", other["id"], "revoke")
            assert heard == [other["code"]]
        printed = plane.service.printed()
    assert '"event": "database_away"' in printed
    assert "unhandled_error" not in printed
    assert one["code"] not in printed
    assert other["code"] not in printed


async def ask(sidecar: httpx2.AsyncClient, cursor: str, wait: int) -> httpx2.Response:
    query: dict[str, str | int] = {"cursor": cursor, "wait": wait}
    return await sidecar.get("/internal/feed", params=query, headers={"X-Internal-Api-Key": INTERNAL_KEY})


async def test_without_its_database_a_control_plane_exits_with_one_sentence(tmp_path: Path) -> None:
    plane = ControlPlaneProcess(tmp_path, "postgresql+psycopg://streamgate:a-password@127.0.0.1:1/none")
    plane.start()
    eventually(lambda: plane.service._process is not None and plane.service._process.poll() is not None, within=30)
    printed = plane.service.printed()
    assert "The database cannot be used" in printed
    assert printed.count("\n") == 1
    assert "a-password" not in printed
