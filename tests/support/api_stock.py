"""What the requests of a run want: people who are signed in, viewers who watch, things that may be changed.

What a request uses up it gets fresh, so no request spoils another's. People are written into the database (their
passwords would be hashed a hundred times over); everything else is made as an organiser and viewers make it.
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
from control_plane.models_admin import AdminSession, AdminUser
from tests.support.api import PASSWORD, PASSWORD_HASH

TITLE: Final = "Zoë's concert"
HOOK_URL: Final = "http://127.0.0.1:9/hook"  # nobody listens on the discard port
STILL_SIGNED_IN: Final = "in the end"  # among the labels of operations
_BATCH: Final = 500


@dataclass(frozen=True)
class Person:
    """Somebody with an account: `secret` is the cookie of one of their sessions, `other_session` the id of another."""

    id: str
    username: str
    secret: str
    other_session: str
    totp_secret: str

    @property
    def code(self) -> str:
        return totp.code_at(self.totp_secret, totp.step_at(utc_now()))


@dataclass(frozen=True)
class Watcher:
    """A device that has just redeemed a code."""

    token: str
    resume_secret: str

    @property
    def sid(self) -> str:
        return str(jwt.decode(self.token, options={"verify_signature": False})["sid"])


class Stock:
    """Of one StreamGate under test."""

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
        """Give the ids of what others still need."""
        return {self.owner.id, self.guest.id, self.event_id, self.standing_ticket["id"], self.standing_webhook}

    def who_am_i(self) -> int:
        """Ask whether the owner is signed in; give the status."""
        return self._organiser.get("/session").status_code

    def number(self) -> int:
        return next(self._numbers)

    def address(self) -> str:
        """Give an address that nobody has asked from: limits count by address."""
        number = self.number()
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def person(self, role: Role = Role.OPERATOR) -> Person:
        """Sign somebody new in, twice. An authenticator app has its secret, which no code has confirmed yet."""
        now, secret, totp_secret = utc_now(), secrets.token_urlsafe(32), totp.new_secret()
        values = {"password_hash": PASSWORD_HASH, "totp_secret": totp_secret, "created_at": now}
        user = AdminUser(username=f"person-{secrets.token_hex(6)}", role=role.value, **values)
        with Session(self._engine, expire_on_commit=False) as db:
            db.add(user)
            db.flush()
            db.add(_session(user.id, secret, now))
            db.add(other := _session(user.id, secrets.token_urlsafe(32), now))
            db.commit()
            return Person(user.id, user.username, secret, other.id, totp_secret)

    def api_key(self, *scopes: str) -> dict[str, str]:
        draft = {"name": f"key {secrets.token_hex(6)}", "scopes": scopes or ["read"]}
        return dict(self._made("/api-keys", draft))

    def event(self) -> str:
        return str(self._made("/events", {"title": TITLE, "maxDevices": 10} | window())["id"])

    def ticket(self) -> dict[str, str]:
        """Give a ticket that nobody has used, of the event that stays."""
        if not self._tickets:
            self._tickets = list(self._made(f"/events/{self.event_id}/tokens/generate", {"count": _BATCH}))
        return self._tickets.pop()

    def watcher(self) -> Watcher:
        """Redeem a ticket; the next one where a request that follows links has deleted it."""
        while (answer := self._redeem(self.ticket()["code"])).status_code in {401, 403}:
            pass
        self._viewers.cookies.clear()
        return Watcher(answer.raise_for_status().json()["playbackToken"], answer.cookies["sg_resume"])

    def tv(self) -> dict[str, Any]:
        """Give what a TV is given that shows a code."""
        headers = {"X-Forwarded-For": self.address()}
        return dict(self._viewers.post("/api/tv/codes", headers=headers).raise_for_status().json())

    def webhook(self) -> str:
        """Add a webhook. There may be fifty: where requests have made as many, they go."""
        draft = {"url": HOOK_URL, "topics": ["event.ended"]}
        answer = self._organiser.post("/webhooks", json=draft)
        if answer.status_code == httpx2.codes.CONFLICT:
            for one in self._organiser.get("/webhooks").json()["data"]:
                if one["id"] != self.standing_webhook:
                    self._organiser.delete(f"/webhooks/{one['id']}")
            answer = self._organiser.post("/webhooks", json=draft)
        return str(answer.raise_for_status().json()["data"]["id"])

    def delivery(self, webhook_id: str) -> int:
        return int(self._made(f"/webhooks/{webhook_id}/test")["id"])

    def cursor(self) -> str:
        """Revoke a ticket and give the place in the feed that this has."""
        answer = self._organiser.patch(f"/tokens/{self.ticket()['id']}/revoke").raise_for_status()
        return str(answer.json()["revocation"])

    def codes_to_import(self) -> str:
        return f"code,label\nIMPORTED{self.number():06d},Row 1\nIMPORTED{self.number():06d},\n"

    def _redeem(self, code: str) -> httpx2.Response:
        headers = {"X-Forwarded-For": self.address()}
        return self._viewers.post("/api/tokens/validate", json={"code": code}, headers=headers)

    def _made(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._organiser.post(path, json=body).raise_for_status().json()["data"]


def window() -> dict[str, str]:
    """Give the times of an event that is on."""
    now = utc_now()
    return {"startsAt": (now - timedelta(hours=1)).isoformat(), "endsAt": (now + timedelta(hours=5)).isoformat()}


def confirmation() -> str:
    return quote(TITLE)


def _session(user_id: str, secret: str, now: datetime) -> AdminSession:
    digest = sha256(secret.encode()).hexdigest()
    return AdminSession(token_hash=digest, user_id=user_id, created_at=now, expires_at=now + timedelta(hours=1))


def proof() -> dict[str, str]:
    return {"password": PASSWORD}
