"""Settings of the control plane: read once from the environment into a frozen object. Invalid ones prevent startup."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import MINIMUM_SECRET_LENGTH, KeyRing
from authz_sidecar.contract.origin_addresses import OriginServer, read_allowed
from control_plane.accounts.passwords import check_hash
from control_plane.db.sealing import Sealer, split_keys
from control_plane.web_origins import parse_hosts

_WEB_ADDRESS = re.compile(r"https?://[!-~]+")
_CONTACT = re.compile(r"https?://[!-~]+|tel:[+0-9-]+|[!-9;-?A-~]+@[0-9A-Za-z.-]+")


def check_database_url(url: str) -> str:
    """Raise ValueError if the database is neither SQLite nor PostgreSQL."""
    if not url.startswith(("sqlite+aiosqlite:///", "postgresql+psycopg://")):
        raise ValueError("must start with sqlite+aiosqlite:/// or postgresql+psycopg://")
    return url


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; see docs/reference/settings.md."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    playback_signing_secret: Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)] | None = None
    playback_keys_file: Path | None = None
    playback_token_seconds: Annotated[int, Field(ge=30, le=3600)] = 3600
    internal_api_key: Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)]
    secrets_key: SecretStr | None = None
    admin_password_hash: SecretStr | None = None
    setup_link_file: Path | None = None
    database_url: Annotated[str, AfterValidator(check_database_url)] = "sqlite+aiosqlite:///streamgate.db"
    redis_url: SecretStr | None = None
    session_timeout_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    audit_retention_days: Annotated[int, Field(ge=1, le=3650)] = 180
    app_name: Annotated[str, Field(min_length=1, max_length=60)] = "StreamGate"
    app_accent: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = "#3B82F6"
    app_logo_file: Path | None = None
    organiser_contact: str = ""
    imprint_url: str = ""
    privacy_url: str = ""
    hls_server_base_url: str = ""
    hls_server_internal_url: str = "http://127.0.0.1:8080"
    platform_app_url: str = ""
    trusted_proxies: str = ""
    embed_allowed_hosts: str = ""
    stream_root: Path | None = None
    upstream_allowed_hosts: str = ""
    webhook_allow_private: bool = False

    @field_validator("organiser_contact")
    @classmethod
    def _is_a_contact(cls, value: str) -> str:
        if value and not _CONTACT.fullmatch(value):
            raise ValueError("must be an e-mail address or begin with https://, http:// or tel:, or be empty")
        return value if not value or ":" in value else f"mailto:{value}"

    @field_validator("imprint_url", "privacy_url")
    @classmethod
    def _is_a_web_address(cls, value: str) -> str:
        if value and not _WEB_ADDRESS.fullmatch(value):
            raise ValueError("must begin with https:// or http://, or be empty")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://, or be empty")
        return value

    @field_validator("admin_password_hash")
    @classmethod
    def _is_argon2id(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        check_hash(value.get_secret_value())
        return value

    @field_validator("secrets_key")
    @classmethod
    def _are_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        split_keys(value.get_secret_value())
        return value

    @field_validator("app_logo_file")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("names a file that does not exist")
        return value

    @field_validator("hls_server_base_url", "hls_server_internal_url", "platform_app_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, or be empty")
        return value.rstrip("/")

    @field_validator("embed_allowed_hosts")
    @classmethod
    def _are_embedding_hosts(cls, value: str) -> str:
        parse_hosts(value)
        return value

    @field_validator("upstream_allowed_hosts")
    @classmethod
    def _are_upstream_hosts(cls, value: str) -> str:
        read_allowed(value)
        return value

    @field_validator("playback_signing_secret", "playback_keys_file", "setup_link_file", mode="before")
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

    @property
    def allowed_places(self) -> tuple[OriginServer, ...]:
        return read_allowed(self.upstream_allowed_hosts)

    def sealer(self) -> Sealer:
        return Sealer(split_keys(self.secrets_key.get_secret_value()) if self.secrets_key else ())

    def open_keys(self) -> KeySource:
        """Read the key ring from the configured file or secret. Raise KeysRefused."""
        secret = self.playback_signing_secret
        return KeySource.open(
            self.playback_keys_file, secret.get_secret_value() if secret else None, KeyRing.for_signing
        )
