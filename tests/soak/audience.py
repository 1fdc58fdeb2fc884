"""A thousand virtual viewers: each is a task with its own connection and token that behaves like a live player."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Final

from tests.soak.live_streams import LiveStream
from tests.soak.truth import ALLOWED, Credential, Judge
from tests.support.clients.api import ViewerClient
from tests.support.clients.keep_alive import ClosedEarly, KeepAlive

PAUSE_SECONDS: Final = 2.5  # a thousand viewers: 400 requests a second


@dataclass
class Spectator:
    """A ticket holder of one stream. `credential` is the current token; `number` also selects the carrier.

    `reopened` counts connections that nginx closed unannounced, as it does when it reloads.
    """

    number: int
    stream: LiveStream
    credential: Credential
    code: str = ""
    ticket_id: str = ""
    reopened: int = 0

    def question(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return target and header lines, with the header, cookie, path or query carrier."""
        path, token = f"{self.stream.folder.url}/{name}", self.credential.token
        if not token:
            return path, ()
        carriers: tuple[tuple[str, tuple[str, ...]], ...] = (
            (path, (f"Authorization: Bearer {token}",)),
            (path, (f"Cookie: sg_playback={token}",)),
            (f"/t/{token}{path}", ()),
            (f"{path}?__token={token}", ()),
        )
        return carriers[self.number % len(carriers)]

    async def watch(self, url: str, judge: Judge) -> None:
        """Request the playlist and a segment in turn, until cancelled."""
        await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311 - not secret
        async with KeepAlive(url) as connection:
            while True:
                for name in ("stream.m3u8", f"{self.stream.newest}.ts"):
                    await self._ask(connection, name, judge)
                    self.reopened = connection.reopened
                    await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - not secret

    async def _ask(self, connection: KeepAlive, name: str, judge: Judge) -> None:
        credential = self.credential
        target, headers = self.question(name)
        asked = time.monotonic()
        try:
            answer = await connection.get(target, *headers)
        except (OSError, EOFError, ClosedEarly) as error:
            judge.complain(f"no answer: {error!r}")
            connection.close()
            return
        judge.record(credential, answer.status, asked, time.monotonic())
        trouble = self.stream.trouble_with(name, answer.body) if answer.status == ALLOWED else None
        if trouble:
            judge.complain(trouble)

    async def redeem(self, portal: ViewerClient) -> None:
        """Redeem the ticket, and use the new session's token."""
        portal.http.cookies.clear()  # one client acts as all devices, each without cookies
        answer = await portal.validate(self.code)
        assert answer.status_code == ALLOWED, f"a fresh redemption was answered {answer.status_code}: {answer.text}"
        self.credential = Credential(portal.token)
