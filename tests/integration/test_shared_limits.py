"""Limits of several control planes, through a real Redis: shared while it is reachable, and never a bottleneck."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx2
import pytest
from structlog.testing import capture_logs

from control_plane.errors import Refusal, TooManyAttempts
from control_plane.limits import shared_limits
from control_plane.limits.limits import Limits, network_of
from control_plane.limits.moving_windows import Limit
from control_plane.limits.shared_limits import RedisCounts
from tests.support import leaks
from tests.support.clients.api import INTERNAL_KEY, PASSWORD, PASSWORD_HASH, Admin, ViewerClient
from tests.support.data.forging import SECRET
from tests.support.services.forks import PYTHON, fork
from tests.support.services.redis_server import RedisServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
HOME = "2001:db8:1:2::1"
WRONG = "K7F2X9M4B1C3"
ANY_LIMIT = Limit("any", 5, 60)
GUESSES = Limit("guesses", 60, 60)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def plane(folder: Path, name: str, **settings: str) -> Iterator[Callable[[], httpx2.AsyncClient]]:
    """Run a control plane on a socket; yield a function that opens a device. End it by its process id."""
    path, log = folder / f"{name}.sock", folder / f"{name}.log"
    argv = (*PYTHON, "tests.support.services.patient_plane", "--uds", str(path))
    process = fork(argv, {"PATH": os.environ["PATH"]} | settings, log)
    try:
        eventually(lambda: process.poll() is not None or listens(path), within=60)
        assert process.poll() is None, log.read_text()
        yield lambda: device(path)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
    leaks.check([log])


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def device(path: Path) -> httpx2.AsyncClient:
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    return httpx2.AsyncClient(transport=transport, base_url="http://x", headers={"X-Real-IP": HOME}, timeout=20)


@pytest.fixture
def planes(tmp_path: Path, redis: RedisServer, database_url: str) -> Iterator[list[Callable[[], httpx2.AsyncClient]]]:
    """Two control planes on one database and one Redis."""
    settings = {
        "PLAYBACK_SIGNING_SECRET": SECRET,
        "INTERNAL_API_KEY": INTERNAL_KEY,
        "ADMIN_PASSWORD_HASH": PASSWORD_HASH,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
    }
    with ExitStack() as stack:
        yield [stack.enter_context(plane(tmp_path, name, **settings)) for name in ("one", "two")]


async def guess(http: httpx2.AsyncClient, times: int) -> list[int]:
    return [(await ViewerClient(http).validate(WRONG)).status_code for _ in range(times)]


async def new_codes(http: httpx2.AsyncClient, count: int) -> list[str]:
    admin = Admin(http)
    assert (await admin.sign_in(PASSWORD)).status_code == 200
    return [ticket["code"] for ticket in await admin.codes(await admin.create_event(), count)]


async def test_two_processes_share_their_counts_and_work_without_redis(
    redis: RedisServer, planes: list[Callable[[], httpx2.AsyncClient]]
) -> None:
    async with planes[0]() as one, planes[1]() as two:
        codes = await new_codes(one, 5)
        assert await guess(one, 3) + await guess(two, 3) == [401] * 5 + [429]
        assert await guess(one, 1) == [429]
        assert (await ViewerClient(one).validate(codes[0])).status_code == 200
        await guess(one, 53)
        refused = await ViewerClient(two).validate(codes[1])
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        redis.stop()
        assert (
            await ViewerClient(two).validate(codes[1])
        ).status_code == 200  # it has counted only three guesses itself
        assert await guess(one, 1) == [429]
        redis.start()
        await shared_again(one, two)


async def shared_again(one: httpx2.AsyncClient, two: httpx2.AsyncClient) -> None:
    """Return whether counts are shared with the restarted, empty Redis: guesses at one are refused at the other."""
    with anyio.fail_after(20):
        while await guess(one, 1) != [401]:
            continue
    assert await guess(one, 4) == [401] * 4
    assert await guess(two, 1) == [429]


class _WrongCode(Refusal):
    """The refusal of a wrong guess in these tests."""


def fail() -> None:
    raise _WrongCode


async def guess_at(limits: Limits, address: str = HOME) -> bool:
    """Guess wrong; return whether the guess was checked."""
    judged = False
    with suppress(Refusal):
        async with limits.guess(address, wrong=(_WrongCode,)):
            judged = True
            await asyncio.sleep(0.01)
            fail()
    return judged


async def refusals(limits: Limits, times: int, address: str = HOME) -> int:
    refused = 0
    for _ in range(times):
        try:
            async with limits.guess(address, wrong=(_WrongCode,)):
                fail()
        except TooManyAttempts:
            refused += 1
        except _WrongCode:
            continue
    return refused


async def right(limits: Limits, address: str = HOME) -> None:
    async with limits.guess(address, wrong=(_WrongCode,)):
        await asyncio.sleep(0)


@pytest.fixture
async def counts(redis: RedisServer) -> list[RedisCounts]:
    return [RedisCounts(redis.url) for _ in range(2)]


@pytest.fixture
async def patient_counts(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> list[RedisCounts]:
    """Counts with a long timeout for Redis, for busy machines."""
    monkeypatch.setattr(shared_limits, "TIMEOUT_SECONDS", 10)
    return [RedisCounts(redis.url) for _ in range(2)]


async def test_every_limit_is_shared(patient_counts: list[RedisCounts]) -> None:
    one, two = (Limits(600, shared) for shared in patient_counts)
    for limits in (one, two) * 5:
        await limits.count_sign_in(HOME)
    with pytest.raises(TooManyAttempts):
        await two.count_sign_in(HOME)
    for limits in (one, two) * 6:
        await limits.count_refresh("a session")
    with pytest.raises(TooManyAttempts) as caught:
        await one.count_refresh("a session")
    assert 500 <= caught.value.retry_after <= 600
    await close(patient_counts)


async def test_of_many_simultaneous_guesses_at_two_processes_sixty_are_checked(
    patient_counts: list[RedisCounts],
) -> None:
    one, two = (Limits(600, shared) for shared in patient_counts)
    judged = await asyncio.gather(*(guess_at(limits) for limits in (one, two) * 100))
    assert sum(judged) == 60
    await close(patient_counts)


async def test_of_many_simultaneous_valid_codes_at_two_processes_none_is_refused(
    patient_counts: list[RedisCounts],
) -> None:
    one, two = (Limits(600, shared) for shared in patient_counts)
    await asyncio.gather(*(right(limits) for limits in (one, two) * 100))
    await close(patient_counts)


async def test_a_process_that_dies_blocks_nobody_and_its_guesses_count(
    patient_counts: list[RedisCounts],
) -> None:
    """Sixty places that are never returned: after five seconds they count as wrong guesses."""
    for number in range(60):
        assert await patient_counts[0].open(GUESSES, network_of(HOME), f"dead {number}") == 0
    limits = Limits(600, patient_counts[1])
    with anyio.fail_after(20), pytest.raises(TooManyAttempts) as caught:
        await right(limits)
    assert 40 <= caught.value.retry_after <= 60
    await close(patient_counts)


async def test_a_hung_redis_blocks_nobody_and_is_retried_later(redis: RedisServer, counts: list[RedisCounts]) -> None:
    limits = Limits(600, counts[0])
    assert await refusals(limits, 3) == 0
    with anyio.fail_after(30):
        while await counts[0].hit(ANY_LIMIT, HOME) is None:  # the machine may have been slow
            await anyio.lowlevel.checkpoint()
    with capture_logs() as logs:
        redis.freeze()
        began = time.monotonic()
        await right(limits)
        assert await refusals(limits, 3) == 1  # guesses before the outage still count
        assert time.monotonic() - began < 15
        redis.thaw()
        with anyio.fail_after(30):
            while await counts[0].hit(ANY_LIMIT, HOME) is None:
                await anyio.lowlevel.checkpoint()
    assert [entry["event"] for entry in logs] == ["shared_limits_away", "shared_limits_back"]
    await close(counts)


async def test_of_a_hundred_simultaneous_requests_at_a_hung_redis_none_waits_longer(
    redis: RedisServer, counts: list[RedisCounts]
) -> None:
    limits = Limits(600, counts[0])
    redis.freeze()
    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(right, limits, f"192.0.2.{number}")
    assert time.monotonic() - began < 15
    await close(counts)


async def test_without_redis_each_process_counts_for_itself(tmp_path: Path) -> None:
    counts = [RedisCounts(f"unix://{tmp_path}/nobody.sock"), RedisCounts("redis://127.0.0.1:9")]
    for shared in counts:
        assert await refusals(Limits(600, shared), 7) == 2
    await close(counts)


async def close(counts: list[RedisCounts]) -> None:
    for each in counts:
        await each.disconnect()
