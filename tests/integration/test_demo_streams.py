"""The demo's streams, made with the real ffmpeg."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops import demo_streams
from control_plane.ops.demo_streams import live_command, make_recording
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_streams, "RECORDING_SECONDS", 6)
        folder = tmp_path_factory.mktemp("streams 100%") / "event"
        make_recording(folder, lambda _done: None)
        return folder


@pytest.fixture
def live(tmp_path: Path) -> Path:
    (tmp_path / "540p_1.ts").write_text("of an earlier run")
    return tmp_path


@pytest.fixture
def encoder(live: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(live_command(live)) as running:
        yield running
        running.kill()


def playlist(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines()


def test_a_recording_has_two_qualities_with_measured_bandwidths(recording: Path) -> None:
    variants = [line for line in playlist(recording, "stream.m3u8") if line.startswith("#EXT-X-STREAM-INF")]
    assert len(variants) == 2
    for variant, size in zip(variants, ("1280x720", "640x360"), strict=True):
        assert f"RESOLUTION={size}" in variant
        assert "AVERAGE-BANDWIDTH=" in variant
        assert 'CODECS="avc1.' in variant
        assert "mp4a.40.2" in variant


def test_a_recording_has_ended_and_all_its_segments_exist(recording: Path) -> None:
    for name in ("720p.m3u8", "360p.m3u8"):
        lines = playlist(recording, name)
        assert lines[-1] == "#EXT-X-ENDLIST"
        segments = [line for line in lines if not line.startswith("#")]
        assert len(segments) == 3
        assert all((recording / segment).stat().st_size > 0 for segment in segments)


def test_a_recording_leaves_no_temporary_files(recording: Path) -> None:
    assert [entry.name for entry in recording.parent.iterdir()] == ["event"]


def test_a_failed_recording_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_streams, "find_ffmpeg", lambda: "/bin/false")
    with pytest.raises(OperatorError, match="ffmpeg could not make the recording"):
        make_recording(tmp_path / "event", lambda _done: None)
    assert not list(tmp_path.iterdir())


def segments(folder: Path, name: str) -> list[str]:
    file = folder / name
    return [line for line in file.read_text().splitlines() if not line.startswith("#")] if file.exists() else []


@pytest.mark.usefixtures("encoder")
def test_a_live_stream_begins_with_new_names_and_never_ends(live: Path) -> None:
    eventually(lambda: segments(live, "540p.m3u8") and segments(live, "270p.m3u8"), within=90)
    assert not (live / "540p_1.ts").exists()
    for name in ("540p.m3u8", "270p.m3u8"):
        lines = playlist(live, name)
        assert "#EXT-X-ENDLIST" not in lines
        number = int(next(line for line in lines if "MEDIA-SEQUENCE" in line).partition(":")[2])
        assert number > 1_700_000_000


def test_a_live_stream_continues_where_a_killed_encoder_stopped(live: Path, encoder: subprocess.Popen[bytes]) -> None:
    eventually(lambda: len(segments(live, "540p.m3u8")) >= 2, within=90)
    encoder.kill()
    encoder.wait()
    before = segments(live, "540p.m3u8")
    with subprocess.Popen(live_command(live)) as successor:
        eventually(lambda: len(segments(live, "540p.m3u8")) > len(before), within=90)
        successor.kill()
    after = segments(live, "540p.m3u8")
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)
    assert "#EXT-X-DISCONTINUITY" in playlist(live, "540p.m3u8")
    assert all((live / segment).exists() for segment in after)
