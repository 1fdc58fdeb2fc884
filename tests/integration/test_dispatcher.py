"""Delivery of messages to a real receiver: signed, in order, retried, and never to forbidden destinations."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.webhooks import outbox, webhooks
from control_plane.webhooks.dispatcher import Dispatcher
from control_plane.webhooks.outbox import Topic
from control_plane.webhooks.webhook_client import PostResult as Posted
from control_plane.webhooks.webhook_client import WebhookClients, new_secret
from tests.support.clients.api import SEALER
from tests.support.clients.webhook_receiver import Receiver, ReceiverAnswer
from tests.support.clock import Clock
from tests.support.data.hooks import add_webhook, outbox_of, until
from tests.support.services.certificates import certificate
from tests.support.services.ports import free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
SHORT = 1.0


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.webhooks.destinations._RESOLVE_SECONDS", 30)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, SEALER)
    yield database
    await database.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(database: Database, clock: Clock) -> Dispatcher:
    return Dispatcher(database, WebhookClients(allow_private=True), clock)


async def put(database: Database, *numbers: int) -> None:
    async with database.write() as db:
        for number in numbers:
            await outbox.put(db, Topic.TICKET_REVOKED, {"number": number}, utc_now())


def numbers(receiver: Receiver) -> list[int]:
    return [heard.said["data"]["number"] for heard in receiver.heard]


async def post(url: str, *, allow_private: bool = False, tls: ssl.SSLContext | None = None) -> Posted:
    async with WebhookClients(allow_private=allow_private, tls=tls).open(url, new_secret()) as line:
        return await line.post("msg_1", "{}", utc_now())


async def test_messages_arrive_signed_and_in_order(
    database: Database, dispatcher: Dispatcher, receiver: Receiver
) -> None:
    webhook = await add_webhook(database, f"{receiver.url}?key=value")
    await put(database, *range(25))
    await dispatcher.deliver_due()
    assert numbers(receiver) == list(range(25))
    assert all(heard.is_signed_with(SEALER.open(webhook.secret)) for heard in receiver.heard)
    assert not receiver.heard[0].is_signed_with(new_secret())
    assert len({heard.id for heard in receiver.heard}) == 25
    headers = receiver.heard[0].headers
    assert abs(int(headers["webhook-timestamp"]) - utc_now().timestamp()) < 60
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.heard[0].path == "/hook?key=value"
    assert all(message.delivered_at and message.last_status == 204 for message in await outbox_of(database))
    await dispatcher.deliver_due()
    assert len(receiver.heard) == 25


async def test_a_message_that_was_not_accepted_is_sent_again_with_the_same_id_and_a_new_signature(
    database: Database, dispatcher: Dispatcher, receiver: Receiver, clock: Clock
) -> None:
    webhook = await add_webhook(database, receiver.url)
    receiver.answers(500, 404)
    await put(database, 1)
    clock.stop()
    await dispatcher.deliver_due()
    await dispatcher.deliver_due()
    assert len(receiver.heard) == 1
    clock.forward(seconds=7)
    await dispatcher.deliver_due()
    clock.forward(seconds=40)
    await dispatcher.deliver_due()
    assert len(receiver.heard) == 3
    assert len({heard.id for heard in receiver.heard}) == 1
    assert len({heard.headers["webhook-timestamp"] for heard in receiver.heard}) == 3
    assert all(heard.is_signed_with(SEALER.open(webhook.secret)) for heard in receiver.heard)
    [message] = await outbox_of(database)
    assert (message.attempts, message.last_status, message.last_error) == (3, 204, None)
    async with database.read() as db:
        assert (await webhooks.find(db, webhook.id)).failures == 0


async def test_a_message_that_is_never_accepted_delays_others_only_briefly(
    database: Database, dispatcher: Dispatcher, receiver: Receiver, clock: Clock
) -> None:
    await add_webhook(database, receiver.url)
    receiver.answer = lambda heard: ReceiverAnswer(400 if heard.said["data"]["number"] == 1 else 204)
    await put(database, 1, 2, 3)
    clock.stop()
    await dispatcher.deliver_due()
    clock.forward(seconds=7)
    await dispatcher.deliver_due()  # the first one is also due again and fails again
    clock.forward(seconds=13)
    await dispatcher.deliver_due()
    assert numbers(receiver) == [1, 1, 2, 3]


async def test_an_unreachable_receiver_is_tried_with_one_message_at_a_time(
    database: Database, dispatcher: Dispatcher, receiver: Receiver, clock: Clock
) -> None:
    receiver.stop()
    await add_webhook(database, receiver.url)
    await put(database, *range(10))
    for _ in range(3):
        await dispatcher.deliver_due()
        clock.forward(seconds=80)
    attempts = [message.attempts for message in await outbox_of(database)]
    assert sum(attempts) == 3
    assert "No connection" in str((await outbox_of(database))[0].last_error)
    receiver.start()
    clock.forward(seconds=300)
    await dispatcher.deliver_due()
    assert numbers(receiver) == list(range(10))


async def test_a_hung_receiver_does_not_delay_others(database: Database, receiver: Receiver, clock: Clock) -> None:
    hanging = Receiver(answer=lambda _heard: ReceiverAnswer(delay=60))
    hanging.start()
    await add_webhook(database, hanging.url)
    await add_webhook(database, receiver.url)
    await put(database, 1)
    dispatcher = Dispatcher(database, WebhookClients(allow_private=True, timeout=20), clock)
    try:
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()
            tasks.start_soon(dispatcher.run, stop)

            async def is_half_done() -> bool:
                taken = [message for message in await outbox_of(database) if message.delivered_at]
                return bool(hanging.heard) and len(taken) == 1

            await until(is_half_done)
            assert numbers(receiver) == [1]
            began = anyio.current_time()
            stop.set()
        assert anyio.current_time() - began < 10  # requests in progress are dropped, not awaited
        undelivered = [message for message in await outbox_of(database) if message.delivered_at is None]
        assert [(message.attempts, message.last_error) for message in undelivered] == [(0, None)]
    finally:
        hanging.stop()


async def test_a_dispatcher_that_stopped_midway_leaves_its_lease_to_the_next(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = lambda heard: ReceiverAnswer(delay=60 if heard.said["data"]["number"] == 2 else 0)
    await add_webhook(database, receiver.url)
    await put(database, 1, 2, 3)
    async with anyio.create_task_group() as tasks:
        stop = anyio.Event()
        tasks.start_soon(Dispatcher(database, WebhookClients(allow_private=True), clock).run, stop)
        await anyio.to_thread.run_sync(lambda: eventually(lambda: len(receiver.heard) == 2))
        stop.set()
    receiver.answers()
    await Dispatcher(database, WebhookClients(allow_private=True), clock).deliver_due()
    assert numbers(receiver) == [1, 2, 2, 3]


async def test_dropping_messages_that_waited_for_a_week_is_logged(
    database: Database, dispatcher: Dispatcher, receiver: Receiver, clock: Clock
) -> None:
    webhook = await add_webhook(database, receiver.url)
    await put(database, 1)
    await dispatcher.deliver_due()
    await put(database, *range(2, 5))
    async with database.write() as db:
        await webhooks.change(db, webhook.id, webhook.url, [], is_active=False)
    clock.forward(days=8)
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()
            tasks.start_soon(dispatcher.run, stop)
            await until(lambda: is_empty(database))
            stop.set()
    dropped = [entry for entry in logs if entry["event"] == "webhook_messages_dropped"]
    assert [(entry["webhook"], entry["messages"]) for entry in dropped] == [(webhook.id, 3)]


async def is_empty(database: Database) -> bool:
    return await outbox_of(database) == []


async def test_an_answer_after_the_timeout_counts_as_a_failure(receiver: Receiver) -> None:
    receiver.answer = lambda _heard: ReceiverAnswer(delay=30)
    began = anyio.current_time()
    async with WebhookClients(allow_private=True, timeout=SHORT).open(receiver.url, new_secret()) as line:
        assert await line.post("msg_1", "{}", utc_now()) == Posted(None, "No answer within 1 seconds.")
    assert anyio.current_time() - began < 10


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    elsewhere = Receiver()
    elsewhere.start()
    receiver.answer = lambda _heard: ReceiverAnswer(307, {"Location": elsewhere.url})
    answer = await post(receiver.url, allow_private=True)
    assert answer == Posted(307, "Answered 307; redirects are not followed.")
    assert elsewhere.heard == []
    elsewhere.stop()


async def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answer = lambda _heard: ReceiverAnswer(200, body=b"x" * 1024 * 1024)
    assert await post(receiver.url, allow_private=True) == Posted(200, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "0x7f.1", "0.0.0.0"])  # noqa: S104
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_is_refused_by_default_in_every_spelling_at_the_moment_of_sending(
    receiver: Receiver, scheme: str, host: str
) -> None:
    answer = await post(f"{scheme}://{host}:{receiver.port}/hook")
    assert answer.status is None
    assert ("not public" if scheme == "https" else "over https") in str(answer.error)
    assert receiver.heard == []


async def test_a_cloud_metadata_address_is_refused_even_if_private_ones_are_allowed() -> None:
    for url in ("http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://0.0.0.0/"):
        assert "not public" in str((await post(url, allow_private=True)).error)


async def test_plain_http_to_a_public_address_is_refused_even_if_private_ones_are_allowed() -> None:
    assert "https" in str((await post("http://192.88.98.1/", allow_private=True)).error)


async def test_a_certificate_is_checked_by_name_although_the_connection_is_made_to_an_address(tmp_path: Path) -> None:
    right, wrong = certificate(tmp_path, "localhost"), certificate(tmp_path, "hooks.example.org")
    for shown, trusted, arrives in ((right, right, True), (wrong, wrong, False), (right, wrong, False)):
        receiver = Receiver(certificate=shown)
        receiver.start()
        tls = ssl.create_default_context(cafile=str(trusted))
        answer = await post(receiver.url, allow_private=True, tls=tls)
        assert (answer.error is None) is arrives, answer
        assert len(receiver.heard) == int(arrives)
        receiver.stop()


async def test_a_closed_port_is_reported_as_such() -> None:
    answer = await post(f"http://127.0.0.1:{free_port()}/", allow_private=True)
    assert answer.status is None
    assert str(answer.error).startswith("No connection")


async def test_a_webhook_deleted_during_its_lease_causes_no_error(
    database: Database, dispatcher: Dispatcher, receiver: Receiver
) -> None:
    webhook = await add_webhook(database, receiver.url)
    await put(database, 1)
    async with database.write() as db:
        turn = await outbox.take_lease(db, webhook.id, utc_now())
    async with database.write() as db:
        await webhooks.remove(db, webhook.id)
    async with database.write() as db:
        assert turn
        await outbox.end_lease(db, turn, [], utc_now())
    await dispatcher.deliver_due()
    assert receiver.heard == []
