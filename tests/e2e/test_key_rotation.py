"""Key rotation while viewers watch: real processes, and `streamgate key rotate` as an operator uses it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.clients.people import Organiser, Viewer
from tests.support.data.key_sets import ed25519_key, public, write_keys, write_text
from tests.support.media.streams import make_folder
from tests.support.services import forks
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays


@pytest.fixture
def own_gate(tmp_path: Path) -> Iterator[StackUnderTest]:
    """A stack with two sidecars and a plain secret, for one test only."""
    with StackUnderTest(tmp_path / "home", sidecars=2) as running:
        yield running


@pytest.fixture
def new_viewer(own_gate: StackUnderTest) -> Iterator[Callable[[], Viewer]]:
    organiser = Organiser(own_gate.url)
    event_id = organiser.create_event()
    make_folder(own_gate.streams, event_id)
    people: list[Viewer] = []

    def new() -> Viewer:
        person = Viewer(own_gate.url)
        people.append(person)
        person.redeem(organiser.tickets(event_id)[0].code).raise_for_status()
        return person

    yield new
    organiser.close()
    for person in people:
        person.close()


def key(home: Path, command: str, *options: str) -> Any:
    done = forks.streamgate("key", command, "--home", home, *options)
    done.check_returncode()
    return json.loads(done.stdout)


def kid_of(token: str) -> str | None:
    kid: str | None = jwt.get_unverified_header(token).get("kid")
    return kid


def signs(gate: StackUnderTest, kid: str) -> None:
    """Wait until the control plane has loaded a file with this key."""
    eventually(lambda: f'"{kid}"' in gate.control_plane.printed(), within=30)


def refresh(viewer: Viewer) -> str:
    """Get the next token and use it."""
    answer = viewer.post("/api/playback/refresh")
    assert answer.status_code == 200, answer.text
    viewer.token = answer.json()["playbackToken"]
    return viewer.token


@contextmanager
def polling(viewer: Viewer) -> Iterator[list[int]]:
    """Request segments continuously with the newest token; yield the statuses."""
    statuses: list[int] = []
    over = threading.Event()

    def poll() -> None:
        while not over.wait(0.01):
            statuses.append(viewer.watch("1.ts").status_code)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join(timeout=30)


def is_refused(viewer: Viewer, token: str, times: int = 6) -> bool:
    """Return whether repeated requests are refused; they are enough to reach every sidecar."""
    return {viewer.watch("1.ts", token).status_code for _ in range(times)} == {401}


def test_keys_are_rotated_without_a_restart_or_a_refused_request_until_an_old_one_is_removed(
    own_gate: StackUnderTest, new_viewer: Callable[[], Viewer]
) -> None:
    viewer, page = new_viewer(), new_viewer()
    tokens = [viewer.token]
    assert kid_of(viewer.token) is None
    with polling(viewer) as statuses:
        for options in (["--algorithm", "EdDSA"], [], ["--algorithm", "HS256"]):
            made = key(own_gate.home, "rotate", "--json", *options)
            signs(own_gate, made["kid"])
            assert kid_of(refresh(page)) == made["kid"]
            assert {page.watch("1.ts").status_code for _ in range(6)} == {200}
            tokens.append(refresh(viewer))
            assert kid_of(viewer.token) == made["kid"]
        for token in tokens:
            assert {page.watch("1.ts", token).status_code for _ in range(6)} == {200}
        made = key(own_gate.home, "rotate", "--json", "--keep", "1")
        assert made["dropped"][-1] is None
        eventually(lambda: all(made["kid"] in one.printed() for one in own_gate.sidecars), within=30)
        eventually(lambda: is_refused(page, tokens[0]), within=30)
        for token in tokens[:-1]:
            assert is_refused(page, token)
        signs(own_gate, made["kid"])
        assert kid_of(refresh(viewer)) == made["kid"]
        eventually(lambda: len(statuses) > 50, within=60, what="many were asked for all the while")
    assert set(statuses) == {200}
    assert page.http.post("/api/playback/refresh", headers={"Authorization": f"Bearer {tokens[0]}"}).status_code == 401


def test_an_invalid_key_file_is_logged_and_viewers_are_not_affected(
    own_gate: StackUnderTest, new_viewer: Callable[[], Viewer]
) -> None:
    viewer = new_viewer()
    key(own_gate.home, "rotate", "--json")
    file = own_gate.home / "keys" / "playback.json"
    write_text(file, file.read_bytes()[:-20])
    services = [own_gate.control_plane, *own_gate.sidecars]
    eventually(lambda: all("key_file_refused" in service.printed() for service in services), within=30)
    stays(lambda: viewer.watch("1.ts").status_code == 200, during=0.5)
    refresh(viewer)
    material = file.read_text().split('"k": "')[1][:20]
    assert not [service.spec.name for service in services if material in service.printed()]


def test_an_edge_with_public_keys_serves_and_a_control_plane_with_them_does_not_start(
    own_gate: StackUnderTest, new_viewer: Callable[[], Viewer]
) -> None:
    signs(own_gate, key(own_gate.home, "rotate", "--json", "--algorithm", "EdDSA", "--keep", "0")["kid"])
    exported = own_gate.home / "edge.json"
    write_text(exported, json.dumps(key(own_gate.home, "export-public")).encode())
    for sidecar in own_gate.sidecars:
        sidecar.kill()
        sidecar.start(PLAYBACK_KEYS_FILE=str(exported), PLAYBACK_SIGNING_SECRET="")
        sidecar.wait_ready()
    viewer = new_viewer()
    assert kid_of(viewer.token)
    assert {viewer.watch("1.ts").status_code for _ in range(6)} == {200}

    own_gate.control_plane.kill()
    spec = own_gate.control_plane.spec
    refused = forks.run(*spec.argv[2:], env={**spec.env, "PLAYBACK_KEYS_FILE": str(exported)})
    assert refused.returncode == 1
    sentence = "PLAYBACK_KEYS_FILE: the first key is public and can verify playback tokens, not sign them."
    assert refused.stderr.strip() == sentence


def test_a_control_plane_whose_new_file_has_only_public_keys_keeps_signing_with_its_key(
    own_gate: StackUnderTest, new_viewer: Callable[[], Viewer]
) -> None:
    made = key(own_gate.home, "rotate", "--json", "--algorithm", "EdDSA")
    viewer = new_viewer()
    signs(own_gate, made["kid"])
    write_keys(own_gate.home / "keys" / "playback.json", public(ed25519_key()))
    eventually(lambda: "not sign them" in own_gate.control_plane.printed(), within=30)
    assert kid_of(refresh(viewer)) == made["kid"]


def test_an_edge_with_its_own_file_learns_a_standby_key_before_it_signs(
    own_gate: StackUnderTest, new_viewer: Callable[[], Viewer]
) -> None:
    first = key(own_gate.home, "rotate", "--json", "--algorithm", "EdDSA", "--keep", "0")
    signs(own_gate, first["kid"])
    elsewhere = own_gate.home / "edge" / "keys.json"

    def send_public_keys() -> None:
        write_text(elsewhere, json.dumps(key(own_gate.home, "export-public")).encode())

    send_public_keys()
    for sidecar in own_gate.sidecars:
        sidecar.kill()
        sidecar.start(PLAYBACK_KEYS_FILE=str(elsewhere), PLAYBACK_SIGNING_SECRET="")
        sidecar.wait_ready()
    viewer = new_viewer()
    with polling(viewer) as statuses:
        second = key(own_gate.home, "rotate", "--json", "--standby")
        signs(own_gate, second["kid"])  # it is now in the control plane's ring, but not first
        assert kid_of(refresh(viewer)) == first["kid"]
        send_public_keys()
        assert key(own_gate.home, "rotate", "--json", "--promote")["kid"] == second["kid"]
        eventually(lambda: own_gate.control_plane.printed().count(second["kid"]) == 2, within=30)
        assert kid_of(refresh(viewer)) == second["kid"]
        assert {viewer.watch("1.ts").status_code for _ in range(6)} == {200}
    assert set(statuses) == {200}

    third = key(own_gate.home, "rotate", "--json")
    signs(own_gate, third["kid"])
    assert is_refused(viewer, refresh(viewer))  # the edge does not have the key, so it refuses
