"""Helpers to probe a stream through a fake gate on a real socket."""

from datetime import timedelta
from typing import Final

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing
from control_plane.clock import utc_now
from control_plane.streams.playlist_reader import PlaylistReader
from control_plane.tables import Event, new_id
from tests.support.data.forging import SECRET
from tests.support.media.origin import Origin

NOW: Final = utc_now()
LIVE: Final = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n"
ENDED: Final = f"{LIVE}#EXT-X-ENDLIST\n"
MASTER: Final = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=465000,RESOLUTION=640x360,CODECS="avc1.42c01e"\n{uri}\n'


def reader_of(gate: Origin) -> PlaylistReader:
    return PlaylistReader(gate.url, KeySource.open(None, SECRET, KeyRing.for_signing))


def an_event(starts_in_hours: float = -1, ends_in_hours: float = 1) -> Event:
    starts, ends = NOW + timedelta(hours=starts_in_hours), NOW + timedelta(hours=ends_in_hours)
    return Event(id=new_id(), starts_at=starts, ends_at=ends, tokens_not_before=0, is_active=True)


def put(gate: Origin, event: Event, text: str, name: str = "stream.m3u8", **headers: str) -> None:
    gate.put(f"/streams/{event.id}/{name}", text, **headers)
