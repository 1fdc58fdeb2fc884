"""Playback tokens made with the secret of the home under test."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from authz_sidecar.contract.keys import KeyRing
from authz_sidecar.contract.playback_token import Claims, mint
from tests.support.leaks import remember


class Minter:
    def __init__(self, home: Path) -> None:
        self._ring = KeyRing.from_secret(
            dotenv_values(home / ".env", interpolate=False)["PLAYBACK_SIGNING_SECRET"] or ""
        )

    def token(self, event_id: str, **values: Any) -> str:
        """Return a token that is valid for an hour, with the given claims replaced."""
        now = int(time.time())
        claims = Claims(eid=event_id, iat=now, exp=now + 3600, sub="K7F2X9M4B1C3", sid="a" * 22)
        wanted = replace(claims, **values)
        token = mint(wanted, self._ring)
        remember(token, wanted.sub or "")
        return token

    def probe_token(self, event_id: str) -> str:
        return self.token(event_id, sub=None, sid=None, probe=True)
