"""The description of the processes: who learns what, and where sockets lie."""

import stat
from pathlib import Path

import pytest

from authz_sidecar.settings import SidecarSettings
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.processes import SIDECAR_SETTINGS, local_url, stack
from tests.support.home import new_home

SET_FOR_EACH_SIDECAR = {"CONTROL_PLANE_URL", "SIDECAR_STATE_FILE"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    new_home(tmp_path / "home")
    return tmp_path / "home"


def test_every_setting_of_the_sidecar_reaches_it() -> None:
    assert {name.upper() for name in SidecarSettings.model_fields} <= {*SIDECAR_SETTINGS, *SET_FOR_EACH_SIDECAR}


def test_no_process_learns_what_is_not_its_business(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@host")
    described = stack(home, sidecars=2)
    for sidecar in described.sidecars:
        assert not {"ADMIN_PASSWORD_HASH", "SETUP_LINK_FILE", "DATABASE_URL", "REDIS_URL"} & set(sidecar.env)
        assert "PLAYBACK_SIGNING_SECRET" in sidecar.env
    assert not {"PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY", "DATABASE_URL"} & set(described.nginx.env)
    assert "ADMIN_PASSWORD_HASH" in described.control_plane.env
    assert described.control_plane.env["SETUP_LINK_FILE"].endswith("/setup-link")


def test_a_description_does_not_print_secrets(home: Path) -> None:
    described = stack(home)
    assert described.control_plane.env["INTERNAL_API_KEY"] not in repr(described)


def test_each_sidecar_keeps_its_own_state(home: Path) -> None:
    first, second = stack(home, sidecars=2).sidecars
    assert first.env["SIDECAR_STATE_FILE"] != second.env["SIDECAR_STATE_FILE"]


def test_nginx_is_the_last_to_start(home: Path) -> None:
    described = stack(home, sidecars=2)
    assert described.tiers[-1] == (described.nginx,)


@pytest.mark.parametrize("folder", ["x" * 120, "with space", "with;semicolon"])
def test_sockets_of_a_long_or_odd_home_lie_in_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    new_home(tmp_path / folder)
    stack(tmp_path / folder)
    (private,) = tmp_path.glob("streamgate-*")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    private.chmod(0o755)
    with pytest.raises(OperatorError, match="not a private folder"):
        stack(tmp_path / folder)


def test_a_stream_root_that_is_missing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ROOT", str(home / "nowhere"))
    with pytest.raises(OperatorError, match="STREAM_ROOT is not a folder"):
        stack(home)


def test_no_source_of_streams_at_all_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ROOT", "")
    with pytest.raises(OperatorError, match="Neither STREAM_ROOT nor UPSTREAM_ORIGIN is set"):
        stack(home)


def test_sidecars_learn_of_a_cache_only_where_there_is_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_CACHE_ROOT", str(home / "segments"))
    assert stack(home).sidecars[0].env["SEGMENT_CACHE_ROOT"] == ""
    monkeypatch.setenv("UPSTREAM_ORIGIN", "http://127.0.0.1:9")
    assert stack(home).sidecars[0].env["SEGMENT_CACHE_ROOT"] == str(home / "segments")


@pytest.mark.parametrize("host", ["", "everywhere", "127.0.0.1; include x", "1.2.3"])
def test_an_address_to_listen_on_must_be_one(home: Path, host: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        stack(home, host=host)


@pytest.mark.parametrize("sidecars", [0, -1, 65])
def test_there_are_some_sidecars_but_not_too_many(home: Path, sidecars: int) -> None:
    with pytest.raises(UsageError, match="number of sidecars"):
        stack(home, sidecars)


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("127.0.0.2", "http://127.0.0.2:80")],  # noqa: S104
)
def test_what_listens_everywhere_is_reached_at_loopback(host: str, url: str) -> None:
    assert local_url(host, 80) == url
