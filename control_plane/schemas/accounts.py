"""API schemas for accounts and API keys. A response contains a secret only where it is shown, once."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from control_plane.access.actors import Role, Scope
from control_plane.schemas import Schema, Text


class SignInForm(Schema):
    """The credentials of a user. `totp` is the app's code or a recovery code, if the user has a second factor."""

    username: Annotated[str, Field(min_length=1, max_length=64)] = "admin"
    password: Annotated[str, Field(min_length=1, max_length=1000, repr=False)]
    totp: Annotated[str | None, Field(max_length=40, repr=False)] = None


MINIMUM_PASSWORD_LENGTH = 12
MAXIMUM_PASSWORD_LENGTH = 1000


def _unique(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


# Converted to small letters, so that "Anna" and "anna" are the same. Letters, digits and . _ @ + - only.
Username = Annotated[
    str, StringConstraints(to_lower=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")
]
NewPassword = Annotated[str, Field(min_length=MINIMUM_PASSWORD_LENGTH, max_length=MAXIMUM_PASSWORD_LENGTH)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=MAXIMUM_PASSWORD_LENGTH)]


class UserDraft(Schema):
    """A new user; a password is generated if none is given."""

    username: Username
    role: Role
    password: Annotated[NewPassword | None, Field(repr=False)] = None


class RoleChange(Schema):
    role: Role


class PasswordReset(Schema):
    """Another user's new password, generated if none is given."""

    password: Annotated[NewPassword | None, Field(repr=False)] = None


class OwnPasswordChange(Schema):
    current_password: Annotated[GivenPassword, Field(repr=False)]
    new_password: Annotated[NewPassword, Field(repr=False)]


class PasswordProof(Schema):
    """The user's own password, for what a stolen session must not be able to do."""

    password: Annotated[GivenPassword, Field(repr=False)]


class CodeProof(Schema):
    """The code that the authenticator app shows now."""

    code: Annotated[Text, Field(min_length=1, max_length=40, repr=False)]


class UserView(Schema):
    id: str
    username: str
    role: Role
    is_active: bool
    uses_totp: bool
    created_at: datetime
    last_sign_in_at: datetime | None


class UserWithPassword(UserView):
    """`password` is the generated one, shown only this once; null if it was given."""

    password: Annotated[str | None, Field(repr=False)]


class AccountView(UserView):
    """The user's own account."""

    recovery_codes_left: int


class AdminSessionView(Schema):
    """A session in which the user is signed in."""

    id: str
    address: str
    device: str
    since: datetime
    expires_at: datetime
    is_current: bool


class EndedSessions(Schema):
    ended: int


class TotpEnrolment(Schema):
    """A new secret, shown only this once: as text, as a URI for the app, and as the QR code of that URI (SVG)."""

    secret: Annotated[str, Field(repr=False)]
    uri: Annotated[str, Field(repr=False)]
    qr: Annotated[str, Field(repr=False)]


class RecoveryCodes(Schema):
    """Each can be used once in place of a code; shown only this once."""

    recovery_codes: Annotated[list[str], Field(repr=False)]


class KeyDraft(Schema):
    name: Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope)), AfterValidator(_unique)]


class KeyView(Schema):
    """An API key; `shown` is its first characters."""

    id: str
    name: str
    shown: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """`key` is the key itself, shown only this once."""

    key: Annotated[str, Field(repr=False)]


class OwnerDraft(Schema):
    """The first owner, from the set-up page."""

    username: Username = "admin"
    password: Annotated[NewPassword, Field(repr=False)]
    token: Annotated[Text, Field(min_length=1, max_length=100, repr=False)]
