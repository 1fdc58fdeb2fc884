"""A million revoked codes: taken over in seconds, in little memory, and the gate answers all the while."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.forging import with_claims
from tests.support.million import ManyRevoked, code
from tests.support.sidecar import ControlPlaneStub, SidecarUnderTest
from tests.support.waiting import eventually

MILLION = 1_000_000
MOST_SECONDS, MOST_MEGABYTES = 10, 400
NGINX_PATIENCE_SECONDS = 1  # proxy_read_timeout of nginx/locations/authorize.conf


class Watch:
    """Asks the sidecar again and again, and remembers the slowest answer."""

    def __init__(self, sidecar: SidecarUnderTest) -> None:
        self.slowest = 0.0
        self._sidecar = sidecar

    def ask(self, token: str) -> tuple[int, str | None]:
        began = time.monotonic()
        answer = self._sidecar.ask(token)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return answer


@pytest.fixture
def feed() -> ManyRevoked:
    return ManyRevoked(MILLION)


@pytest.fixture
def sidecar(tmp_path: Path, feed: ManyRevoked) -> Iterator[SidecarUnderTest]:
    with (
        ControlPlaneStub(tmp_path / "control.sock", feed.answer) as control_plane,
        SidecarUnderTest(tmp_path, control_plane.socket) as running,
    ):
        yield running


def test_a_million_revoked_codes_are_in_force_within_seconds_and_survive_a_restart(
    sidecar: SidecarUnderTest, feed: ManyRevoked, tmp_path: Path
) -> None:
    watch, began = Watch(sidecar), time.monotonic()
    eventually(lambda: watch.ask(fresh(sub="Innocent0001"))[0] == 204, within=30)
    assert time.monotonic() - began < MOST_SECONDS
    eventually(lambda: watch.ask(fresh(sub=code(0)))[1] == "revoked" and sidecar.state_file.exists(), within=30)
    knows_a_million(sidecar)

    # Another epoch: the second million is built beside the first and swapped in whole.
    feed.count, feed.epoch = MILLION - 1, "second"
    still_cut, let_go = fresh(sub=code(0)), fresh(sub=code(MILLION - 1))
    while watch.ask(let_go)[0] != 204:
        assert watch.ask(still_cut) == (403, "revoked")
        assert time.monotonic() - began < 60
    assert sidecar.megabytes("VmHWM") < MOST_MEGABYTES
    assert watch.slowest < NGINX_PATIENCE_SECONDS

    sidecar.service.kill()
    with SidecarUnderTest(tmp_path, tmp_path / "nobody.sock") as away:
        knows_a_million(away)
        assert away.health()["controlPlane"] == "unreachable"
        assert away.megabytes("VmHWM") < MOST_MEGABYTES


def knows_a_million(sidecar: SidecarUnderTest) -> None:
    assert sidecar.health()["revocationCacheSize"] == MILLION
    for number in (0, 1, 499_999, MILLION - 1):
        assert sidecar.ask(fresh(sub=code(number))) == (403, "revoked")
    assert sidecar.ask(fresh(sub="Innocent0001")) == (204, None)


def fresh(**claims: Any) -> str:
    now = int(time.time())
    return with_claims(**{"iat": now, "exp": now + 600} | claims)
