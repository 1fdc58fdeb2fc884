"""Secrets in the database are sealed with a key that is kept outside of it: a copy of the database alone has none.

A sealed value is a Fernet token (AES-128 in CBC mode and HMAC-SHA256, https://github.com/fernet/spec) behind a mark.
No value, sealed or open, may stand in a message.
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
_MARK: Final = "sealed:"
_PURPOSE: Final = b"streamgate secrets in the database"


class SealBroken(Exception):
    """None of the keys opens the value, or it was changed."""


class Sealer:
    """Seals with the first key and opens with any of them: so keys can be changed. Without keys it does neither."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernets = [_fernet(key) for key in keys]

    @property
    def has_key(self) -> bool:
        return bool(self._fernets)

    def seal(self, text: str) -> str:
        """Raise SecretsKeyMissing."""
        if not self._fernets:
            raise SecretsKeyMissing
        return _MARK + self._fernets[0].encrypt(text.encode()).decode()

    def open(self, value: str) -> str:
        """Return the text; one without the mark is from before there were keys. Raise SealBroken."""
        if not value.startswith(_MARK):
            return value
        try:
            return MultiFernet(self._fernets).decrypt(value.removeprefix(_MARK)).decode()
        except (InvalidToken, ValueError):  # no keys at all are a ValueError
            raise SealBroken from None

    def renewed(self, value: str) -> str:
        """Return the value sealed with the first key, unchanged if it is so already. Raise as `open` and `seal` do."""
        text = self.open(value)
        return value if value.startswith(_MARK) and self._is_by_the_first_key(value) else self.seal(text)

    def _is_by_the_first_key(self, value: str) -> bool:
        try:
            self._fernets[0].decrypt(value.removeprefix(_MARK))
        except InvalidToken:
            return False
        return True


def split_keys(text: str) -> list[str]:
    """Return the keys in a setting's value: one, or several with commas between. Raise ValueError."""
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
