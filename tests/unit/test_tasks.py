"""Background loops can be woken early, and end at the stop."""

import anyio
import pytest
from sqlalchemy.exc import SQLAlchemyError

from control_plane.tasks import repeat

pytestmark = pytest.mark.anyio
_NEVER = 3600.0
_PATIENCE_SECONDS = 30


class Work:
    """Counts how often it was done. Something new happens during each of the first few times, and then the stop."""

    def __init__(self, *, fails: bool = False) -> None:
        self.done = 0
        self.stop = anyio.Event()
        self.news = anyio.Event()
        self.failures: list[str] = []
        self._fails = fails

    async def do(self) -> None:
        self.done += 1
        if self.done == 3:
            self.stop.set()
        self.news.set()
        if self._fails:
            raise SQLAlchemyError

    def next_news(self) -> anyio.Event:
        self.news = anyio.Event()
        return self.news


@pytest.mark.parametrize("fails", [False, True])
async def test_what_happens_during_the_work_ends_the_next_pause(*, fails: bool) -> None:
    work = Work(fails=fails)
    with anyio.fail_after(_PATIENCE_SECONDS):
        await repeat(work.do, _NEVER, work.stop, work.failures.append, wake_up=work.next_news)
    assert work.done == 3
    assert work.failures == ["SQLAlchemyError"] * 3 * fails


async def test_without_a_wake_up_the_stop_ends_the_pause() -> None:
    work = Work()
    with anyio.fail_after(_PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repeat, work.do, _NEVER, work.stop, work.failures.append)
            await work.news.wait()
            work.stop.set()
    assert work.done == 1
