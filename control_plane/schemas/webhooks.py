"""API schemas for webhooks."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from control_plane.schemas import Schema, Text
from control_plane.webhooks.outbox import Topic


class WebhookDraft(Schema):
    """The properties of a webhook: where messages go, and on which topics."""

    url: Annotated[Text, Field(min_length=1, max_length=2000)]
    topics: Annotated[list[Topic], Field(min_length=1, max_length=len(Topic))]
    is_active: bool = True


class WebhookView(Schema):
    """A webhook; `failures` counts the failed attempts since the last successful one."""

    id: str
    url: str
    topics: list[Topic]
    is_active: bool
    failures: int
    created_at: datetime


class NewWebhookView(WebhookView):
    """A new webhook. Its secret is shown only this once."""

    secret: str


class DeliveryView(Schema):
    """A message to a webhook; `messageId` is its `webhook-id` header, `body` is what is posted."""

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
