"""Webhooks with real control-plane processes: killed midway, and several sharing one outbox."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.clients.api import Admin
from tests.support.clients.webhook_receiver import Receiver, ReceiverAnswer
from tests.support.data.hooks import until
from tests.support.services.server import ControlPlaneProcess

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
ALLOWED = {"WEBHOOK_ALLOW_PRIVATE": "true", "HLS_SERVER_INTERNAL_URL": ""}
TICKETS = 30


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    running.start()
    yield running
    running.stop()


async def create(admin: Admin, receiver: Receiver) -> None:
    draft = {"url": receiver.url, "topics": ["ticket.revoked"]}
    assert (await admin.http.post("/api/admin/webhooks", json=draft)).status_code == 201


async def revoke(admin: Admin, count: int) -> list[str]:
    tickets = await admin.codes(await admin.create_event(), count)
    for ticket in tickets:
        await admin.patch("tokens", ticket["id"], "revoke")
    return [ticket["id"] for ticket in tickets]


def delivered(receiver: Receiver) -> list[str]:
    return [heard.said["data"]["ticketId"] for heard in list(receiver.heard)]


async def test_changes_that_were_confirmed_before_a_kill_are_delivered_after_it(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    receiver.answer = lambda _heard: ReceiverAnswer(delay=60)
    with ControlPlaneProcess(tmp_path, database_url, **ALLOWED) as control:
        async with control.browser() as http:
            admin = Admin(http)
            await admin.sign_in()
            await create(admin, receiver)
            revoked = await revoke(admin, 5)

            async def is_under_way() -> bool:
                return len(receiver.heard) == 1

            await until(is_under_way)
        control.service.kill()
        receiver.answer = lambda _heard: ReceiverAnswer()
        control.start()

        async def is_told() -> bool:
            return set(delivered(receiver)) == set(revoked)

        await until(is_told, within=60)
    assert delivered(receiver)[1:] == revoked  # the one in progress is sent again with the same id
    assert receiver.heard[0].id == receiver.heard[1].id


async def test_two_processes_on_one_outbox_send_each_message_once_and_in_order(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(ControlPlaneProcess(tmp_path, database_url, "first", **ALLOWED))
        second = stack.enter_context(ControlPlaneProcess(tmp_path, database_url, "second", **ALLOWED))
        async with first.browser() as http, second.browser() as other:
            admin, colleague = Admin(http), Admin(other)
            await admin.sign_in()
            await colleague.sign_in()
            await create(admin, receiver)
            event_id = await admin.create_event()
            tickets = await admin.codes(event_id, TICKETS)
            for number, ticket in enumerate(tickets):
                await (admin, colleague)[number % 2].patch("tokens", ticket["id"], "revoke")

            async def is_told() -> bool:
                return len(receiver.heard) >= TICKETS - 1

            await until(is_told, within=30)
        assert not [line for line in first.complaints() + second.complaints() if "webhook" in line]
    heard = delivered(receiver)
    assert len(heard) == len(set(heard))
    assert heard == [ticket["id"] for ticket in tickets if ticket["id"] in heard]
