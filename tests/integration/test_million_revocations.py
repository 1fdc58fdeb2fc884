"""Very many revoked codes are loaded with little memory, while the gate keeps answering. How fast: `make bench`."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.data.forging import fresh
from tests.support.data.million import ManyRevoked, code, many_revoked
from tests.support.services.sidecar import SidecarUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

MANY = short_or_long(100_000, 1_000_000)
MOST_MEGABYTES = 400
PATIENCE_SECONDS = 240  # for a busy machine


@pytest.fixture
def control_plane(tmp_path: Path) -> Iterator[ManyRevoked]:
    with many_revoked(tmp_path / "home", MANY) as running:
        yield running


@pytest.fixture
def sidecar(tmp_path: Path, control_plane: ManyRevoked) -> Iterator[SidecarUnderTest]:
    settings = {"INTERNAL_API_KEY": control_plane.internal_key}
    with SidecarUnderTest(tmp_path, control_plane.socket, settings) as running:
        yield running


def test_very_many_revoked_codes_are_in_force_and_survive_a_restart(
    sidecar: SidecarUnderTest, control_plane: ManyRevoked, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    eventually(lambda: sidecar.ask(fresh(sub="Innocent0001"))[0] == 204, within=PATIENCE_SECONDS)
    revoked = fresh(sub=code(0))
    eventually(lambda: sidecar.ask(revoked)[1] == "revoked" and sidecar.state_file.exists(), within=PATIENCE_SECONDS)
    knows_them_all(sidecar)
    shutil.copy(sidecar.state_file, saved)

    # A new epoch: the second set is built beside the first one, which it replaces as a whole.
    control_plane.begin_again_without(code(MANY - 1))
    still_cut, let_go, began = fresh(sub=code(0)), fresh(sub=code(MANY - 1)), time.monotonic()
    while sidecar.ask(let_go)[0] != 204:
        assert sidecar.ask(still_cut) == (403, "revoked")
        assert time.monotonic() - began < PATIENCE_SECONDS
    assert sidecar.megabytes("VmHWM") < MOST_MEGABYTES

    sidecar.service.kill()
    saved.replace(sidecar.state_file)
    with SidecarUnderTest(tmp_path, tmp_path / "nobody.sock") as away:
        knows_them_all(away)
        assert away.health()["controlPlane"] == "unreachable"
        assert away.megabytes("VmHWM") < MOST_MEGABYTES


def knows_them_all(sidecar: SidecarUnderTest) -> None:
    assert sidecar.health()["revocationCacheSize"] == MANY
    for number in (0, 1, MANY // 2, MANY - 1):
        assert sidecar.ask(fresh(sub=code(number))) == (403, "revoked")
    assert sidecar.ask(fresh(sub="Innocent0001")) == (204, None)
