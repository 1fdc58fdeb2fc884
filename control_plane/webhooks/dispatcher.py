"""Delivers what lies in the outbox: one turn a webhook, several webhooks at once.

It holds no transaction while it talks to a receiver, and is never cancelled in one: told to stop, it drops the post
under way, which counts as not sent, and gives the turn back.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import anyio
import structlog
from anyio.abc import TaskGroup
from sqlalchemy.exc import SQLAlchemyError

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.tasks import idle
from control_plane.webhooks import outbox
from control_plane.webhooks.outbox import Lease, Message, Outcome
from control_plane.webhooks.webhook_client import WebhookClient, WebhookClients

_LOOK_EVERY_SECONDS: Final = 0.5
_PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
_FORGET_EVERY_SECONDS: Final = 3600.0
_TURN_SECONDS: Final = 8.0  # begins no further post after this: with the last one's ten the lease is not over
_WEBHOOKS_AT_ONCE: Final = 16
log = structlog.get_logger()


class Dispatcher:
    """`count` is told of every attempt: "delivered" or "failed"."""

    def __init__(
        self,
        database: Database,
        lines: WebhookClients,
        clock: Callable[[], datetime] = utc_now,
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._database = database
        self._lines = lines
        self._clock = clock
        self._count = count
        self._busy: set[str] = set()
        self._forgot_at = float("-inf")

    async def run(self, stop: anyio.Event) -> None:
        """Deliver until `stop`; then wait for what is under way, which ends at once."""
        async with anyio.create_task_group() as tasks:
            while not stop.is_set():
                pause = _LOOK_EVERY_SECONDS
                try:
                    await self._look(tasks, stop)
                    await self._forget()
                except SQLAlchemyError as error:
                    log.error("outbox_not_read", error=type(error).__name__)
                    pause = _PAUSE_AFTER_FAILURE_SECONDS
                await idle(pause, stop)

    async def deliver_due(self) -> None:
        """Deliver once what is due now."""
        async with anyio.create_task_group() as tasks:
            await self._look(tasks, anyio.Event())

    async def _look(self, tasks: TaskGroup, stop: anyio.Event) -> None:
        async with self._database.read() as db:
            due = await outbox.due(db, self._clock())
        for webhook_id in due:
            if webhook_id not in self._busy and len(self._busy) < _WEBHOOKS_AT_ONCE:
                self._busy.add(webhook_id)
                tasks.start_soon(self._take_turns, webhook_id, stop)

    async def _take_turns(self, webhook_id: str, stop: anyio.Event) -> None:
        """Take one turn after the other until nothing is left to send, or something did not arrive."""
        try:
            while not stop.is_set() and await self._take_turn(webhook_id, stop):
                pass
        except Exception as error:  # noqa: BLE001 - one receiver, however odd, ends neither the others' turns nor us
            log.error("webhook_turn_failed", webhook=webhook_id, error=type(error).__name__)
        finally:
            self._busy.discard(webhook_id)

    async def _take_turn(self, webhook_id: str, stop: anyio.Event) -> bool:
        """Return whether there may be more to send at once."""
        async with self._database.write() as db:
            turn = await outbox.take_lease(db, webhook_id, self._clock())
        if turn is None:
            return False
        outcomes: list[Outcome] = []
        try:
            await self._send(turn, outcomes, stop)
        finally:
            async with self._database.write() as db:
                await outbox.end_lease(db, turn, outcomes, self._clock())
        self._report(turn, outcomes)
        return bool(outcomes) and outcomes[-1].error is None

    async def _send(self, turn: Lease, outcomes: list[Outcome], stop: anyio.Event) -> None:
        """Send in order; the first that does not arrive ends the turn."""
        ends_at = anyio.current_time() + _TURN_SECONDS
        async with self._lines.open(turn.url, turn.secret) as line:
            for parcel in turn.parcels:
                if anyio.current_time() > ends_at or stop.is_set():
                    return
                outcome = await self._post(line, parcel, stop)
                if outcome is None:
                    return
                outcomes.append(outcome)
                if outcome.error:
                    return

    async def _post(self, line: WebhookClient, parcel: Message, stop: anyio.Event) -> Outcome | None:
        """Post one message; None when that was cut short."""
        outcome: Outcome | None = None
        async with anyio.create_task_group() as tasks:

            async def give_up_at_stop() -> None:
                await stop.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up_at_stop)
            answer = await line.post(parcel.message_id, parcel.body, self._clock())
            outcome = Outcome(parcel, self._clock(), answer.status, answer.error)
            tasks.cancel_scope.cancel()
        return outcome

    def _report(self, turn: Lease, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._count("failed" if outcome.error else "delivered")
            if outcome.error:
                log.warning("webhook_not_delivered", webhook=turn.webhook_id, delivery=outcome.parcel.id)

    async def _forget(self) -> None:
        if anyio.current_time() - self._forgot_at < _FORGET_EVERY_SECONDS:
            return
        forgotten = 1
        while forgotten:
            async with self._database.write() as db:
                forgotten, waiting = await outbox.forget(db, self._clock())
            for webhook_id, messages in waiting.items():
                log.warning("webhook_messages_dropped", webhook=webhook_id, messages=messages)
        self._forgot_at = anyio.current_time()
