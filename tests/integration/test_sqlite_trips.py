"""SQLite in one trip: the results are those of the driver's own connections, of any size, and either can be used."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engines import make_engine
from tests.support.clients.api import Admin, ViewerClient, make_settings, running

pytestmark = pytest.mark.anyio
MANY = 1000
NUMBERS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) SELECT i FROM n")
NUMBERS_UP_TO_300 = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"
    " SELECT abs(iif(i = 300, -9223372036854775807 - 1, i)) FROM n"
)


@pytest.fixture(params=["", "?one_trip=false"], ids=["one trip", "aiosqlite"])
async def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AsyncConnection]:
    engine = make_engine(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('trips')}/a.db{request.param}")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@pytest.mark.parametrize("most", [1, 255, 256, 257, 319, 320, 321, MANY])
async def test_all_rows_are_returned_in_order_read_at_once_or_streamed(connection: AsyncConnection, most: int) -> None:
    wanted = list(range(1, most + 1))
    assert list(await connection.scalars(NUMBERS, {"most": most})) == wanted
    streamed = await connection.stream_scalars(NUMBERS, {"most": most})
    assert [number async for number in streamed] == wanted
    parts = (await connection.stream_scalars(NUMBERS, {"most": most})).partitions(100)
    assert [number async for part in parts for number in part] == wanted


async def test_an_empty_result_is_empty(connection: AsyncConnection) -> None:
    nothing = text("SELECT 1 WHERE 0")
    assert (await connection.execute(nothing)).all() == []
    assert (await connection.execute(nothing)).keys() == ["1"]
    assert [row async for row in await connection.stream(nothing)] == []


async def test_a_stream_that_is_closed_early_releases_its_statement(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE t (i INTEGER)"))
    streamed = await connection.stream_scalars(NUMBERS, {"most": MANY})
    async for number in streamed:
        if number == 300:
            break
    await streamed.close()
    await connection.execute(text("DROP TABLE t"))  # refused while a statement is open
    await connection.commit()


async def test_the_number_of_changed_rows_is_returned(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE t (i INTEGER PRIMARY KEY, word TEXT)"))
    rows = [{"word": word} for word in "abc"]
    await connection.execute(text("INSERT INTO t (word) VALUES (:word)"), rows)
    assert (await connection.execute(text("UPDATE t SET word = 'd' WHERE i > 1"))).rowcount == 2
    inserted = await connection.execute(text("INSERT INTO t (word) VALUES ('e')"))
    assert inserted.lastrowid == 4
    returned = await connection.execute(text("DELETE FROM t RETURNING i"))
    assert sorted(returned.scalars()) == [1, 2, 3, 4]


async def test_errors_are_raised_and_the_connection_stays_usable(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE t (i INTEGER PRIMARY KEY)"))
    await connection.execute(text("INSERT INTO t VALUES (1)"))
    with pytest.raises(IntegrityError):
        await connection.execute(text("INSERT INTO t VALUES (1)"))
    with pytest.raises(OperationalError):
        await connection.execute(text("SELECT nonsense FROM t"))
    with pytest.raises(OperationalError):  # after the first rows
        await connection.execute(NUMBERS_UP_TO_300, {"most": MANY})
    assert list(await connection.scalars(text("SELECT i FROM t"))) == [1]


async def test_a_lost_connection_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = make_engine(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('trips')}/a.db")
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection
        await raw.driver_connection.close()
        with pytest.raises(OperationalError):
            await connection.execute(text("SELECT 1"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_a_ticket_is_redeemed_and_watched_with_aiosqlite_as_it_is(sqlite_url: str) -> None:
    settings = make_settings(f"{sqlite_url}?one_trip=false")
    async with running(settings) as plane, plane.browser("192.0.2.1") as office, plane.browser("192.0.2.2") as home:
        admin, phone = Admin(office), ViewerClient(home)
        await admin.sign_in()
        assert (await phone.validate((await admin.ticket())["code"])).status_code == 200
        assert (await phone.refresh()).status_code == 200
        assert (await phone.heartbeat()).status_code == 200
