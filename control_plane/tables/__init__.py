"""The tables, one module a noun: columns and the constraints that the database enforces.

They stand below the rules because rules join tables of several nouns, and foreign keys cross them.
"""

from control_plane.tables.accounts import AdminSession, AdminUser, ApiKey, RecoveryCode, SetupLink
from control_plane.tables.audit import AuditEntry
from control_plane.tables.base import Base, new_id
from control_plane.tables.events import Event, EventNews, EventTrouble, Poster
from control_plane.tables.revocations import Edge, FeedEpoch, FeedMark, RevocationChange
from control_plane.tables.sealing import SealCheck
from control_plane.tables.sessions import LastSeen, TvCode, ViewingSession, is_watching
from control_plane.tables.tickets import Ticket
from control_plane.tables.webhooks import Webhook, WebhookDelivery

__all__ = [
    "AdminSession",
    "AdminUser",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Edge",
    "Event",
    "EventNews",
    "EventTrouble",
    "FeedEpoch",
    "FeedMark",
    "LastSeen",
    "Poster",
    "RecoveryCode",
    "RevocationChange",
    "SealCheck",
    "SetupLink",
    "Ticket",
    "TvCode",
    "ViewingSession",
    "Webhook",
    "WebhookDelivery",
    "is_watching",
    "new_id",
]
