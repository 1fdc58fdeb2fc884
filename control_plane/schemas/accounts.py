"""What the API takes and shows of accounts and API keys. Secrets have a field only where they are shown once."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from control_plane.access.actors import Role, Scope
from control_plane.schemas import Schema, Text

MINIMUM_PASSWORD_LENGTH = 12
MAXIMUM_PASSWORD_LENGTH = 1000


def _several(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


# Small letters in the end: nobody tells "Anna" and "anna" apart. Letters, digits and . _ @ + - only.
Username = Annotated[
    str, StringConstraints(to_lower=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")
]
NewPassword = Annotated[str, Field(min_length=MINIMUM_PASSWORD_LENGTH, max_length=MAXIMUM_PASSWORD_LENGTH)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=MAXIMUM_PASSWORD_LENGTH)]


class UserDraft(Schema):
    """A new user; a password is made up where none is given."""

    username: Username
    role: Role
    password: Annotated[NewPassword | None, Field(repr=False)] = None


class RoleChange(Schema):
    role: Role


class PasswordReset(Schema):
    """Somebody else's new password, made up where none is given."""

    password: Annotated[NewPassword | None, Field(repr=False)] = None


class OwnPasswordChange(Schema):
    current_password: Annotated[GivenPassword, Field(repr=False)]
    new_password: Annotated[NewPassword, Field(repr=False)]


class PasswordProof(Schema):
    """One's own password, for what a stolen session must not do."""

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
    """`password` is what was made up, shown this once; null when it was given."""

    password: Annotated[str | None, Field(repr=False)]


class AccountView(UserView):
    """One's own account."""

    recovery_codes_left: int


class AdminSessionView(Schema):
    """Where one is signed in."""

    id: str
    address: str
    device: str
    since: datetime
    expires_at: datetime
    is_current: bool


class EndedSessions(Schema):
    ended: int


class TotpEnrolment(Schema):
    """A fresh secret, shown this once: as text, as an app's address and as that address's QR code (SVG)."""

    secret: Annotated[str, Field(repr=False)]
    uri: Annotated[str, Field(repr=False)]
    qr: Annotated[str, Field(repr=False)]


class RecoveryCodes(Schema):
    """Each signs in once in place of a code; shown this once."""

    recovery_codes: Annotated[list[str], Field(repr=False)]


class KeyDraft(Schema):
    name: Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope)), AfterValidator(_several)]


class KeyView(Schema):
    """An API key; `shown` are its first characters."""

    id: str
    name: str
    shown: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """`key` is the key itself, shown this once."""

    key: Annotated[str, Field(repr=False)]


class OwnerDraft(Schema):
    """The first owner, as the set-up page asks for them."""

    username: Username = "admin"
    password: Annotated[NewPassword, Field(repr=False)]
    token: Annotated[Text, Field(min_length=1, max_length=100, repr=False)]
