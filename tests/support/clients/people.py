"""Test users over real HTTP: an organiser at the admin API and viewers at the portal's API."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.support.leaks import remember
from tests.support.services.stack import ADMIN_PASSWORD


@dataclass(frozen=True)
class IssuedTicket:
    id: str
    code: str


class Organiser:
    """Signed in as the owner."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/api/admin", timeout=30)
        self._http.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()

    def create_event(self, **values: Any) -> str:
        now = datetime.now(UTC)
        draft = {
            "title": "Concert",
            "startsAt": (now - timedelta(hours=1)).isoformat(),
            "endsAt": (now + timedelta(hours=5)).isoformat(),
        }
        answer = self._http.post("/events", json=draft | values)
        return str(self._data(answer)["id"])

    def tickets(self, event_id: str, count: int = 1) -> list[IssuedTicket]:
        answer = self._http.post(f"/events/{event_id}/tokens/generate", json={"count": count})
        made = [IssuedTicket(row["id"], row["code"]) for row in self._data(answer)]
        remember(*(ticket.code for ticket in made))
        return made

    def end_earlier(self, event_id: str, hours: int) -> None:
        """Move the end of the event and of its tickets to so many hours from now."""
        self.change(event_id, endsAt=(datetime.now(UTC) + timedelta(hours=hours)).isoformat())

    def change(self, event_id: str, **values: Any) -> None:
        known = self._data(self._http.get(f"/events/{event_id}"))
        kept = ("title", "startsAt", "endsAt", "accessWindowHours", "sessionPolicy", "maxDevices", "version")
        self._data(self._http.put(f"/events/{event_id}", json={name: known[name] for name in kept} | values))

    def delete(self, ticket: IssuedTicket) -> None:
        self._http.delete(f"/tokens/{ticket.id}").raise_for_status()

    def kick_all(self, event_id: str) -> None:
        """Kick all viewers of an event."""
        for session in self._data(self._http.get("/sessions", params={"eventId": event_id})):
            self._http.delete(f"/sessions/{session['sid']}").raise_for_status()

    def show_origin(self, event_id: str, header: str | None = None, query: str | None = None) -> dict[str, Any]:
        """Set the credentials for the event's own origin."""
        remember(*filter(None, (header, query)))
        answer = self._http.put(f"/events/{event_id}/origin-credentials", json={"header": header, "query": query})
        found: dict[str, Any] = self._data(answer)
        return found

    def test_stream(self, event_id: str) -> str:
        """Return the result of a stream test, as JSON."""
        return self._http.post(f"/events/{event_id}/test-stream").raise_for_status().text

    def revoke(self, ticket: IssuedTicket) -> None:
        self._data(self._http.patch(f"/tokens/{ticket.id}/revoke"))

    def unrevoke(self, ticket: IssuedTicket) -> None:
        self._data(self._http.patch(f"/tokens/{ticket.id}/unrevoke"))

    def deactivate(self, event_id: str) -> None:
        self._data(self._http.patch(f"/events/{event_id}/deactivate"))

    def reactivate(self, event_id: str) -> None:
        self._data(self._http.patch(f"/events/{event_id}/reactivate"))

    def open_doors(self, event_id: str) -> None:
        self._data(self._http.patch(f"/events/{event_id}/open-doors"))

    def close_doors(self, event_id: str) -> None:
        self._data(self._http.patch(f"/events/{event_id}/close-doors"))

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def _data(answer: httpx2.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()["data"]


class Viewer:
    """One device with its own cookies."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=30)
        self.token = ""
        self.stream = ""

    def redeem(self, code: str, *, takeover: bool = False) -> httpx2.Response:
        answer = self.http.post("/api/tokens/validate", json={"code": code, "takeover": takeover})
        if answer.is_success:
            self.token, self.stream = answer.json()["playbackToken"], answer.json()["streamPath"]
            remember(self.token, *answer.cookies.values())
        return answer

    def watch(self, name: str = "stream.m3u8", token: str | None = None) -> httpx2.Response:
        """Request a file of the stream with the token in the header."""
        path = self.stream.removesuffix("stream.m3u8") + name
        return self.http.get(path, headers={"Authorization": f"Bearer {token or self.token}"})

    def post(self, path: str) -> httpx2.Response:
        return self.http.post(path, headers={"Authorization": f"Bearer {self.token}"})

    def close(self) -> None:
        self.http.close()
