"""Settings of the sidecar: read once from the environment into a frozen object; an invalid value prevents the start."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import MINIMUM_SECRET_LENGTH, KeyRing


class SidecarSettings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; see docs/reference/settings.md."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    playback_signing_secret: Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)] | None = None
    playback_keys_file: Path | None = None
    internal_api_key: Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)]
    control_plane_url: str = "http://127.0.0.1:8081"
    edge_name: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{1,64}$")] = "local"
    sidecar_state_file: Path | None = None
    revocation_poll_interval_ms: Annotated[int, Field(ge=100, le=30_000)] = 30_000
    revocation_max_stale_seconds: Annotated[int, Field(ge=1)] | None = None
    segment_cache_root: Path | None = None
    sidecar_fast_lane: bool = True

    @field_validator("control_plane_url")
    @classmethod
    def _has_a_known_scheme(cls, value: str) -> str:
        if not value.startswith(("http://", "https://", "unix:/")):
            raise ValueError("must start with http://, https:// or unix:/")
        return value.rstrip("/")

    @field_validator("playback_signing_secret", "playback_keys_file", "segment_cache_root", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("playback_keys_file")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("must be an absolute path")
        return value

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        self.open_keys()
        return self

    def open_keys(self) -> KeySource:
        """Open the key ring that these settings name. Raise KeysRefused."""
        secret = self.playback_signing_secret
        return KeySource.open(
            self.playback_keys_file, secret.get_secret_value() if secret else None, KeyRing.for_verifying
        )
