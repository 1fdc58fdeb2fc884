"""Preview a stream, even while the doors are closed: a token valid for a few minutes, without a ticket or session.

Like any other token it is refused while the event is deactivated, and it is never counted as a viewer's.
"""

from datetime import datetime
from typing import Final

from authz_sidecar.contract.playback_token import PREVIEW_SID, PREVIEW_SUB, Claims
from control_plane.errors import Conflict
from control_plane.tables import Event

_TOKEN_SECONDS: Final = 300


def claims_of(event: Event, now: datetime) -> Claims:
    """Return the claims of a preview token. Raise Conflict for a deactivated event."""
    if not event.is_active:
        raise Conflict("This event is deactivated: the gate serves its stream to nobody.")
    issued_at = max(int(now.timestamp()), event.tokens_not_before)
    ends_at = issued_at + _TOKEN_SECONDS
    return Claims(eid=event.id, iat=issued_at, exp=ends_at, sub=PREVIEW_SUB, sid=PREVIEW_SID, preview=True)
