"""Follows the control plane's revocation feed by long poll, and goes on with what it knows while that is away."""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import anyio
import httpx2
import structlog

from authz_sidecar.contract.feed import Cursor, FeedPageRefused, Page, parse_page
from authz_sidecar.revocations import Revocations
from authz_sidecar.settings import SidecarSettings
from authz_sidecar.state_file import StateFile

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
_IDLE_PAUSE_SECONDS: Final = 0.05  # between two empty answers, should they come without waiting
_ANSWER_MARGIN_SECONDS: Final = 5.0
_SAVE_PAUSE_FACTOR: Final = 9
DEGRADED_AFTER_SECONDS: Final = 300

log = structlog.get_logger()


class Feed(Protocol):
    """The control plane's side of the feed."""

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        """Return what comes after the cursor; with `wait`, once there is something or the poll interval is over."""


class HttpFeed:
    """The feed over HTTP or a unix socket (`unix:/path`)."""

    def __init__(self, settings: SidecarSettings) -> None:
        wait = settings.revocation_poll_interval_ms / 1000
        uds = settings.control_plane_url.removeprefix("unix:") if settings.control_plane_url[:5] == "unix:" else None
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=uds),
            base_url="http://control-plane" if uds else settings.control_plane_url,
            headers={"X-Internal-Api-Key": settings.internal_api_key.get_secret_value()},
            timeout=httpx2.Timeout(_ANSWER_MARGIN_SECONDS, read=wait + _ANSWER_MARGIN_SECONDS),
        )
        self._wait = f"{wait:g}"
        self._query = {"edge": settings.edge_name, "instance": secrets.token_hex(4)}

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        query = self._query | {"cursor": cursor, "wait": self._wait if wait else "0"}
        response = await self._client.get("/internal/feed", params=query)
        response.raise_for_status()
        return response.content

    async def close(self) -> None:
        await self._client.aclose()


@dataclass
class Follower:
    """Holds the revocations in force. `clock` is seconds since 1970."""

    feed: Feed
    state_file: StateFile | None = None
    max_stale_seconds: float | None = None
    clock: Callable[[], float] = time.time
    control_plane_reachable: bool = field(default=False, init=False)
    last_sync: float | None = field(default=None, init=False)
    _revocations: Revocations | None = field(default=None, init=False)
    _cursor: str = field(default="", init=False)
    _snapshot: list[Page] = field(default_factory=list, init=False)
    _synced: anyio.Event = field(default_factory=anyio.Event, init=False)
    _changed_since_save: bool = field(default=False, init=False)

    def revocations(self, now: float) -> Revocations | None:
        """Return what is in force; None before the first sync and when it is staler than allowed."""
        if self.max_stale_seconds is not None and now - (self.last_sync or 0) > self.max_stale_seconds:
            return None
        return self._revocations

    @property
    def is_degraded(self) -> bool:
        return self.last_sync is None or self.clock() - self.last_sync > DEGRADED_AFTER_SECONDS

    def load_state(self) -> None:
        """Start from the state file when there is a sound one; a damaged one is reported and left alone."""
        try:
            saved = self.state_file.load() if self.state_file else None
        except (FeedPageRefused, OSError) as error:
            log.error("state_file_unusable", error=str(error))
            return
        if saved:
            page, self.last_sync = saved
            self._revocations, self._cursor = Revocations(page.changes), page.cursor
            log.info("state_file_loaded", entries=len(self._revocations))

    async def run(self) -> None:
        """Follow for ever, and keep the state file up to date beside it."""
        self.load_state()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            if self.state_file:
                tasks.start_soon(self._keep_state, self.state_file)

    async def _follow(self) -> None:
        """Ask again and again; every failure is survived with a growing pause."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.sync_once()
                pause = _FIRST_PAUSE_SECONDS
            except (httpx2.HTTPError, FeedPageRefused, OSError) as error:
                self._note_failure(error)
                await anyio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter is no secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def sync_once(self) -> None:
        """Ask for one page and put it in force. Raise FeedPageRefused with the old set kept."""
        asked_with = self._snapshot[-1].next if self._snapshot else self._cursor
        # The first question after a silence is not held back: its answer tells that the control plane is there.
        page = parse_page(await self.feed.ask(asked_with or "", wait=self.control_plane_reachable))
        changed = bool(page.changes) or page.snapshot
        self._take_snapshot_page(page) if page.snapshot else self._take_changes(page)
        if not self._snapshot:
            self._note_sync(changed=changed)
        if not changed:
            await anyio.sleep(_IDLE_PAUSE_SECONDS)

    def _take_changes(self, page: Page) -> None:
        if self._revocations is None:
            raise FeedPageRefused("changes without a snapshot to begin with")
        if self._snapshot or _epoch(page.cursor) != _epoch(self._cursor):
            raise FeedPageRefused("changes that do not go on from where we are")
        self._revocations.apply(page.changes)
        self._cursor = page.cursor

    def _take_snapshot_page(self, page: Page) -> None:
        """Collect the pages of a snapshot and swap the new set in whole with the last one."""
        if self._snapshot and _epoch(self._snapshot[-1].cursor) != _epoch(page.cursor):
            self._snapshot.clear()
        self._snapshot.append(page)
        if not page.more:
            self._revocations = Revocations(change for part in self._snapshot for change in part.changes)
            self._cursor = page.cursor
            self._snapshot.clear()

    def _note_sync(self, *, changed: bool) -> None:
        if not self.control_plane_reachable:
            log.info("feed_followed")
        self.control_plane_reachable, self.last_sync = True, self.clock()
        if self._revocations:
            self._revocations.forget_expired(self.last_sync)
        self._changed_since_save |= changed
        self._synced.set()

    async def _keep_state(self, file: StateFile) -> None:
        """Write the state after a change, in a thread and no more than a tenth of the time."""
        while True:
            await self._synced.wait()
            self._synced = anyio.Event()
            began = anyio.current_time()
            try:
                await self._save(file)
            except OSError as error:
                log.error("state_file_not_written", error=str(error))
            await anyio.sleep(_SAVE_PAUSE_FACTOR * (anyio.current_time() - began))

    async def _save(self, file: StateFile) -> None:
        """Write the state, or note that the one written is still complete. After an OSError it is written anew."""
        save: Callable[[], None] = file.touch
        if self._changed_since_save and self._revocations is not None:
            save = partial(file.save, Page(self._cursor, self._revocations.changes(), snapshot=True))
        self._changed_since_save = False
        try:
            await anyio.to_thread.run_sync(save)
        except OSError:
            self._changed_since_save = True
            raise

    def _note_failure(self, error: Exception) -> None:
        self._snapshot.clear()
        if self.control_plane_reachable or self.last_sync is None:
            log.warning("feed_lost", error=f"{type(error).__name__}: {error}")
        self.control_plane_reachable = False


def _epoch(cursor: str) -> str | None:
    parsed = Cursor.parse(cursor)
    return parsed.epoch if parsed else None
