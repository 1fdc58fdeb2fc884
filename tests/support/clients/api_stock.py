"""Objects for the requests of a run: signed-in users, watching viewers, and objects that may be changed.

A request gets a new object if it uses it up, so that requests do not affect each other. Users are written into the
database (hashing their passwords a hundred times would be slow); everything else is created through the API.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
import jwt
from dotenv import dotenv_values
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from control_plane.access.actors import Role
from control_plane.accounts import totp
from control_plane.clock import utc_now
from control_plane.tables import AdminSession, AdminUser
from tests.support.clients.api import PASSWORD, PASSWORD_HASH

TITLE: Final = "Zoë's concert"
HOOK_URL: Final = "http://127.0.0.1:9/hook"  # nothing listens on the discard port
STILL_SIGNED_IN: Final = "in the end"  # among the labels of operations
_BATCH: Final = 500


@dataclass(frozen=True)
class SignedInPerson:
    """A user: `secret` is the cookie of one of their sessions, `other_session` the id of another."""

    id: str
    username: str
    secret: str
    other_session: str
    totp_secret: str

    @property
    def code(self) -> str:
        return totp.code_at(self.totp_secret, totp.step_at(utc_now()))


@dataclass(frozen=True)
class SeatedDevice:
    """A device that has just redeemed a code."""

    token: str
    resume_secret: str

    @property
    def sid(self) -> str:
        return str(jwt.decode(self.token, options={"verify_signature": False})["sid"])


class Stock:
    """The objects of one StreamGate under test."""

    def __init__(self, url: str, home: Path) -> None:
        settings = dotenv_values(home / ".env", interpolate=False)
        database = make_url(str(settings["DATABASE_URL"]).replace("sqlite+aiosqlite", "sqlite"))
        self.internal_key = str(settings["INTERNAL_API_KEY"])
        self._engine, self._numbers = create_engine(database), count(1)
        self._viewers = httpx2.Client(base_url=url, timeout=30)
        self._organiser = httpx2.Client(base_url=f"{url}/api/admin", timeout=30)
        self.owner = self.person(Role.OWNER)
        self._organiser.headers["Cookie"] = f"sg_admin={self.owner.secret}"
        self.guest = self.person()
        self.event_id = self.event()
        self._tickets: list[dict[str, str]] = []
        self.standing_ticket = self.ticket()
        self.standing_webhook = self.webhook()

    def close(self) -> None:
        self._viewers.close()
        self._organiser.close()
        self._engine.dispose()

    @property
    def standing(self) -> set[str]:
        """The ids of objects that other requests still need."""
        return {self.owner.id, self.guest.id, self.event_id, self.standing_ticket["id"], self.standing_webhook}

    def who_am_i(self) -> int:
        """Return the status of a request for the owner's session."""
        return self._organiser.get("/session").status_code

    def number(self) -> int:
        return next(self._numbers)

    def address(self) -> str:
        """Return an unused address: limits count by address."""
        number = self.number()
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def person(self, role: Role = Role.OPERATOR) -> SignedInPerson:
        """Create a user with two sessions, and with an authenticator secret that no code has confirmed yet."""
        now, secret, totp_secret = utc_now(), secrets.token_urlsafe(32), totp.new_secret()
        values = {"password_hash": PASSWORD_HASH, "totp_secret": totp_secret, "created_at": now}
        user = AdminUser(username=f"person-{secrets.token_hex(6)}", role=role.value, **values)
        with Session(self._engine, expire_on_commit=False) as db:
            db.add(user)
            db.flush()
            db.add(_session(user.id, secret, now))
            db.add(other := _session(user.id, secrets.token_urlsafe(32), now))
            db.commit()
            return SignedInPerson(user.id, user.username, secret, other.id, totp_secret)

    def api_key(self, *scopes: str) -> dict[str, str]:
        draft = {"name": f"key {secrets.token_hex(6)}", "scopes": scopes or ["read"]}
        return dict(self._create("/api-keys", draft))

    def event(self) -> str:
        return str(self._create("/events", {"title": TITLE, "maxDevices": 10} | window())["id"])

    def ticket(self) -> dict[str, str]:
        """Return an unused ticket of the event that is never deleted."""
        if not self._tickets:
            self._tickets = list(self._create(f"/events/{self.event_id}/tokens/generate", {"count": _BATCH}))
        return self._tickets.pop()

    def watcher(self) -> SeatedDevice:
        """Redeem a ticket, or the next one if a request that follows links has deleted it."""
        while (answer := self._redeem(self.ticket()["code"])).status_code in {401, 403}:
            pass
        self._viewers.cookies.clear()
        return SeatedDevice(answer.raise_for_status().json()["playbackToken"], answer.cookies["sg_resume"])

    def tv(self) -> dict[str, Any]:
        """Return the codes that a TV gets."""
        headers = {"X-Forwarded-For": self.address()}
        return dict(self._viewers.post("/api/tv/codes", headers=headers).raise_for_status().json())

    def webhook(self) -> str:
        """Add a webhook. At most fifty are allowed, so the others are deleted when the limit is reached."""
        draft = {"url": HOOK_URL, "topics": ["event.ended"]}
        answer = self._organiser.post("/webhooks", json=draft)
        if answer.status_code == httpx2.codes.CONFLICT:
            for one in self._organiser.get("/webhooks").json()["data"]:
                if one["id"] != self.standing_webhook:
                    self._organiser.delete(f"/webhooks/{one['id']}")
            answer = self._organiser.post("/webhooks", json=draft)
        return str(answer.raise_for_status().json()["data"]["id"])

    def delivery(self, webhook_id: str) -> int:
        return int(self._create(f"/webhooks/{webhook_id}/test")["id"])

    def cursor(self) -> str:
        """Revoke a ticket and return the position of this change in the feed."""
        answer = self._organiser.patch(f"/tokens/{self.ticket()['id']}/revoke").raise_for_status()
        return str(answer.json()["revocation"])

    def codes_to_import(self) -> str:
        return f"code,label\nIMPORTED{self.number():06d},Row 1\nIMPORTED{self.number():06d},\n"

    def _redeem(self, code: str) -> httpx2.Response:
        headers = {"X-Forwarded-For": self.address()}
        return self._viewers.post("/api/tokens/validate", json={"code": code}, headers=headers)

    def _create(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._organiser.post(path, json=body).raise_for_status().json()["data"]


def window() -> dict[str, str]:
    """Return the times of a running event."""
    now = utc_now()
    return {"startsAt": (now - timedelta(hours=1)).isoformat(), "endsAt": (now + timedelta(hours=5)).isoformat()}


def confirmation() -> str:
    return quote(TITLE)


def _session(user_id: str, secret: str, now: datetime) -> AdminSession:
    digest = sha256(secret.encode()).hexdigest()
    return AdminSession(token_hash=digest, user_id=user_id, created_at=now, expires_at=now + timedelta(hours=1))


def proof() -> dict[str, str]:
    return {"password": PASSWORD}
