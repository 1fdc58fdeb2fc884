"""How a viewing session ends: one word for each way, in the database, the API, webhooks, the audit log and the portal.

Never remove a word that has been in use: old rows, older pages and webhook receivers know it. The text that a page
shows is in `locales/` as `ended_<word>`; the English sentences are the same there and here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class EndReason(StrEnum):
    RELEASED = "released"  # the device gave its seat back
    REPLACED = "replaced"  # the same browser went on in another tab, or after a reload
    TIMEOUT = "timeout"  # silent so long that another device was given the seat, or for a day
    TAKEN_OVER = "taken-over"  # another device asked for the seat, and the event allows that
    YIELDED = "yielded"  # another device came while this one was only waiting for the start
    ON_TV = "on-tv"  # the viewer moved to a TV
    STOPPED = "stopped"  # the viewer stopped this TV on the phone that had approved it
    KICKED = "kicked"  # an organiser ended this session
    DEVICES = "devices"  # the event now allows fewer devices than before
    EXPIRED = "expired"  # the ticket has ended
    REVOKED = "revoked"  # an organiser revoked the ticket
    EVENT = "event"  # an organiser deactivated the event
    DELETED = "deleted"  # an organiser deleted the ticket, or its event; no row of the session is left
    UNKNOWN = "session"  # never stored: the ticket exists, but not the session, as after restoring a backup


# Another device of the viewer has the seat: answered with 409, the others with 404.
MOVED: Final = frozenset({EndReason.TAKEN_OVER, EndReason.YIELDED, EndReason.ON_TV})
# Somebody intended these: a page that receives one does not resume automatically.
INTENDED: Final = MOVED | {
    EndReason.REPLACED,
    EndReason.STOPPED,
    EndReason.KICKED,
    EndReason.DEVICES,
    EndReason.DELETED,
}

_OVER: Final = "This session has ended. Please enter your access code again."
SENTENCES: Final[Mapping[EndReason, str]] = {
    EndReason.RELEASED: _OVER,
    EndReason.REPLACED: "This is now playing in another tab of this browser.",
    EndReason.TIMEOUT: "Your session has expired due to inactivity. Please re-enter your access code.",
    EndReason.TAKEN_OVER: "Your session has been started on another device.",
    EndReason.YIELDED: "Your code was entered on another device while this one was waiting for the start.",
    EndReason.ON_TV: "This is now playing on your TV.",
    EndReason.STOPPED: "This was stopped on the device that started it.",
    EndReason.KICKED: "The event organizer has ended this session. Please contact them if you think this is a mistake.",
    EndReason.DEVICES: "The event organizer now lets this code be used on fewer devices at a time.",
    EndReason.EXPIRED: "This code has expired.",
    EndReason.REVOKED: "This code has been revoked. Please contact the event organizer.",
    EndReason.EVENT: "This event is no longer available.",
    EndReason.DELETED: "This code is no longer valid. Please contact the event organizer.",
    EndReason.UNKNOWN: _OVER,
}
