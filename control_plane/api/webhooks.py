"""The admin API's webhooks and their deliveries."""

from urllib.parse import urlsplit

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.errors import Conflict, FieldRefused
from control_plane.schemas import Paging
from control_plane.schemas.webhooks import DeliveryView, NewWebhookView, WebhookDraft, WebhookView
from control_plane.tables import Webhook, WebhookDelivery
from control_plane.web import answers
from control_plane.web.answers import Data, Page
from control_plane.web.endpoints import Call, endpoint
from control_plane.webhooks import destinations, outbox, webhooks
from control_plane.webhooks.outbox import Topic

_ONE = "/webhooks/{webhook_id:uuid}"


@endpoint("GET /webhooks", permission=Permission.ADMINISTER, responses={200: Page[WebhookView]})
async def list_webhooks(call: Call, query: Paging) -> Response:
    """List webhooks, oldest first."""
    async with call.app.database.read() as db:
        found, total = await webhooks.page(db, query.offset, query.limit)
    return answers.page([webhook_view(webhook) for webhook in found], query, total)


@endpoint(
    "POST /webhooks",
    permission=Permission.ADMINISTER,
    responses={201: Data[NewWebhookView]},
    refusals=(Conflict, FieldRefused),
)
async def create_webhook(call: Call, body: WebhookDraft) -> Response:
    """Create a webhook; the response shows its secret once."""
    url = await _checked_url(call, body)
    async with call.audited_change(Action.WEBHOOK_CREATE) as change:
        webhook, secret = await webhooks.create(change.db, url, body.topics, change.now, is_active=body.is_active)
        change.subject, change.detail = webhook.id, _detail(webhook)
    return answers.data(NewWebhookView(**dict(webhook_view(webhook)), secret=secret), 201)


@endpoint(f"GET {_ONE}", permission=Permission.ADMINISTER, responses={200: Data[WebhookView]})
async def show_webhook(call: Call) -> Response:
    """Show one webhook."""
    async with call.app.database.read() as db:
        webhook = await webhooks.find(db, call.id("webhook_id"))
    return answers.data(webhook_view(webhook))


@endpoint(f"PUT {_ONE}", permission=Permission.ADMINISTER, responses={200: Data[WebhookView]}, refusals=(FieldRefused,))
async def change_webhook(call: Call, body: WebhookDraft) -> Response:
    """Change a webhook, or switch it on or off."""
    url = await _checked_url(call, body)
    async with call.audited_change(Action.WEBHOOK_UPDATE, call.id("webhook_id")) as change:
        changed = await webhooks.change(change.db, call.id("webhook_id"), url, body.topics, is_active=body.is_active)
        change.detail = _detail(changed)
    return answers.data(webhook_view(changed))


@endpoint(f"DELETE {_ONE}", permission=Permission.ADMINISTER, responses={204: None})
async def delete_webhook(call: Call) -> Response:
    """Delete a webhook and its pending deliveries."""
    async with call.audited_change(Action.WEBHOOK_DELETE, call.id("webhook_id")) as change:
        await webhooks.remove(change.db, call.id("webhook_id"))
    return answers.nothing()


@endpoint(
    f"POST {_ONE}/test", permission=Permission.ADMINISTER, responses={202: Data[DeliveryView]}, refusals=(Conflict,)
)
async def test_webhook(call: Call) -> Response:
    """Send a webhook a message of the type `webhook.test`."""
    async with call.audited_change(Action.WEBHOOK_TEST, call.id("webhook_id")) as change:
        delivery = await webhooks.test(change.db, call.id("webhook_id"), change.now)
    return answers.data(delivery_view(delivery), 202)


@endpoint(f"GET {_ONE}/deliveries", permission=Permission.ADMINISTER, responses={200: Page[DeliveryView]})
async def list_deliveries(call: Call, query: Paging) -> Response:
    """List the deliveries of a webhook in the last week, newest first."""
    async with call.app.database.read() as db:
        webhook = await webhooks.find(db, call.id("webhook_id"))
        found, total = await webhooks.deliveries(db, webhook.id, query.offset, query.limit)
    return answers.page([delivery_view(delivery) for delivery in found], query, total)


@endpoint(
    f"POST {_ONE}/deliveries/{{n:number}}/retry",
    permission=Permission.ADMINISTER,
    responses={202: Data[DeliveryView]},
    refusals=(Conflict,),
)
async def retry_delivery(call: Call) -> Response:
    """Send a message again as soon as possible."""
    number = int(call.id("n"))
    async with call.audited_change(Action.WEBHOOK_RETRY, call.id("webhook_id")) as change:
        delivery = await webhooks.retry(change.db, call.id("webhook_id"), number, change.now)
        change.detail = {"delivery": delivery.id}
    return answers.data(delivery_view(delivery), 202)


def webhook_view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        topics=[Topic(word) for word in webhook.topics.split()],
        is_active=webhook.is_active,
        failures=webhook.failures,
        created_at=webhook.created_at,
    )


def delivery_view(delivery: WebhookDelivery) -> DeliveryView:
    names = DeliveryView.model_fields.keys() - {"message_id", "state"}
    values = {name: getattr(delivery, name) for name in names}
    pending_state = "waiting" if delivery.next_attempt_at else "given-up"
    return DeliveryView(
        **values,
        message_id=outbox.message_id(delivery.id, delivery.created_at),
        state="delivered" if delivery.delivered_at else pending_state,
    )


async def _checked_url(call: Call, body: WebhookDraft) -> str:
    """Resolve and check the host name before the transaction starts: this can take seconds."""
    return await destinations.check(body.url, allow_private=call.app.settings.webhook_allow_private)


def _detail(webhook: Webhook) -> dict[str, str | bool]:
    """Return the detail for the audit log, with the host only: the rest of the URL may be secret."""
    return {"host": urlsplit(webhook.url).netloc, "topics": webhook.topics, "isActive": webhook.is_active}


ENDPOINTS = (
    list_webhooks,
    create_webhook,
    show_webhook,
    change_webhook,
    delete_webhook,
    test_webhook,
    list_deliveries,
    retry_delivery,
)
