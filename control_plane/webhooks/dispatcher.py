"""Delivers the messages in the outbox: one lease per webhook, several webhooks at once.

It holds no transaction during a request to a receiver, and is never cancelled in a transaction: on shutdown it aborts
the request in progress, which counts as not sent, and releases the lease.
"""

from collections.abc import Callable
from typing import Final

import anyio
import structlog
from anyio.abc import TaskGroup

from control_plane.clock import Clock, utc_now
from control_plane.db.database import Database
from control_plane.tasks import repeat
from control_plane.webhooks import outbox
from control_plane.webhooks.outbox import Lease, Message, Outcome
from control_plane.webhooks.webhook_client import WebhookClient, WebhookClients

_POLL_SECONDS: Final = 0.5
_PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
_DELETE_EVERY_SECONDS: Final = 3600.0
_SENDING_SECONDS: Final = 8.0  # no post starts after this: even if the last one takes ten, the lease has not expired
_WEBHOOKS_AT_ONCE: Final = 16
log = structlog.get_logger()


class Dispatcher:
    """`count` is called for every attempt, with "delivered" or "failed"."""

    def __init__(
        self,
        database: Database,
        clients: WebhookClients,
        clock: Clock = utc_now,
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._database = database
        self._clients = clients
        self._clock = clock
        self._count = count
        self._busy: set[str] = set()
        self._deleted_at = float("-inf")

    async def run(self, stop: anyio.Event) -> None:
        """Deliver until `stop`; then wait for the requests in progress, which are aborted at once."""
        async with anyio.create_task_group() as tasks:

            async def deliver() -> None:
                await self._start_due(tasks, stop)
                await self._delete_old()

            await repeat(
                deliver,
                _POLL_SECONDS,
                stop,
                lambda error: log.error("outbox_not_read", error=error),
                _PAUSE_AFTER_FAILURE_SECONDS,
            )

    async def deliver_due(self) -> None:
        """Deliver what is due now, once."""
        async with anyio.create_task_group() as tasks:
            await self._start_due(tasks, anyio.Event())

    async def _start_due(self, tasks: TaskGroup, stop: anyio.Event) -> None:
        async with self._database.read() as db:
            due = await outbox.due(db, self._clock())
        for webhook_id in due:
            if webhook_id not in self._busy and len(self._busy) < _WEBHOOKS_AT_ONCE:
                self._busy.add(webhook_id)
                tasks.start_soon(self._deliver_all, webhook_id, stop)

    async def _deliver_all(self, webhook_id: str, stop: anyio.Event) -> None:
        """Take leases until nothing is left to send, or a delivery has failed."""
        try:
            while not stop.is_set() and await self._deliver_some(webhook_id, stop):
                pass
        except Exception as error:  # noqa: BLE001 - no receiver may stop the deliveries to others
            log.error("webhook_turn_failed", webhook=webhook_id, error=type(error).__name__)
        finally:
            self._busy.discard(webhook_id)

    async def _deliver_some(self, webhook_id: str, stop: anyio.Event) -> bool:
        """Send the messages of one lease; return whether there may be more to send at once."""
        async with self._database.write() as db:
            lease = await outbox.take_lease(db, webhook_id, self._clock())
        if lease is None:
            return False
        outcomes: list[Outcome] = []
        try:
            await self._send(lease, outcomes, stop)
        finally:
            async with self._database.write() as db:
                await outbox.end_lease(db, lease, outcomes, self._clock())
        self._report(lease, outcomes)
        return bool(outcomes) and outcomes[-1].error is None

    async def _send(self, lease: Lease, outcomes: list[Outcome], stop: anyio.Event) -> None:
        """Send in order; stop at the first failure."""
        ends_at = anyio.current_time() + _SENDING_SECONDS
        async with self._clients.open(lease.url, lease.secret) as client:
            for message in lease.messages:
                if anyio.current_time() > ends_at or stop.is_set():
                    return
                outcome = await self._post(client, message, stop)
                if outcome is None:
                    return
                outcomes.append(outcome)
                if outcome.error:
                    return

    async def _post(self, client: WebhookClient, message: Message, stop: anyio.Event) -> Outcome | None:
        """Post one message; return None if that was aborted by `stop`."""
        outcome: Outcome | None = None
        async with anyio.create_task_group() as tasks:

            async def abort_at_stop() -> None:
                await stop.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(abort_at_stop)
            result = await client.post(message.message_id, message.body, self._clock())
            outcome = Outcome(message, self._clock(), result.status, result.error)
            tasks.cancel_scope.cancel()
        return outcome

    def _report(self, lease: Lease, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._count("failed" if outcome.error else "delivered")
            if outcome.error:
                log.warning("webhook_not_delivered", webhook=lease.webhook_id, delivery=outcome.message.id)

    async def _delete_old(self) -> None:
        if anyio.current_time() - self._deleted_at < _DELETE_EVERY_SECONDS:
            return
        deleted = 1
        while deleted:
            async with self._database.write() as db:
                deleted, waiting = await outbox.forget(db, self._clock())
            for webhook_id, messages in waiting.items():
                log.warning("webhook_messages_dropped", webhook=webhook_id, messages=messages)
        self._deleted_at = anyio.current_time()
