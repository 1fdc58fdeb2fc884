"""What the views are given: made once when the application starts, reached through the request's typed state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from starlette.requests import Request as StarletteRequest

from authz_sidecar.contract.keys import KeyRing
from control_plane.database import Database
from control_plane.limits import Limits
from control_plane.passwords import PasswordChecker
from control_plane.sessions import SeatRules
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    ring: KeyRing
    limits: Limits
    passwords: PasswordChecker
    rules: SeatRules


class State(TypedDict):
    services: Services


Request = StarletteRequest[State]


def make_services(settings: Settings, started_at: datetime) -> Services:
    return Services(
        settings=settings,
        database=Database(settings.database_url),
        ring=KeyRing.from_secret(settings.playback_signing_secret.get_secret_value()),
        limits=Limits(settings.playback_token_seconds),
        passwords=PasswordChecker(),
        rules=SeatRules(
            token_seconds=settings.playback_token_seconds,
            silence=timedelta(seconds=settings.session_timeout_seconds),
            counting_since=started_at,
        ),
    )
