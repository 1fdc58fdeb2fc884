"""A gate that fetches its streams from an origin, and its viewers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.clients.fetching import fetch_on_and_on, fetch_together
from tests.support.data.tokens import Minter
from tests.support.media.origin import Origin
from tests.support.services.stack import StackUnderTest

UNAVAILABLE = {"error": "Stream source unavailable"}


@dataclass(frozen=True)
class EdgeUnderTest:
    gate: StackUnderTest
    origin: Origin

    def token(self, event_id: str) -> str:
        return Minter(self.gate.home).token(event_id)

    def get(self, event_id: str, name: str, method: str = "GET", **headers: str) -> httpx2.Response:
        sent = {"Authorization": f"Bearer {self.token(event_id)}"} | headers
        return httpx2.request(method, f"{self.gate.url}/streams/{event_id}/{name}", headers=sent, timeout=60)

    def together(self, event_id: str, name: str, viewers: int) -> list[httpx2.Response]:
        return fetch_together(f"{self.gate.url}/streams/{event_id}/{name}", self.token(event_id), viewers)

    def on_and_on(self, event_id: str, name: str, viewers: int, seconds: float) -> list[tuple[float, httpx2.Response]]:
        """Return each answer with the time of its request."""
        return fetch_on_and_on(f"{self.gate.url}/streams/{event_id}/{name}", self.token(event_id), viewers, seconds)


@contextmanager
def edge_of_an_origin(home: Path, **settings: str) -> Iterator[EdgeUnderTest]:
    """Run an origin and, in `home`, a gate that fetches missing files from it."""
    origin = Origin()
    with origin, StackUnderTest(home, settings={"UPSTREAM_ORIGIN": f"{origin.url}/"} | settings) as gate:
        yield EdgeUnderTest(gate, origin)
