"""Webhooks at the admin API: created, changed, tested and monitored; their secret is shown once."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from control_plane.tables import AuditEntry
from control_plane.webhooks.outbox import Topic
from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, ViewerClient, make_settings, running
from tests.support.clients.webhook_receiver import Receiver
from tests.support.data.hooks import until
from tests.support.services.ports import free_port

pytestmark = pytest.mark.anyio
DRAFT = {"url": "https://93.184.216.34/hook?key=hunter2", "topics": ["ticket.revoked"]}


@pytest.fixture
async def plane(database_url: str) -> AsyncIterator[ControlPlane]:
    async with running(make_settings(database_url, webhook_allow_private=True)) as control_plane:
        yield control_plane


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    running.start()
    yield running
    running.stop()


async def create(admin: Admin, **changes: Any) -> dict[str, Any]:
    answer = await admin.http.post("/api/admin/webhooks", json=DRAFT | changes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def delivered(admin: Admin, webhook_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.list(f"/webhooks/{webhook_id}/deliveries"))["data"]
    return found


async def test_a_webhooks_secret_is_shown_once(admin: Admin) -> None:
    made = await create(admin)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    listed = await admin.list("/webhooks")
    shown = await admin.list(f"/webhooks/{made['id']}")
    assert listed["data"] == [made] == [shown["data"]]
    assert made["isActive"] is True
    assert secret not in f"{listed}{shown}"


async def test_a_webhook_is_changed_and_deleted(admin: Admin) -> None:
    made = await create(admin)
    path = f"/api/admin/webhooks/{made['id']}"
    wanted = {"url": "https://93.184.216.35/", "topics": ["event.live", "event.ended", "event.live"], "isActive": False}
    changed = (await admin.http.put(path, json=wanted)).json()["data"]
    del made["secret"]
    assert changed == made | wanted | {"topics": ["event.live", "event.ended"]}
    assert (await admin.http.delete(path)).status_code == 204
    assert (await admin.http.get(path)).status_code == 404
    assert (await admin.http.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "hooks.example.org"),
        ("url", "http://93.184.216.34/"),
        ("url", "https://169.254.169.254/latest/meta-data"),
        ("url", "https://user:pass@93.184.216.34/"),
        ("url", ""),
        ("topics", []),
        ("topics", ["ticket.unrevoked"]),
        ("topics", "ticket.revoked"),
        ("isActive", "perhaps"),
    ],
)
async def test_invalid_values_are_refused_by_field(admin: Admin, field: str, value: object) -> None:
    made = await create(admin)
    for method, path in (("POST", "/api/admin/webhooks"), ("PUT", f"/api/admin/webhooks/{made['id']}")):
        answer = await admin.http.request(method, path, json=DRAFT | {field: value})
        assert answer.status_code == 422
        assert [name.split(".")[0] for name in answer.json()["fields"]] == [field]


async def test_private_addresses_are_refused_unless_the_operator_allows_them(database_url: str) -> None:
    async with running(make_settings(database_url)) as strict, strict.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        for url in ("https://127.0.0.1/", "https://localhost/", "https://10.0.0.5/", "http://127.0.0.1/"):
            answer = await http.post("/api/admin/webhooks", json=DRAFT | {"url": url})
            assert answer.status_code == 422, url


async def test_a_host_that_does_not_resolve_yet_is_accepted(admin: Admin) -> None:
    await create(admin, url="https://hooks.streamgate.invalid/")


async def test_there_are_fifty_webhooks_at_most(admin: Admin) -> None:
    for _ in range(50):
        await create(admin)
    assert (await admin.http.post("/api/admin/webhooks", json=DRAFT)).status_code == 409


async def test_a_revoked_ticket_is_delivered_within_seconds(
    admin: Admin, phone: ViewerClient, receiver: Receiver
) -> None:
    made = await create(admin, url=receiver.url, topics=[topic.value for topic in Topic])
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    await admin.patch("tokens", ticket["id"], "revoke")
    topics = ["ticket.redeemed", "session.started", "ticket.revoked", "session.ended"]

    async def is_told() -> bool:
        return [topic for topic in receiver.topics if "event" not in topic] == topics

    await until(is_told)
    assert all(heard.is_signed_with(made["secret"]) for heard in receiver.heard)
    assert {heard.said["data"]["ticketId"] for heard in receiver.heard if "event" not in heard.topic} == {ticket["id"]}
    everything = b" ".join(heard.body for heard in receiver.heard).decode()
    assert not [secret for secret in (ticket["code"], phone.token, "192.0.2.10") if secret in everything]


async def test_a_test_message_is_sent_and_its_result_is_shown(admin: Admin, receiver: Receiver) -> None:
    made = await create(admin, url=receiver.url)
    answer = await admin.http.post(f"/api/admin/webhooks/{made['id']}/test")
    assert (answer.status_code, answer.json()["data"]["state"]) == (202, "waiting")

    async def is_delivered() -> bool:
        return [one["state"] for one in await delivered(admin, made["id"])] == ["delivered"]

    await until(is_delivered)
    assert receiver.topics == ["webhook.test"]
    assert receiver.heard[0].id == answer.json()["data"]["messageId"]
    assert receiver.heard[0].is_signed_with(made["secret"])


async def test_a_message_can_be_sent_again(admin: Admin, receiver: Receiver) -> None:
    made = await create(admin, url=receiver.url)
    base = f"/api/admin/webhooks/{made['id']}"
    delivery = (await admin.http.post(f"{base}/test")).json()["data"]

    async def is_delivered() -> bool:
        return [one["state"] for one in await delivered(admin, made["id"])] == ["delivered"]

    await until(is_delivered)
    assert (await admin.http.post(f"{base}/deliveries/{delivery['id']}/retry")).status_code == 202
    await until(is_delivered)
    assert len(receiver.heard) == 2
    assert receiver.heard[0].id == receiver.heard[1].id


async def test_messages_of_other_webhooks_and_unknown_ones_cannot_be_sent_again(admin: Admin) -> None:
    one, other = await create(admin), await create(admin)
    delivery = (await admin.http.post(f"/api/admin/webhooks/{one['id']}/test")).json()["data"]
    for webhook_id, number in (
        (other["id"], delivery["id"]),
        (one["id"], delivery["id"] + 1),
        (one["id"], 2**63),
        (one["id"], 10**40),
        (UNKNOWN_ID, delivery["id"]),
    ):
        answer = await admin.http.post(f"/api/admin/webhooks/{webhook_id}/deliveries/{number}/retry")
        assert answer.status_code == 404, number


async def test_an_inactive_webhook_gets_neither_tests_nor_messages(admin: Admin) -> None:
    made = await create(admin, url=f"http://127.0.0.1:{free_port()}/", isActive=False)
    assert (await admin.http.post(f"/api/admin/webhooks/{made['id']}/test")).status_code == 409
    ticket = await admin.ticket()
    await admin.patch("tokens", ticket["id"], "revoke")
    assert await delivered(admin, made["id"]) == []


async def test_the_audit_log_names_the_user_and_the_host_but_no_possible_secret(
    plane: ControlPlane, admin: Admin
) -> None:
    made = await create(admin)
    path = f"/api/admin/webhooks/{made['id']}"
    await admin.http.put(path, json=DRAFT | {"isActive": True})
    await admin.http.post(f"{path}/test")
    await admin.http.delete(path)
    async with plane.services.database.read() as db:
        about = AuditEntry.action.startswith("webhook.")
        entries = list(await db.scalars(select(AuditEntry).where(about).order_by(AuditEntry.id)))
    assert [entry.action for entry in entries] == ["webhook.create", "webhook.update", "webhook.test", "webhook.delete"]
    assert {entry.subject for entry in entries} == {made["id"]}
    told = " ".join(entry.detail or "" for entry in entries)
    assert "93.184.216.34" in told
    assert not [secret for secret in ("hunter2", made["secret"]) if secret in told]
