"""Edges and their receipts."""

from datetime import datetime

from control_plane.schemas import Schema


class EdgeView(Schema):
    """An edge; `lagSeconds` is how long the newest pushed change took, or how long an older one has been waiting."""

    name: str
    live_instances: int
    receipt: str
    last_receipt_at: datetime
    lag_seconds: float | None


class EdgeReceipt(Schema):
    """Whether a place in the feed is in force at an edge, and how many seconds after the change, if known."""

    name: str
    live_instances: int
    in_force: bool
    after_seconds: float | None


class Receipt(Schema):
    """At which edges everything up to a place in the feed is in force; `at` is when that change was made."""

    cursor: str
    at: datetime | None
    in_force_everywhere: bool
    edges: list[EdgeReceipt]
