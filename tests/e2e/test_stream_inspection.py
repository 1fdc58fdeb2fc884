"""Stream tests through real nginx: files that the gate would refuse are found, and all faults are reported at once."""

import json
from collections.abc import Callable, Iterator
from shutil import copyfile
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.services import forks
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH=500000\n"
HEADING = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
END = "#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def api(gate: StackUnderTest) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{gate.url}/api/admin", timeout=60) as client:
        client.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()
        yield client


@pytest.fixture(scope="module")
def crooked(gate: StackUnderTest, organiser: Organiser, recording: str) -> str:
    """The id of a running event whose stream has many faults."""
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
    return event_id


def test_the_whole_stream_is_read_through_the_gate(api: httpx2.Client, crooked: str) -> None:
    answer = api.post(f"/events/{crooked}/test-stream")
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


def test_the_doctor_finds_the_same_on_a_running_service(gate: StackUnderTest, crooked: str) -> None:
    said = forks.streamgate("doctor", "--json", "--home", gate.home, within=120)
    assert said.returncode == 1, said.stderr
    about = [finding for finding in json.loads(said.stdout)["data"] if finding["about"] == f"stream {crooked}"]
    assert {finding["what"].partition(".")[0] for finding in about} >= {"gone", "empty", "segment 1", "enc"}
    assert any("(404)" in finding["what"] for finding in about), "it was nginx that said so"
    assert all(finding["fix"] for finding in about if finding["level"] != "ok")


def test_the_console_shows_trouble_automatically_and_the_result_of_a_test(
    gate: StackUnderTest, open_device: Callable[..., BrowserDevice], crooked: str
) -> None:
    for size in ((390, 844), (1440, 900)):
        show_trouble(open_device(width=size[0], height=size[1]), crooked)
    log = (gate.home / "log" / "control.log").read_text().splitlines()
    assert len([line for line in log if '"event_trouble"' in line and crooked in line]) == 1


def show_trouble(device: BrowserDevice, event_id: str) -> None:
    page = device.page
    page.goto(f"{device.url}/admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Events").wait_for()
    page.goto(f"{device.url}/admin/events/{event_id}")
    eventually(lambda: page.reload() and "in trouble since" in page.content(), within=90, every=2)
    expect(page.locator(".notice.bad").get_by_text("gone.m3u8").first).to_be_visible()
    assert device.accessibility_faults() == []
    page.get_by_role("link", name="Test the stream").click()
    page.get_by_role("heading", name="What is wrong").wait_for(timeout=60_000)
    expect(page.get_by_text("segment 1.ts").first).to_be_visible()
    assert device.accessibility_faults() == []
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
