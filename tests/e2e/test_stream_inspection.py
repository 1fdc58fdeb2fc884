"""Test-stream through real nginx: what the gate would refuse is found, and everything that is wrong is told at once."""

from collections.abc import Iterator
from shutil import copyfile
from typing import Any

import httpx2
import pytest

from tests.support.people import Organiser
from tests.support.stack import ADMIN_PASSWORD, StackUnderTest

VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH=500000\n"
HEADING = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
END = "#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def api(gate: StackUnderTest) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{gate.url}/api/admin", timeout=60) as client:
        client.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()
        yield client


def test_the_whole_tree_is_read_through_the_gate(
    gate: StackUnderTest, organiser: Organiser, api: httpx2.Client, recording: str
) -> None:
    event_id = organiser.create_event(title="Crooked")
    folder = gate.streams / event_id
    folder.mkdir()
    for name in ("segment 1.ts", "SEG.TS", "1.ts"):
        copyfile(gate.streams / recording / "0" / "0.ts", folder / name)
    (folder / "empty.ts").touch()
    playlists = {
        "stream": "#EXTM3U\n" + "".join(f"{VARIANT}{name}.m3u8\n" for name in ("good", "gone", "spaces", "locked")),
        "good": f"{HEADING}#EXTINF:2,\nSEG.TS\n#EXTINF:2,\nempty.ts\n{END}",
        "spaces": f"{HEADING}#EXTINF:2,\nsegment 1.ts\n#EXTINF:2,\nseg:12.ts\n{END}",
        "locked": f'{HEADING}#EXT-X-KEY:METHOD=AES-128,URI="enc.key"\n#EXTINF:2,\n1.ts\n{END}',
    }
    for name, text in playlists.items():
        (folder / f"{name}.m3u8").write_text(text)
    answer = api.post(f"/events/{event_id}/test-stream")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    assert (found["isReachable"], found["state"]) == (True, "recording")
    assert {(fault["file"], fault["reason"]) for fault in found["faults"]} == {
        ("gone.m3u8", "missing"),
        ("empty.ts", "empty"),
        ("segment 1.ts", "name"),
        ("seg:12.ts", "name"),
        ("enc.key", "missing"),
    }
    assert found["problem"].partition(":")[0] in {fault["file"] for fault in found["faults"]}
    good = found["renditions"][0]
    assert (good["file"], good["formats"]) == ("good.m3u8", ["H.264", "AAC"])
