"""Signing in to the console and the API: password, second factor, and the same answer to every failure.

Unknown users, wrong passwords, wrong codes and deactivated users must go through the same steps, so that neither the
message nor the time reveals which it was. The reason is in the audit log, which only admins can read.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor, ActorKind
from control_plane.access.audit import About
from control_plane.access.audit_queue import AuditQueue, RefusedAction
from control_plane.accounts import accounts, second_factor
from control_plane.accounts.accounts import WRONG_PASSWORD, Client
from control_plane.accounts.passwords import PasswordChecker
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import FieldRefused, Refusal, SignInFailed, TooBusy, TooManyAttempts
from control_plane.limits.limits import Limits
from control_plane.tables import AdminUser

_SIGN_IN: Final = "sign-in"
_SIGN_OUT: Final = "sign-out"
_NOBODY: Final = "nobody"


class _Failure(StrEnum):
    UNKNOWN = "unknown user"
    PASSWORD = "password"  # noqa: S105 - a word of the audit log
    DEACTIVATED = "deactivated"
    CODE = "authentication code"


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """The credentials of an attempt to sign in, and the client."""

    username: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    client: Client


@dataclass(frozen=True, slots=True)
class _CheckedPassword:
    """What is known before the user's row is locked: the hash that was checked, and the result."""

    password_hash: str | None
    is_right: bool
    may_try_a_code: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signs users in. The methods that check a password raise TooBusy."""

    database: Database
    passwords: PasswordChecker
    limits: Limits
    audit_queue: AuditQueue

    async def admit(self, address: str, now: datetime) -> None:
        """Count an attempt before its request is read. Raise TooManyAttempts after ten attempts in a minute."""
        try:
            await self.limits.count_sign_in(address)
        except TooManyAttempts as refusal:
            self._note(refusal, address, now)
            raise

    async def sign_in(self, attempt: SignInAttempt, now: datetime) -> tuple[str, AdminUser]:
        """Return the secret of a new admin session and its user. Raise SignInFailed. Call `admit` first.

        `now` is the time of the request. Checking its password takes time, so the attempt is judged and stamped later,
        when its transaction begins.
        """
        checked = await self._check_password(attempt, now)
        async with self.database.write() as db:
            began = utc_now()
            user = await accounts.find(db, attempt.username, lock=True)
            failure = await _failure(db, user, checked, attempt.code, began)
            secret = await accounts.begin_session(db, user.id, attempt.client, began) if user and not failure else None
            _record(db, attempt, user, failure, began)
        if user is None or secret is None:
            raise SignInFailed
        await self._renew_hash(user, attempt.password)
        return secret, user

    async def confirm_password(self, user_id: str | None, password: str, address: str, field: str) -> str:
        """Check the password of the signed-in user; return the hash that it was checked against.

        Raise FieldRefused if it is wrong, and TooManyAttempts after ten attempts in a minute.
        """
        await self.limits.count_sign_in(address)
        async with self.database.read() as db:
            user = await accounts.get(db, user_id or "")
        if not await self.passwords.matches(password, user.password_hash):
            raise FieldRefused(field, WRONG_PASSWORD)
        return user.password_hash

    async def _check_password(self, attempt: SignInAttempt, now: datetime) -> _CheckedPassword:
        """Check the password. Raise TooBusy, and record that refusal."""
        try:
            return await self._match_password(attempt)
        except TooBusy as refusal:
            self._note(refusal, attempt.client.address, now)
            raise

    def _note(self, refusal: Refusal, address: str, now: datetime) -> None:
        """Record a refusal in the background: there may be floods of them."""
        self.audit_queue.note(RefusedAction(_SIGN_IN, refusal.reason, address, actor=_anonymous(address)), now)

    async def _match_password(self, attempt: SignInAttempt) -> _CheckedPassword:
        async with self.database.read() as db:
            user = await accounts.find(db, attempt.username)
            in_use = await accounts.hash_in_use(db, attempt.username)
        password_hash = user.password_hash if user else None
        is_right = await self.passwords.matches(attempt.password, password_hash, in_use)
        counted = user.id if user and is_right and second_factor.is_in_force(user) else _NOBODY
        try:
            await self.limits.count_second_factor(counted)
        except TooManyAttempts:
            return _CheckedPassword(password_hash, is_right, may_try_a_code=False)
        return _CheckedPassword(password_hash, is_right, may_try_a_code=True)

    async def _renew_hash(self, user: AdminUser, password: str) -> None:
        """Hash the password again if its parameters are outdated, unless it was changed in the meantime."""
        renewed = await self.passwords.renewed(password, user.password_hash)
        if renewed is None:
            return
        async with self.database.write() as db:
            current = await accounts.get(db, user.id, lock=True)
            if current.password_hash == user.password_hash:
                current.password_hash = renewed


async def sign_out(db: AsyncSession, actor: Actor, now: datetime) -> None:
    """End the session that the actor is signed in with."""
    await accounts.end_session(db, actor.session_id)
    audit.record(db, actor, _SIGN_OUT, now, About(actor.name))


async def _failure(
    db: AsyncSession, user: AdminUser | None, checked: _CheckedPassword, code: str, now: datetime
) -> _Failure | None:
    """Return what is wrong, or None and mark the code as used. The user may have changed since `checked`."""
    if user is None:
        return _Failure.UNKNOWN
    if not checked.is_right or user.password_hash != checked.password_hash:
        return _Failure.PASSWORD
    if not user.is_active:
        return _Failure.DEACTIVATED
    if not second_factor.is_in_force(user):
        return None
    is_accepted = checked.may_try_a_code and await second_factor.accept(db, user, code, now)
    return None if is_accepted else _Failure.CODE


def _record(
    db: AsyncSession, attempt: SignInAttempt, user: AdminUser | None, failure: _Failure | None, now: datetime
) -> None:
    """Record the attempt. An unknown name may be a password in the wrong field: only its digest is stored."""
    address = attempt.client.address
    subject = user.username if user else audit.code_digest(attempt.username)
    if user and not failure:
        audit.record(db, accounts.actor_of_user(user, address), _SIGN_IN, now, About(subject))
        return
    audit.record(db, _anonymous(address), _SIGN_IN, now, About(subject, detail={"why": failure}), SignInFailed.reason)


def _anonymous(address: str) -> Actor:
    return Actor(ActorKind.USER, _NOBODY, address=address)
