"""An expensive figure is computed rarely, a cheap one each time."""

import anyio
import pytest

from control_plane.cost_limited_cache import TIMES_ITS_COST, CostLimitedCache

pytestmark = pytest.mark.anyio


class Counting:
    """Count the computations; each one moves the clock forward by `cost` seconds."""

    def __init__(self, cost: float) -> None:
        self.cost, self.now, self.times = cost, 1000.0, 0
        self.remembered: CostLimitedCache[int] = CostLimitedCache(lambda: self.now)

    async def ask(self, after: float = 0.0) -> int:
        self.now += after
        return await self.remembered.get(self.count)

    async def count(self) -> int:
        await anyio.lowlevel.checkpoint()
        self.now += self.cost
        self.times += 1
        return self.times


async def test_a_cheap_figure_is_computed_each_time() -> None:
    cheap = Counting(0.01)
    assert [await cheap.ask() for _ in range(3)] == [1, 2, 3]


async def test_an_expensive_figure_is_computed_again_after_twenty_times_its_cost() -> None:
    expensive = Counting(0.5)
    assert await expensive.ask() == 1
    assert await expensive.ask(after=0.5 * TIMES_ITS_COST - 0.01) == 1
    assert await expensive.ask(after=0.02) == 2


async def test_simultaneous_requests_share_one_computation() -> None:
    expensive = Counting(0.5)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await expensive.ask())

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert answers == [1] * 5


async def test_a_failed_computation_is_not_cached() -> None:
    remembered: CostLimitedCache[int] = CostLimitedCache()

    async def fail() -> int:
        raise OSError("away")

    async def answer() -> int:
        return 7

    with pytest.raises(OSError, match="away"):
        await remembered.get(fail)
    assert await remembered.get(answer) == 7
