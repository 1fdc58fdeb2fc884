"""Follow the control plane's revocation feed by long polling, and keep the last known state during outages."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import anyio
import httpx2
import structlog
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint

from authz_sidecar.contract.backoff import Backoff
from authz_sidecar.contract.feed import Cursor, FeedPage, FeedPageRefused, parse_page
from authz_sidecar.contract.steady_clock import SteadyClock
from authz_sidecar.revocations import Revocations
from authz_sidecar.state_file import StateFile, StateFileUnusable

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
_CATCH_UP_SECONDS: Final = 1.0
_IDLE_PAUSE_SECONDS: Final = 0.05  # between two empty answers, in case they come without waiting
_SAVE_PAUSE_FACTOR: Final = 9
_FORGET_PAUSE_SECONDS: Final = 60
_CLOCK_CHECK_SECONDS: Final = 1.0
_TOLERATED_AHEAD_SECONDS: Final = 5.0
_LARGE_PAGE_BYTES: Final = 65_536
_CHANGES_PER_CHECKPOINT: Final = 500
_MAX_KINDS_LOGGED: Final = 10
DEGRADED_AFTER_SECONDS: Final = 300

log = structlog.get_logger()


class Feed(Protocol):
    """The control plane's side of the feed."""

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        """Return the page after the cursor; with `wait`, once there are changes or the poll interval is over."""


@dataclass
class _Snapshot:
    """A snapshot being read: the revocations so far, not yet in force, and the cursor for the next page."""

    epoch: str | None
    next: str
    revocations: Revocations


@dataclass
class Follower:
    """Hold the revocations in force. `clock` returns seconds since 1970; `steady` detects when it is set."""

    feed: Feed
    state_file: StateFile | None = None
    max_stale_seconds: float | None = None
    clock: Callable[[], float] = time.time
    steady: SteadyClock | None = None
    control_plane_reachable: bool = field(default=False, init=False)
    last_sync: float | None = field(default=None, init=False)
    lag_seconds: float | None = field(default=None, init=False)
    skipped: Counter[str] = field(default_factory=Counter, init=False)
    _revocations: Revocations | None = field(default=None, init=False)
    _cursor: str = field(default="", init=False)
    _snapshot: _Snapshot | None = field(default=None, init=False)
    _needs_snapshot: bool = field(default=False, init=False)
    _ask_scope: anyio.CancelScope | None = field(default=None, init=False)
    _age_reference: tuple[float, float] | None = field(default=None, init=False)  # seconds, and when (steady)
    _synced: anyio.Event = field(default_factory=anyio.Event, init=False)
    _changed_since_save: bool = field(default=False, init=False)

    def revocations(self, now: float) -> Revocations | None:
        """Return what is in force; None before the first sync, if it is staler than allowed, or if it is incomplete."""
        found = self._revocations
        if found is None or now < found.complete_from:
            return None
        if self.max_stale_seconds is not None and not self._age() <= self.max_stale_seconds:
            return None
        return found

    @property
    def seconds_since_sync(self) -> float | None:
        """The age of the known state, unaffected by changes of the clock; None if it is unknown."""
        age = self._age()
        return age if math.isfinite(age) else None

    @property
    def is_degraded(self) -> bool:
        return self._age() > DEGRADED_AFTER_SECONDS

    def _age(self) -> float:
        if self._age_reference is None:
            return math.inf
        age, then = self._age_reference
        return age + self._steady_now() - then

    def _steady_now(self) -> float:
        return self.steady.steady() if self.steady else self.clock()

    def load_state(self) -> None:
        """Start from the state file if there is a valid one. A damaged file is logged and left alone."""
        try:
            saved = self.state_file.load() if self.state_file else None
        except (StateFileUnusable, OSError) as error:
            log.error("state_file_unusable", error=str(error))
            return
        if saved:
            self._cursor, self._revocations, self.last_sync = saved
            age = self.clock() - self.last_sync
            # The age of a file from the future is unknown: the clock was wrong, then or now.
            self._age_reference = (age if age > -_TOLERATED_AHEAD_SECONDS else math.inf), self._steady_now()
            log.info("state_file_loaded", entries=len(self._revocations))

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled, drop expired entries and write the state file. Started after catching up."""
        self.load_state()
        await self._catch_up()
        task_status.started()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            tasks.start_soon(self._forget_expired)
            if self.steady:
                tasks.start_soon(self._watch_clock, self.steady)
            if self.state_file:
                tasks.start_soon(self._save_on_sync, self.state_file)

    async def _catch_up(self) -> None:
        """Fetch what was revoked during the downtime before allowing anyone. Without an answer keep the saved state."""
        if self._revocations is None:
            return
        with anyio.move_on_after(_CATCH_UP_SECONDS):
            try:
                await self.sync_once()
                while self._snapshot:
                    await self.sync_once()
            except (httpx2.HTTPError, FeedPageRefused, OSError) as error:
                self._note_failure(error)

    async def _follow(self) -> None:
        """Poll until cancelled, with a growing pause after each failure."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            try:
                await self.sync_once()
                backoff.reset()
            except (httpx2.HTTPError, FeedPageRefused, OSError) as error:
                self._note_failure(error)
                await backoff.pause()

    async def sync_once(self) -> None:
        """Fetch one page and put it in force. Raise FeedPageRefused, keeping the old set."""
        data = await self._ask()
        if data is None:
            return
        page = await _parse(data)
        changed = bool(page.changes or page.skipped) or page.snapshot
        await (self._take_snapshot_page(page) if page.snapshot else self._take_changes(page))
        self._note_skipped(page.skipped)
        if not self._snapshot:
            self._note_sync(changed=changed)
        if not changed:
            await anyio.sleep(_IDLE_PAUSE_SECONDS)

    async def _ask(self) -> bytes | None:
        """Return the next page, or None if the clock was set meanwhile and a new snapshot is needed."""
        cursor = "" if self._needs_snapshot else self._cursor
        with anyio.CancelScope() as self._ask_scope:
            asked_with = self._snapshot.next if self._snapshot else cursor
            # The first request after an outage does not wait: its answer shows that the control plane is reachable.
            return await self.feed.ask(asked_with, wait=self.control_plane_reachable)
        return None

    async def _watch_clock(self, steady: SteadyClock) -> None:
        """Request a new snapshot when the clock was set: it contains again what was dropped under a wrong clock."""
        while True:
            await anyio.sleep(_CLOCK_CHECK_SECONDS)
            found = self._revocations
            self._check_clock(steady)
            if found is not None and self.clock() < found.complete_from and not self._needs_snapshot:
                self._request_snapshot()

    def _check_clock(self, steady: SteadyClock) -> None:
        if leap := steady.check():
            log.warning("clock_set", seconds=round(leap, 1))
            self._request_snapshot()

    def _request_snapshot(self) -> None:
        self._needs_snapshot, self._snapshot = True, None
        if self._ask_scope:
            self._ask_scope.cancel()

    async def _take_changes(self, page: FeedPage) -> None:
        if self._revocations is None:
            raise FeedPageRefused("changes before the first snapshot")
        if self._snapshot or _epoch(page.cursor) != _epoch(self._cursor):
            raise FeedPageRefused("changes that do not continue from this cursor")
        await _apply(page, self._revocations)
        self._cursor = page.place
        if page.changes:
            self.lag_seconds = max(0.0, self.clock() - min(change.at for change in page.changes))

    async def _take_snapshot_page(self, page: FeedPage) -> None:
        """Collect the pages of a snapshot separately, and replace the set in force after the last page."""
        epoch = _epoch(page.cursor)
        if self._snapshot is None or self._snapshot.epoch != epoch:
            self._snapshot = _Snapshot(epoch, "", Revocations())
        await _apply_aside(page, self._snapshot.revocations)
        self._snapshot.next = page.next or ""
        if not page.more:
            self._revocations, self._cursor, self._snapshot = self._snapshot.revocations, page.place, None
            self._needs_snapshot = False

    def _note_skipped(self, kinds: Iterable[str]) -> None:
        """Count entries of kinds that only a newer control plane knows, and log each kind once."""
        if unknown := sorted(set(kinds) - self.skipped.keys()):
            log.warning("feed_kinds_unknown", kinds=unknown[:_MAX_KINDS_LOGGED])
        self.skipped.update(kinds)

    def _note_sync(self, *, changed: bool) -> None:
        if not self.control_plane_reachable:
            log.info("feed_followed")
        self.control_plane_reachable, self.last_sync = True, self.clock()
        self._age_reference = 0.0, self._steady_now()
        self._changed_since_save |= changed
        self._synced.set()

    async def _forget_expired(self) -> None:
        """Once a minute drop entries that no live token can match, in slices. Skip this after the clock was set."""
        while True:
            if self.steady:
                self._check_clock(self.steady)
            is_trusted = self.steady is None or self.steady.is_trusted
            for _ in self._revocations.forget_expired(self.clock()) if self._revocations and is_trusted else ():
                await checkpoint()
            await anyio.sleep(_FORGET_PAUSE_SECONDS)

    async def _save_on_sync(self, file: StateFile) -> None:
        """Write the state after each sync, in a thread and for at most a tenth of the time."""
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
        """Write the state, or mark the saved one as still complete. After an OSError it is written again."""
        save: Callable[[], None] = file.touch
        if self._changed_since_save and self._revocations is not None:
            save = partial(file.save, self._cursor, self._revocations)
        self._changed_since_save = False
        try:
            await anyio.to_thread.run_sync(save)
        except OSError:
            self._changed_since_save = True
            raise

    def _note_failure(self, error: Exception) -> None:
        self._snapshot = None
        if self.control_plane_reachable or self.last_sync is None:
            log.warning("feed_lost", error=f"{type(error).__name__}: {error}")
        self.control_plane_reachable = False


def _epoch(cursor: str) -> str | None:
    parsed = Cursor.parse(cursor)
    return parsed.epoch if parsed else None


async def _parse(data: bytes) -> FeedPage:
    """Parse a page, a large one in a thread so that authorizations are not delayed. Raise FeedPageRefused."""
    return parse_page(data) if len(data) < _LARGE_PAGE_BYTES else await anyio.to_thread.run_sync(parse_page, data)


async def _apply_aside(page: FeedPage, revocations: Revocations) -> None:
    """Apply changes to a set that is not in force yet: in a thread, if there are many."""
    if len(page.changes) > _CHANGES_PER_CHECKPOINT:
        await anyio.to_thread.run_sync(revocations.apply, page.changes)
    else:
        revocations.apply(page.changes)


async def _apply(page: FeedPage, revocations: Revocations) -> None:
    for start in range(0, len(page.changes), _CHANGES_PER_CHECKPOINT):
        revocations.apply(page.changes[start : start + _CHANGES_PER_CHECKPOINT])
        await checkpoint()
