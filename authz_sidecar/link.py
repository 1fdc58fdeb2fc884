"""The sidecar's line to the control plane: asks for revocations and origins and reports who is watching.

It never follows a redirect and never logs what it sends.
"""

import secrets
from typing import Any, Final, NamedTuple

import anyio
import httpx2

from authz_sidecar.clock_check import ClockCheck
from authz_sidecar.settings import SidecarSettings

_ANSWER_MARGIN_SECONDS: Final = 5.0
_ORIGINS_SECONDS: Final = 2.0  # an older control plane says nothing of origins with the feed: it is asked so often
_ORIGINS_SELDOM_SECONDS: Final = 60.0
_NO_SENSE: Final = (400, 413, 422)


class ReportRefused(Exception):
    """The control plane makes no sense of a report; sending it again would not help."""


class FeedAnswer(NamedTuple):
    """A page of the feed as it came, and the cursor to ask with for the next one of a snapshot, if there is one."""

    body: bytes
    following: str | None = None


class ControlPlaneLink:
    """The control plane at `http://...`, `https://...` or `unix:/path`."""

    def __init__(self, settings: SidecarSettings) -> None:
        wait = settings.revocation_poll_interval_ms / 1000
        uds = settings.control_plane_url.removeprefix("unix:") if settings.control_plane_url[:5] == "unix:" else None
        self._client = httpx2.AsyncClient(
            # Without TLS where there is none: reading the machine's certificates takes 40 ms.
            transport=httpx2.AsyncHTTPTransport(uds=uds, verify=settings.control_plane_url.startswith("https:")),
            base_url="http://control-plane" if uds else settings.control_plane_url,
            headers={"X-Internal-Api-Key": settings.internal_api_key.get_secret_value()},
            timeout=httpx2.Timeout(_ANSWER_MARGIN_SECONDS, read=wait + _ANSWER_MARGIN_SECONDS),
        )
        self.clock_check = ClockCheck()
        self._wait = f"{wait:g}"
        self._name = {"edge": settings.edge_name, "instance": secrets.token_hex(4)}
        self._origins_told: str | None = None  # the tag that came with the feed; None where it says none
        self._origins_news = anyio.Event()

    async def ask(self, cursor: str, *, wait: bool) -> FeedAnswer:
        """Return what comes after the cursor; with `wait`, once there is something or the poll interval is over."""
        query = self._name | {"cursor": cursor, "wait": self._wait if wait else "0"}
        query["origins"] = self._origins_told or ""
        asked_at = self.clock_check.now()
        response = await self._client.get("/internal/feed", params=query)
        response.raise_for_status()
        self.clock_check.note(response.headers.get("Date"), asked_at)
        self._note_origins(response.headers.get("X-Origins"))
        following = response.links.get("next", {}).get("url", "")
        return FeedAnswer(response.content, httpx2.URL(following).params.get("cursor"))

    async def report(self, columns: dict[str, list[Any]]) -> None:
        """Say which sessions are watching. Raise ReportRefused, httpx2.HTTPError or OSError."""
        body = {**self._name, **columns}
        asked_at = self.clock_check.now()
        response = await self._client.post("/internal/activity", json=body, timeout=_ANSWER_MARGIN_SECONDS)
        self.clock_check.note(response.headers.get("Date"), asked_at)
        if response.status_code in _NO_SENSE:
            raise ReportRefused(f"answered {response.status_code}")
        response.raise_for_status()

    def _note_origins(self, told: str | None) -> None:
        if told != self._origins_told:
            self._origins_told = told
            self._origins_news.set()

    async def origins_may_differ(self) -> None:
        """Return once the list may have become another one: as the feed says, or after some seconds."""
        with anyio.move_on_after(_ORIGINS_SECONDS if self._origins_told is None else _ORIGINS_SELDOM_SECONDS):
            await self._origins_news.wait()
        self._origins_news = anyio.Event()

    async def origins(self, known: str) -> tuple[str, bytes] | None:
        """Return the tag and the list of events' own origins; None when it is the one whose tag is `known`.

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
