"""The sidecar's HTTP client for the control plane: fetches revocations and origins, and reports activity.

It never follows a redirect and never logs what it sends.
"""

import secrets
from typing import Any, Final, NamedTuple

import anyio
import httpx2

from authz_sidecar.clock_check import ClockCheck
from authz_sidecar.settings import SidecarSettings

_ANSWER_MARGIN_SECONDS: Final = 5.0
_ORIGINS_POLL_SECONDS: Final = 2.0  # poll interval for an older control plane, whose feed does not announce origins
_ORIGINS_FALLBACK_SECONDS: Final = 60.0
_REPORT_REFUSED: Final = (400, 413, 422)


class ReportRefused(Exception):
    """The control plane rejected a report as invalid; sending it again would not help."""


class FeedAnswer(NamedTuple):
    """A page of the feed as received, and the cursor of the snapshot's next page, if there is one."""

    body: bytes
    following: str | None = None


class ControlPlaneLink:
    """The control plane at `http://...`, `https://...` or `unix:/path`."""

    def __init__(self, settings: SidecarSettings) -> None:
        wait = settings.revocation_poll_interval_ms / 1000
        uds = settings.control_plane_url.removeprefix("unix:") if settings.control_plane_url[:5] == "unix:" else None
        self._client = httpx2.AsyncClient(
            # No TLS context for plain HTTP: loading the machine's certificates takes 40 ms.
            transport=httpx2.AsyncHTTPTransport(uds=uds, verify=settings.control_plane_url.startswith("https:")),
            base_url="http://control-plane" if uds else settings.control_plane_url,
            headers={"X-Internal-Api-Key": settings.internal_api_key.get_secret_value()},
            timeout=httpx2.Timeout(_ANSWER_MARGIN_SECONDS, read=wait + _ANSWER_MARGIN_SECONDS),
        )
        self.clock_check = ClockCheck()
        self._wait = f"{wait:g}"
        self._identity = {"edge": settings.edge_name, "instance": secrets.token_hex(4)}
        self._origins_tag: str | None = None  # the tag that came with the feed; None if it sent none
        self._origins_changed = anyio.Event()

    async def ask(self, cursor: str, *, wait: bool) -> FeedAnswer:
        """Return the page after the cursor; with `wait`, once there are changes or the poll interval is over."""
        query = self._identity | {"cursor": cursor, "wait": self._wait if wait else "0"}
        query["origins"] = self._origins_tag or ""
        asked_at = self.clock_check.now()
        response = await self._client.get("/internal/feed", params=query)
        response.raise_for_status()
        self.clock_check.note(response.headers.get("Date"), asked_at)
        self._note_origins(response.headers.get("X-Origins"))
        following = response.links.get("next", {}).get("url", "")
        return FeedAnswer(response.content, httpx2.URL(following).params.get("cursor"))

    async def report(self, columns: dict[str, list[Any]]) -> None:
        """Report which sessions are watching. Raise ReportRefused, httpx2.HTTPError or OSError."""
        body = {**self._identity, **columns}
        asked_at = self.clock_check.now()
        response = await self._client.post("/internal/activity", json=body, timeout=_ANSWER_MARGIN_SECONDS)
        self.clock_check.note(response.headers.get("Date"), asked_at)
        if response.status_code in _REPORT_REFUSED:
            raise ReportRefused(f"answered {response.status_code}")
        response.raise_for_status()

    def _note_origins(self, tag: str | None) -> None:
        if tag != self._origins_tag:
            self._origins_tag = tag
            self._origins_changed.set()

    async def origins_may_differ(self) -> None:
        """Return once the list may have changed: when the feed announces it, or after a fixed time."""
        with anyio.move_on_after(_ORIGINS_POLL_SECONDS if self._origins_tag is None else _ORIGINS_FALLBACK_SECONDS):
            await self._origins_changed.wait()
        self._origins_changed = anyio.Event()

    async def origins(self, known: str) -> tuple[str, bytes] | None:
        """Return the tag and the list of events' own origins, or None if the tag is still `known`.

        Raise httpx2.HTTPError or OSError.
        """
        headers = {"If-None-Match": known} if known else {}
        response = await self._client.get("/internal/origins", headers=headers, timeout=_ANSWER_MARGIN_SECONDS)
        if response.status_code == httpx2.codes.NOT_MODIFIED:
            return None
        response.raise_for_status()
        return response.headers.get("ETag", ""), response.content

    async def close(self) -> None:
        await self._client.aclose()
