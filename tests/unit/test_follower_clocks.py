"""A sidecar whose clock is wrong for a while: revoked tokens never play, then or later. No test waits."""

import json

import anyio
import httpx2
import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from authz_sidecar.contract.steady_clock import SteadyClock
from authz_sidecar.follower import Follower
from tests.support.data.forging import NOW
from tests.support.services.feeds import changes, snapshot

pytestmark = pytest.mark.anyio
HOURS = 3600.0
AHEAD = 3 * HOURS  # longer than the lifetime of the feed's entries


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class ScriptedControlPlane:
    """Return a snapshot for an empty cursor; otherwise wait until there are changes."""

    def __init__(self) -> None:
        self.codes = ["a"]
        self.asked: list[str] = []
        self.is_away = False

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        self.asked.append(cursor)
        if self.is_away:
            raise httpx2.ConnectError("away")
        known = int(cursor.partition(".")[2] or 0)
        while wait and cursor and known == len(self.codes):  # noqa: ASYNC110 - mock time costs nothing
            await anyio.sleep(0.1)
        place = f"e.{len(self.codes)}"
        page = changes(place, *self.codes[known:]) if cursor else snapshot(place, *self.codes)
        return json.dumps(page.to_json()).encode()


class Machine:
    """A sidecar's follower on a machine whose clock can be set."""

    def __init__(self, max_stale_seconds: float | None = None, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.plane = ScriptedControlPlane()
        steady = SteadyClock(self.now, anyio.current_time)
        self.follower = Follower(self.plane, None, max_stale_seconds, self.now, steady)

    def now(self) -> float:
        return NOW + anyio.current_time() + self.ahead

    @property
    def refused(self) -> set[str] | None:
        found = self.follower.revocations(self.now())
        return None if found is None else set(found.codes)


async def test_a_clock_hours_ahead_for_seventy_seconds_drops_nothing_and_causes_a_new_snapshot() -> None:
    machine, seen = Machine(), []
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            await tasks.start(machine.follower.run)
            await anyio.sleep(30)
            for ahead in (AHEAD, 0):
                machine.ahead = ahead
                await anyio.sleep(0.05)
                seen.append(machine.refused)
                await anyio.sleep(70)
                seen.append(machine.refused)
            tasks.cancel_scope.cancel()
    assert seen == [{"a"}] * 4
    assert machine.plane.asked.count("") == 3
    assert [entry["seconds"] for entry in logs if entry["event"] == "clock_set"] == [AHEAD, -AHEAD]


async def test_entries_dropped_by_a_wrong_clock_are_fetched_again_once_it_is_corrected() -> None:
    machine = Machine(ahead=AHEAD)
    async with anyio.create_task_group() as tasks:
        await tasks.start(machine.follower.run)
        await anyio.sleep(130)
        assert machine.refused == set()
        machine.ahead = 0
        assert machine.refused is None
        await anyio.sleep(3)
        assert machine.refused == {"a"}
        tasks.cancel_scope.cancel()


async def test_without_the_control_plane_a_gate_with_dropped_entries_stays_closed() -> None:
    machine = Machine(ahead=AHEAD)
    async with anyio.create_task_group() as tasks:
        await tasks.start(machine.follower.run)
        await anyio.sleep(130)
        machine.ahead, machine.plane.is_away = 0, True
        await anyio.sleep(60)
        assert machine.refused is None
        machine.plane.is_away = False
        await anyio.sleep(15)
        assert machine.refused == {"a"}
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("leap", [AHEAD, -AHEAD])
async def test_staleness_is_measured_by_elapsed_time_not_by_the_clock(leap: float) -> None:
    machine = Machine(max_stale_seconds=100)
    async with anyio.create_task_group() as tasks:
        await tasks.start(machine.follower.run)
        await anyio.sleep(5)
        machine.plane.is_away = True
        machine.ahead = leap
        await anyio.sleep(90)
        assert machine.refused == {"a"}
        await anyio.sleep(20)
        assert machine.refused is None
        tasks.cancel_scope.cancel()


async def test_a_revocation_made_while_the_clock_is_set_is_in_force_a_second_later() -> None:
    machine = Machine()
    async with anyio.create_task_group() as tasks:
        await tasks.start(machine.follower.run)
        await anyio.sleep(10)
        machine.ahead = -HOURS
        machine.plane.codes.append("b")
        await anyio.sleep(2)
        assert machine.refused == {"a", "b"}
        machine.plane.codes.append("c")
        await anyio.sleep(1)
        assert machine.refused == {"a", "b", "c"}
        tasks.cancel_scope.cancel()
