"""Real players, each with several streams at once: hls.js, Chromium, WebKitGTK, VLC, ffmpeg.

Each player is tested with the carriers that it can send. None of them gets help to work around a refusal.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from playwright.sync_api import Browser

from control_plane.ops.binaries import find_ffmpeg
from tests.support.browsers.webkit import PlayerHangs, WebKit
from tests.support.media.video import FRAMES_PER_SECOND
from tests.support.waiting import eventually

ENOUGH_SECONDS: Final = 2.0
ENOUGH_FRAMES: Final = 15
PATIENCE: Final = 40.0
PATIENCE_WITH_THE_LOST: Final = 15.0

_FRAMES: Final = ("-map", "0:v:0", "-f", "framecrc", "-")  # one line per decoded frame
_PUT_ON: Final = """async (sources) => {
    document.body.replaceChildren();
    const lib = sources.some(source => source.hls) && await import("/static/vendor/player.js");
    for (const { code } of sources.filter(source => source.code)) {
        await fetch("/api/tokens/validate", { method: "POST", body: JSON.stringify({ code }) });
    }
    for (const { name, url, token, hls } of sources) {
        const video = Object.assign(document.createElement("video"), { id: name, muted: true, playsInline: true });
        video.width = 160;
        document.body.append(video);
        if (hls) {
            const player = new lib.Hls({ workerPath: "/static/vendor/hls.worker.js", xhrSetup: (request) => {
                if (token) request.setRequestHeader("Authorization", `Bearer ${token}`); } });
            player.loadSource(url);
            player.attachMedia(video);
            player.on(lib.Hls.Events.ERROR, (_, { fatal, details }) => { if (fatal) video.dataset.problem = details; });
            player.on(lib.Hls.Events.MANIFEST_PARSED, () => { player.subtitleTrack = 0; });
        } else {
            video.src = url;
        }
        video.textTracks.onaddtrack = ({ track }) => { track.mode = "showing"; };
        video.play().catch(() => {});
    }
}"""
# With many videos at once, WebKitGTK's pipeline sometimes does not start although it has segments; loading again helps.
_AGAIN: Final = """names => names.map(name => document.getElementById(name)).filter(video => video.src && !video.error)
    .forEach(video => { video.load(); video.play().catch(() => {}); })"""
_LOOK: Final = """() => Object.fromEntries([...document.querySelectorAll("video")].map(video => [video.id,
    [video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames,
     video.dataset.problem ?? (video.error && `${video.error.code} ${video.error.message}`)]]))"""


@dataclass(frozen=True)
class PlayerSource:
    """A stream as given to a player. The URL contains the token if the carrier is path or query."""

    url: str
    carrier: str
    code: str
    token: str

    @property
    def header(self) -> str:
        """The header line that a player has to send, if any."""
        lines = {"header": f"Authorization: Bearer {self.token}", "cookie": f"Cookie: sg_playback={self.token}"}
        return lines.get(self.carrier, "")


@dataclass(frozen=True)
class PlayerResult:
    """How far a player got."""

    seconds: float
    frames: int
    problem: str = ""

    @property
    def is_playing(self) -> bool:
        return self.seconds >= ENOUGH_SECONDS and self.frames >= ENOUGH_FRAMES


class Player(Protocol):
    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        """Start all of them at the same time, and wait until they play or have failed.

        Those in `lost` are not expected to play: the test does not wait for them once the others play.
        """


class PlayerPage:
    """Videos on a page of the portal, under its content security policy."""

    def __init__(self, run: Callable[[str, list[Any]], Any], *, with_hls_js: bool = False) -> None:
        self._run = run
        self._with_hls_js = with_hls_js

    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        hopeful = self._play({name: source for name, source in sources.items() if name not in lost}, PATIENCE)
        hopeless = {name: source for name, source in sources.items() if name in lost}
        try:
            return hopeful | self._play(hopeless, PATIENCE_WITH_THE_LOST)
        except PlayerHangs as hang:
            return hopeful | dict.fromkeys(hopeless, PlayerResult(0, 0, str(hang)))

    def _play(self, sources: Mapping[str, PlayerSource], within: float) -> dict[str, PlayerResult]:
        self._run(_PUT_ON, [[self._described(name, source) for name, source in sources.items()]])
        seen: dict[str, PlayerResult] = {}

        def is_settled() -> bool:
            seen.update(
                {name: PlayerResult(at, frames, why or "") for name, (at, frames, why) in self._run(_LOOK, []).items()}
            )
            return all(one.is_playing or one.problem for one in seen.values())

        with suppress(AssertionError):
            eventually(is_settled, within / 2, every=0.25)
        self._run(_AGAIN, [[name for name, one in seen.items() if one.frames == 0]])
        with suppress(AssertionError):
            eventually(is_settled, within / 2, every=0.25)
        return seen

    def _described(self, name: str, source: PlayerSource) -> dict[str, Any]:
        token = source.token if source.carrier == "header" else ""
        code = source.code if source.carrier == "cookie" else ""
        return {"name": name, "url": source.url, "token": token, "code": code, "hls": self._with_hls_js}


class Chromium:
    """A new Chromium context at the portal, with hls.js or with native HLS."""

    def __init__(self, browser: Browser, portal: str, *, with_hls_js: bool) -> None:
        self._browser, self._portal, self._with_hls_js = browser, portal, with_hls_js

    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        context = self._browser.new_context()
        try:
            page = context.new_page()
            page.goto(self._portal)
            run = lambda script, given: page.evaluate(script, *given)  # noqa: E731 - an adapter
            return PlayerPage(run, with_hls_js=self._with_hls_js).play(sources, lost)
        finally:
            context.close()


class WebKitGtk:
    """MiniBrowser at the portal, with WebKitGTK's native HLS."""

    def __init__(self, portal: str, folder: Path) -> None:
        self._portal, self._folder = portal, folder

    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        with WebKit(self._folder) as browser:
            browser.go(self._portal)
            return PlayerPage(browser.run).play(sources, lost)


class Ffmpeg:
    """Decode for a while and count frames."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        running = {name: self._start(name, source) for name, source in sources.items()}
        return {name: self._seen(name, process, name in lost) for name, process in running.items()}

    def _start(self, name: str, source: PlayerSource) -> subprocess.Popen[bytes]:
        headers = ("-headers", f"{source.header}\r\n") if source.header else ()
        take = ("-t", "3", *_FRAMES)
        command = (find_ffmpeg(), "-v", "error", "-nostdin", *headers, "-i", source.url, *take)
        return _start(command, self._folder / name)

    def _seen(self, name: str, process: subprocess.Popen[bytes], is_lost: bool) -> PlayerResult:  # noqa: FBT001
        wait(process, PATIENCE_WITH_THE_LOST if is_lost else PATIENCE)
        return _counted(_output(self._folder / name), self._folder / name)


class Vlc:
    """Play for a while in real time and save the stream, whose frames ffmpeg counts. VLC refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def play(self, sources: Mapping[str, PlayerSource], lost: frozenset[str]) -> dict[str, PlayerResult]:
        running = {name: self._start(name, source) for name, source in sources.items()}
        return {name: self._seen(name, process, name in lost) for name, process in running.items()}

    def _start(self, name: str, source: PlayerSource) -> subprocess.Popen[bytes]:
        out = ("--sout", "#standard{access=file,mux=ts,dst=-}", "--run-time", "20", "--play-and-exit")
        command = ("cvlc", "--no-one-instance", "--no-interact", *out, source.url, "vlc://quit")
        return _start((*_as_nobody(), *command), self._folder / name, HOME="/nonexistent")

    def _seen(self, name: str, process: subprocess.Popen[bytes], is_lost: bool) -> PlayerResult:  # noqa: FBT001
        """Let it play until it has received enough: a busy machine may need longer than real time."""
        patience = PATIENCE_WITH_THE_LOST if is_lost else PATIENCE
        with suppress(AssertionError):
            eventually(lambda: process.poll() is not None or self._received(name).is_playing, patience, every=1.0)
        wait(process, 0)
        return self._received(name)

    def _received(self, name: str) -> PlayerResult:
        command = (find_ffmpeg(), "-v", "quiet", "-i", "-", *_FRAMES)
        given = _output(self._folder / name)
        counted = subprocess.run(command, input=given, capture_output=True, check=False).stdout
        return _counted(counted, self._folder / name)


def _counted(listed: bytes, files: Path) -> PlayerResult:
    frames = [line for line in listed.decode().splitlines() if line and not line.startswith("#")]
    return PlayerResult(len(frames) / FRAMES_PER_SECOND, len(frames), _complaints(files))


def _as_nobody() -> tuple[str, ...]:
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups") if os.geteuid() == 0 else ()


def _start(command: tuple[str, ...], files: Path, **env: str) -> subprocess.Popen[bytes]:
    with files.with_suffix(".out").open("wb") as output, files.with_suffix(".err").open("wb") as complaints:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints, env={**os.environ, **env}, cwd="/"
        )


def wait(process: subprocess.Popen[bytes], within: float) -> None:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _output(files: Path) -> bytes:
    return files.with_suffix(".out").read_bytes()


def _complaints(files: Path) -> str:
    return files.with_suffix(".err").read_text(errors="replace")[-2000:]
