"""A faulty packager: it writes a live playlist of real segments every two seconds, with errors after a while."""

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.media.streams import Folder, put
from tests.support.media.video import LONG_RECORDING, SEGMENT_SECONDS, make_recording

_WINDOW = 5
_ENTRY = f"#EXTINF:{SEGMENT_SECONDS}.0,\n"
BREAK = "#EXT-X-DISCONTINUITY\n"


@dataclass(frozen=True)
class Listing:
    """One state of the playlist: its media sequence number and its entries, which are segment names or tags."""

    number: int
    entries: Sequence[str]

    def __str__(self) -> str:
        head = (
            f"#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}\n#EXT-X-MEDIA-SEQUENCE:{self.number}\n"
        )
        return head + "".join(entry if entry.startswith("#") else f"{_ENTRY}{entry}\n" for entry in self.entries)


def _window(newest: int, film: str = "one") -> list[str]:
    return [f"{film}{place}.ts" for place in range(max(0, newest - _WINDOW + 1), newest + 1)]


def numbers_again_from_0(newest: int, since: int) -> Listing:
    """List the same film with sequence numbers that restart."""
    return Listing(since, _window(newest))


def numbers_go_back_for_a_while(newest: int, since: int) -> Listing:
    """Serve an older and shorter list three times, like a mirror that is behind."""
    if since < 3:
        return Listing(newest - 9, _window(newest - 5)[:3])
    return Listing(newest - _WINDOW + 1, _window(newest))


def order_is_mixed_for_a_while(newest: int, since: int) -> Listing:
    """Swap two segments three times."""
    names = _window(newest)
    if since < 3:
        names[-2], names[-3] = names[-3], names[-2]
    return Listing(newest - _WINDOW + 1, names)


def another_film_after_a_break(newest: int, since: int) -> Listing:
    """Continue with another picture size and timestamps from 0, like a second encoder that takes over."""
    begun = newest - since
    names = [f"one{place}.ts" if place < begun else f"two{place - begun}.ts" for place in range(newest - 4, newest + 1)]
    if "two0.ts" in names:
        names.insert(names.index("two0.ts"), BREAK)
    return Listing(newest - _WINDOW + 1, names)


Fault = Callable[[int, int], Listing]
FAULTS: tuple[Fault, ...] = (
    numbers_again_from_0,
    numbers_go_back_for_a_while,
    order_is_mixed_for_a_while,
    another_film_after_a_break,
)


def make_films(folder: Path) -> None:
    """Add two films of five minutes, with different picture sizes."""
    made = folder / "made"
    make_recording(made, LONG_RECORDING)
    for film, rendition in (("one", "1"), ("two", "0")):
        for segment in (made / rendition).glob("*.ts"):
            shutil.copy(segment, folder / f"{film}{segment.name}")


@dataclass
class Packager:
    folder: Folder
    fault: Fault
    has_failed: threading.Event = field(default_factory=threading.Event)
    may_fail: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        newest, failed_at = _WINDOW - 1, 0
        while not self._stop.is_set():
            if self.may_fail.is_set():
                failed_at = failed_at or newest
                put(self.folder, "stream.m3u8", str(self.fault(newest, newest - failed_at)))
                if newest - failed_at >= 3:
                    self.has_failed.set()
            else:
                put(self.folder, "stream.m3u8", str(Listing(newest - _WINDOW + 1, _window(newest))))
            self._stop.wait(SEGMENT_SECONDS)
            newest += 1
