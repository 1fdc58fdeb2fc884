"""The description of the processes: which settings each gets, and where the sockets are."""

import stat
from pathlib import Path

import pytest

from authz_sidecar.settings import SidecarSettings
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.processes import SIDECAR_SETTINGS, ProcessSpec, Stack, local_url, prepare_stack
from tests.support.services.home import new_home

SET_FOR_EACH_SIDECAR = {"CONTROL_PLANE_URL", "SIDECAR_STATE_FILE"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    new_home(tmp_path / "home")
    return tmp_path / "home"


def named(stack: Stack, name: str) -> ProcessSpec:
    return next(spec for spec in stack.processes if spec.name == name)


def test_every_setting_of_the_sidecar_is_passed_to_it() -> None:
    assert {name.upper() for name in SidecarSettings.model_fields} <= {*SIDECAR_SETTINGS, *SET_FOR_EACH_SIDECAR}


def test_no_process_gets_settings_that_it_does_not_need(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@host")
    described = prepare_stack(home, sidecars=2)
    for sidecar in described.tiers[1]:
        assert not {"ADMIN_PASSWORD_HASH", "SETUP_LINK_FILE", "DATABASE_URL", "REDIS_URL"} & set(sidecar.env)
        assert "PLAYBACK_SIGNING_SECRET" in sidecar.env
    assert not {"PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY", "DATABASE_URL"} & set(named(described, "nginx").env)
    assert "ADMIN_PASSWORD_HASH" in named(described, "control").env
    assert named(described, "control").env["SETUP_LINK_FILE"].endswith("/setup-link")


def test_a_description_does_not_print_secrets(home: Path) -> None:
    described = prepare_stack(home)
    assert named(described, "control").env["INTERNAL_API_KEY"] not in repr(described)


def test_each_sidecar_keeps_its_own_state(home: Path) -> None:
    first, second = prepare_stack(home, sidecars=2).tiers[1]
    assert first.env["SIDECAR_STATE_FILE"] != second.env["SIDECAR_STATE_FILE"]


def test_nginx_is_the_last_to_start(home: Path) -> None:
    described = prepare_stack(home, sidecars=2)
    assert [spec.name for spec in described.tiers[-1]] == ["nginx"]


@pytest.mark.parametrize("folder", ["x" * 120, "with space", "with;semicolon"])
def test_sockets_of_a_home_with_a_long_or_odd_path_are_in_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    new_home(tmp_path / folder)
    prepare_stack(tmp_path / folder)
    (private,) = tmp_path.glob("streamgate-*")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    private.chmod(0o755)
    with pytest.raises(OperatorError, match="not a private folder"):
        prepare_stack(tmp_path / folder)


def test_a_missing_stream_root_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ROOT", str(home / "nowhere"))
    with pytest.raises(OperatorError, match="STREAM_ROOT is not a folder"):
        prepare_stack(home)


def test_a_missing_source_of_streams_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ROOT", "")
    with pytest.raises(OperatorError, match="Neither STREAM_ROOT nor UPSTREAM_ORIGIN is set"):
        prepare_stack(home)


def test_sidecars_get_a_cache_folder_only_if_there_is_a_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_CACHE_ROOT", str(home / "segments"))
    assert named(prepare_stack(home), "sidecar-1").env["SEGMENT_CACHE_ROOT"] == ""
    monkeypatch.setenv("UPSTREAM_ORIGIN", "http://127.0.0.1:9")
    assert named(prepare_stack(home), "sidecar-1").env["SEGMENT_CACHE_ROOT"] == str(home / "segments")


@pytest.mark.parametrize("host", ["", "everywhere", "127.0.0.1; include x", "1.2.3"])
def test_an_invalid_listen_address_is_refused(home: Path, host: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        prepare_stack(home, host=host)


@pytest.mark.parametrize("sidecars", [0, -1, 65])
def test_the_number_of_sidecars_is_bounded(home: Path, sidecars: int) -> None:
    with pytest.raises(UsageError, match="number of sidecars"):
        prepare_stack(home, sidecars)


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("127.0.0.2", "http://127.0.0.2:80")],  # noqa: S104
)
def test_a_wildcard_address_is_reached_at_loopback(host: str, url: str) -> None:
    assert local_url(host, 80) == url
