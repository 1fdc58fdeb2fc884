"""`python -m tests.soak.origin_outage [--seconds 60] [--own]`: an outage of an origin in mid-stream, as viewers see it.

Cached files must keep playing, even through a restart of nginx; others are 502 without delay; all recovers afterwards.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support.clients.people import Organiser
from tests.support.media.origin import Origin, growing_playlist
from tests.support.services.edge import EdgeUnderTest
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

_VIEWERS = 20
_LONGEST_ANSWER_SECONDS = 6.0  # two connection attempts of 2 s each, and a busy machine
_BACK_WITHIN_SECONDS = 20.0
_KEPT, _NOT_KEPT = ("stream.m3u8", "1.ts", "low/1.ts", "init.mp4"), ("2.ts", "enc.key", "other.m3u8")


@dataclass
class OutageRecord:
    """Responses during the outage, and what was wrong with them."""

    kept: Counter[int] = field(default_factory=Counter)
    not_kept: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def note(self, name: str, answer: httpx2.Response, before: bytes | None) -> None:
        counter, expected = (self.kept, 200) if name in _KEPT else (self.not_kept, 502)
        counter[answer.status_code] += 1
        seconds = answer.elapsed.total_seconds()
        self.slowest = max(self.slowest, seconds)
        if answer.status_code != expected or seconds > _LONGEST_ANSWER_SECONDS:
            self.wrong.append(f"{name}: {answer.status_code} after {seconds:.1f} s")
        elif before is not None and answer.content != before:
            self.wrong.append(f"{name}: other bytes than before")

    def __str__(self) -> str:
        return f"kept: {dict(self.kept)}, not kept: {dict(self.not_kept)}, slowest answer {self.slowest:.2f} s"


@dataclass
class Outage:
    """One stream of one origin, watched during an outage. `say` gets progress messages."""

    edge: EdgeUnderTest
    event: str
    folder: str
    say: Callable[[str], None]

    def run(self, seconds: float) -> OutageRecord:
        live = f"/{self.folder}/stream.m3u8"
        self.edge.origin.answer(live, growing_playlist())
        eventually(lambda: self.edge.get(self.event, "stream.m3u8").status_code == 200)
        for name in _KEPT:
            self.edge.get(self.event, name).raise_for_status()
        self.edge.origin.stop()
        before = {name: self.edge.get(self.event, name).content for name in _KEPT}
        self.say(f"the origin is down for {seconds:.0f} s, and nginx restarts after half of them")
        seen = self._watch(seconds / 2, before)
        self._restart_nginx()
        seen = self._watch(seconds / 2, before, seen)
        self.edge.origin.start()
        began = time.monotonic()
        eventually(lambda: self._is_well(before["stream.m3u8"]), _BACK_WITHIN_SECONDS, what="all is well again")
        self.say(f"the origin is back; all was well after {time.monotonic() - began:.1f} s")
        return seen

    def _watch(self, seconds: float, before: dict[str, bytes], seen: OutageRecord | None = None) -> OutageRecord:
        seen, end = seen or OutageRecord(), time.monotonic() + seconds
        while time.monotonic() < end:
            for name in (*_KEPT, *_NOT_KEPT):
                for answer in self.edge.together(self.event, name, _VIEWERS):
                    seen.note(name, answer, before.get(name))
        return seen

    def _restart_nginx(self) -> None:
        nginx = self.edge.gate.nginx
        nginx.stop()
        nginx.start()
        nginx.wait_ready()

    def _is_well(self, stale: bytes) -> bool:
        live = self.edge.get(self.event, "stream.m3u8")
        others = [self.edge.get(self.event, name).status_code for name in ("1.ts", "2.ts", "enc.key")]
        return live.status_code == 200 and live.content != stale and others == [200, 200, 200]


def run(home: Path, seconds: float, say: Callable[[str], None], *, own: bool = False) -> OutageRecord:
    """Run an outage of the common origin, or of the event's `own` one."""
    origin = Origin()
    host = {"UPSTREAM_ALLOWED_HOSTS": f"127.0.0.1:{origin.port}"}
    settings = host if own else {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": origin.url}
    with origin, StackUnderTest(home, settings=settings) as gate:
        folder = origin.add_event()
        event = folder
        if own:
            with closing(Organiser(gate.url)) as organiser:
                event = organiser.create_event(streamUrl=f"{origin.url}/{folder}/")
        return Outage(EdgeUnderTest(gate, origin), event, folder, say).run(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--own", action="store_true", help="the event names its own origin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seen = run(Path(name) / "home", arguments.seconds, print, own=arguments.own)
    print(seen)
    if seen.wrong:
        sys.exit("FAILED: " + "; ".join(seen.wrong[:20]))


if __name__ == "__main__":
    main()
