"""Setting the clock is detected, drift is not, and the clock is trusted again after some time."""

import pytest

from authz_sidecar.contract.steady_clock import SteadyClock


class Clocks:
    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0

    def go_on(self, seconds: float, *, drift: float = 0) -> None:
        self.wall += seconds + drift
        self.steady += seconds


@pytest.mark.parametrize("leap", [7200, -7200, 6, -6, 10**9])
def test_a_clock_that_is_set_is_noticed_once_and_not_trusted_for_ten_minutes(leap: float) -> None:
    clocks = Clocks()
    clock = SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    clocks.go_on(60)
    assert (clock.check(), clock.is_trusted) == (0, True)
    clocks.wall += leap
    assert (clock.check(), clock.is_trusted) == (leap, False)
    clocks.go_on(600)
    assert (clock.check(), clock.is_trusted) == (0, False)
    clocks.go_on(1)
    assert clock.is_trusted


def test_drift_and_steps_of_a_time_service_are_not_detected() -> None:
    clocks = Clocks()
    clock = SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    for _ in range(1000):
        clocks.go_on(1, drift=0.5)
        assert (clock.check(), clock.is_trusted) == (0, True)


def test_a_clock_that_is_set_back_is_detected_again() -> None:
    clocks = Clocks()
    clock = SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    clocks.wall += 7200
    assert clock.check() == 7200
    clocks.go_on(590)
    clocks.wall -= 7200
    assert clock.check() == -7200
    clocks.go_on(590)
    assert not clock.is_trusted
