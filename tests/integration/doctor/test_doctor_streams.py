"""`streamgate doctor` reads the streams of running events, and names each file that would not play."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.data.doctoring import EVENT_ID, PLAYLIST, Doctor, add_event, change, wrong
from tests.support.services.command import Streamgate


def test_a_running_event_without_a_folder_is_an_error_and_a_later_one_a_warning(
    streamgate: Streamgate, doctor: Doctor, home: Path
) -> None:
    add_event(streamgate, home)
    assert wrong(doctor(), f"stream {EVENT_ID}").level == "error"
    change(home, "UPDATE event SET starts_at = '2090-01-01 12:00:00', ends_at = '2090-01-01 14:00:00'")
    assert wrong(doctor(), f"stream {EVENT_ID}").level == "warning"


def test_a_closed_event_needs_no_stream(streamgate: Streamgate, doctor: Doctor, home: Path) -> None:
    add_event(streamgate, home)
    streamgate("event", "deactivate", EVENT_ID, "--home", home)
    assert [finding for finding in doctor() if finding.about.startswith("stream ")] == []


def test_a_folder_without_the_playlist_is_an_error(doctor: Doctor, folder: Path) -> None:
    (folder / "stream.m3u8").rename(folder / "index.m3u8")
    assert "no stream.m3u8" in wrong(doctor(), f"stream {EVENT_ID}").what


def test_each_file_that_would_not_play_is_named_with_its_reason(doctor: Doctor, folder: Path) -> None:
    variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    playlist = PLAYLIST.format("segment 1") + "#EXT-X-ENDLIST\n"
    (folder / "stream.m3u8").write_text(f"#EXTM3U\n{variant}gone.m3u8\n{variant}odd.m3u8\n")
    (folder / "odd.m3u8").write_text(playlist)
    findings = [finding for finding in doctor() if finding.about == f"stream {EVENT_ID}" and finding.level != "ok"]
    assert {finding.what.partition(":")[0] for finding in findings} == {"gone.m3u8", "segment 1.ts"}
    assert {finding.level for finding in findings} == {"error"}
    assert any("a space" in finding.what for finding in findings)


def test_a_symbolic_link_is_an_error_since_nginx_follows_none(doctor: Doctor, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in wrong(doctor(), f"stream {EVENT_ID}").what


def test_a_playlist_that_is_rewritten_in_place_is_detected(doctor: Doctor, folder: Path) -> None:
    playlist = folder / "stream.m3u8"
    with writing(playlist.write_text):
        finding = wrong(doctor(), str(playlist))
    assert finding.level == "warning"
    assert "temp_file" in finding.fix


def test_a_playlist_that_is_renamed_into_place_is_ok(doctor: Doctor, folder: Path) -> None:
    def write(text: str) -> None:
        (folder / "stream.m3u8.tmp").write_text(text)
        (folder / "stream.m3u8.tmp").replace(folder / "stream.m3u8")

    with writing(write):
        findings = doctor()
    assert [finding.level for finding in findings if finding.about == "live playlists"] == ["ok"]
    assert not any("in place" in finding.what for finding in findings)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_stream_that_cannot_be_read_is_an_error(doctor: Doctor, folder: Path) -> None:
    (folder / "stream.m3u8").chmod(0)
    assert "cannot be read" in wrong(doctor(), f"stream {EVENT_ID}").what


@contextmanager
def writing(write: Callable[[str], object]) -> Iterator[None]:
    """Run an encoder that writes a new playlist four times a second."""
    over = threading.Event()

    def encode() -> None:
        number = 0
        while not over.wait(0.25):
            write(PLAYLIST.format(number := number + 1))

    write(PLAYLIST.format(0))
    encoder = threading.Thread(target=encode)
    encoder.start()
    try:
        yield
    finally:
        over.set()
        encoder.join()
