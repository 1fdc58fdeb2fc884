"""What the API takes and says about webhooks."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from control_plane.schemas import Schema, Text
from control_plane.webhooks.outbox import Topic


class WebhookDraft(Schema):
    """A webhook as it should be: where messages go, and on which topics."""

    url: Annotated[Text, Field(min_length=1, max_length=2000)]
    topics: Annotated[list[Topic], Field(min_length=1, max_length=len(Topic))]
    is_active: bool = True


class WebhookView(Schema):
    """A webhook; `failures` counts in a row what it did not take, since it last took something."""

    id: str
    url: str
    topics: list[Topic]
    is_active: bool
    failures: int
    created_at: datetime


class NewWebhookView(WebhookView):
    """A webhook that was just made. Its secret is shown here and never again."""

    secret: str


class DeliveryView(Schema):
    """A message on its way to a webhook; `messageId` is its `webhook-id` header, `body` what is posted."""

    id: int
    message_id: str
    topic: str
    body: str
    state: Literal["waiting", "delivered", "given-up"]
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_status: int | None
    last_error: str | None
