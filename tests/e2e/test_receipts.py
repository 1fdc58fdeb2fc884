"""Reports of a real edge: which revocations are in force there, and which sessions are watching."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.clients.people import Organiser, Viewer
from tests.support.services.databases import ON_BOTH_DATABASES
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually

pytestmark = ON_BOTH_DATABASES


@pytest.fixture(scope="module")
def api(gate: StackUnderTest) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{gate.url}/api/admin", timeout=30) as client:
        client.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()
        yield client


@pytest.fixture
def viewer(gate: StackUnderTest, organiser: Organiser) -> Iterator[Viewer]:
    """A viewer of an event with one segment."""
    event_id = organiser.create_event()
    (gate.streams / event_id).mkdir()
    (gate.streams / event_id / "1.ts").write_bytes(b"segment")
    person = Viewer(gate.url)
    person.redeem(organiser.tickets(event_id)[0].code)
    yield person
    person.close()


def test_an_edge_that_refuses_a_revoked_ticket_has_acknowledged_it(api: httpx2.Client, viewer: Viewer) -> None:
    assert viewer.watch("1.ts").status_code == 200
    [watching] = api.get("/sessions").json()["data"]
    cursor = api.patch(f"/tokens/{watching['ticketId']}/revoke").json()["revocation"]

    def receipt() -> dict[str, Any] | None:
        told: dict[str, Any] = api.get(f"/revocations/{cursor}").json()["data"]
        return told if told["inForceEverywhere"] and told["edges"] else None

    [edge] = (eventually(receipt) or {})["edges"]
    assert (edge["name"], edge["liveInstances"]) == ("local", 1)
    assert edge["afterSeconds"] < PUSHED_WITHIN
    assert viewer.watch("1.ts").status_code == 403


def test_a_player_without_heartbeats_is_reported_as_watching(api: httpx2.Client, viewer: Viewer) -> None:
    def reported() -> dict[str, Any] | None:
        assert viewer.watch("1.ts").status_code == 200
        [watching] = api.get("/sessions").json()["data"]
        return watching if watching["clients"] and watching["lastSeenAt"] > watching["since"] else None

    watching = eventually(reported, within=30, every=0.2, what="the report of activity")
    assert watching
    assert (watching["clients"], watching["isShared"]) == (1, False)
