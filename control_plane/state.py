"""What the views are given: made once when the application starts, reached through the request's typed state."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from starlette.requests import Request as StarletteRequest

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing
from control_plane.activity import Clients
from control_plane.database import Database
from control_plane.edges import Receipts
from control_plane.limits import Limits
from control_plane.passwords import PasswordChecker
from control_plane.sessions import SeatRules
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    keys: KeySource
    limits: Limits
    passwords: PasswordChecker
    rules: SeatRules
    receipts: Receipts = field(default_factory=Receipts)
    clients: Clients = field(default_factory=Clients)

    @property
    def ring(self) -> KeyRing:
        """The ring in force now: ask for it at each use, the next one may be another."""
        return self.keys.ring


class State(TypedDict):
    services: Services


Request = StarletteRequest[State]


def make_services(settings: Settings, started_at: datetime) -> Services:
    return Services(
        settings=settings,
        database=Database(settings.database_url),
        keys=settings.open_keys(),
        limits=Limits(settings.playback_token_seconds),
        passwords=PasswordChecker(),
        rules=SeatRules(
            token_seconds=settings.playback_token_seconds,
            silence=timedelta(seconds=settings.session_timeout_seconds),
            counting_since=started_at,
        ),
    )
