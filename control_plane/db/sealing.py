"""Secrets in the database are sealed with a key that is kept outside of it: a copy of the database reveals none.

A sealed value is a prefix and a Fernet token (AES-128 in CBC mode and HMAC-SHA256, https://github.com/fernet/spec). No
value, sealed or open, may appear in a message.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.errors import SecretsKeyMissing

SETTING: Final = "SECRETS_KEY"
SEALER: Final = "sealer"  # in the `info` of a session
SHORTEST_KEY: Final = 32
_PREFIX: Final = "sealed:"
_PURPOSE: Final = b"streamgate secrets in the database"


class SealBroken(Exception):
    """No key opens the value: the right one is missing, or the value was altered."""


class Sealer:
    """Seals with the first key and opens with any, so that keys can be rotated. Without keys it does neither."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernets = [_fernet(key) for key in keys]

    @property
    def has_key(self) -> bool:
        return bool(self._fernets)

    def seal(self, text: str) -> str:
        """Return the sealed text. Raise SecretsKeyMissing if there is no key."""
        if not self._fernets:
            raise SecretsKeyMissing
        return _PREFIX + self._fernets[0].encrypt(text.encode()).decode()

    def open(self, value: str) -> str:
        """Return the text; a value without the prefix is from before there were keys. Raise SealBroken."""
        if not value.startswith(_PREFIX):
            return value
        try:
            return MultiFernet(self._fernets).decrypt(value.removeprefix(_PREFIX)).decode()
        except (InvalidToken, ValueError):  # ValueError: there are no keys at all
            raise SealBroken from None

    def renewed(self, value: str) -> str:
        """Return the value sealed with the first key, unchanged if it is already. Raise like `open` and `seal`."""
        text = self.open(value)
        return value if value.startswith(_PREFIX) and self._is_by_the_first_key(value) else self.seal(text)

    def _is_by_the_first_key(self, value: str) -> bool:
        try:
            self._fernets[0].decrypt(value.removeprefix(_PREFIX))
        except InvalidToken:
            return False
        return True


def split_keys(text: str) -> list[str]:
    """Return the keys in a setting's value: one, or several separated by commas. Raise ValueError."""
    keys = [key.strip() for key in text.split(",")]
    if not keys or any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"each key must have at least {SHORTEST_KEY} characters")
    return keys


def sealer_of(db: AsyncSession) -> Sealer:
    sealer = db.info.get(SEALER)
    return sealer if isinstance(sealer, Sealer) else Sealer()


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(urlsafe_b64encode(derived))
