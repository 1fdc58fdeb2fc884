"""Settings for origins from the environment, used by the fetcher and checked by `up` and `doctor`.

No message ever repeats a value: an address may contain a password.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from authz_sidecar.contract.origin_addresses import OriginServer, read_address, read_allowed
from authz_sidecar.contract.origin_credentials import Credentials, read_header, read_query

SECRETS: Final = (
    "UPSTREAM_ORIGIN_HEADER",
    "UPSTREAM_ORIGIN_HEADER_FILE",
    "UPSTREAM_ORIGIN_QUERY",
    "UPSTREAM_ORIGIN_QUERY_FILE",
)
SETTINGS: Final = ("UPSTREAM_ORIGIN", "UPSTREAM_ALLOWED_HOSTS", *SECRETS)
_CA_FILES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True, slots=True)
class OriginSettings:
    """`common` is the origin of events without their own, and the path below it, such as "" or "/hls"."""

    common: tuple[OriginServer, str] | None
    credentials: Credentials
    allowed: frozenset[OriginServer]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Parse the settings. Raise ValueError with one sentence that names the variable."""
        common = _common(environment.get("UPSTREAM_ORIGIN", "").strip())
        header, query = (_secret(name, environment) for name in ("UPSTREAM_ORIGIN_HEADER", "UPSTREAM_ORIGIN_QUERY"))
        if (header or query) and common is None:
            raise ValueError("UPSTREAM_ORIGIN_HEADER and UPSTREAM_ORIGIN_QUERY need an UPSTREAM_ORIGIN.")
        return cls(common, Credentials(header, query), frozenset(allowed_hosts(environment)))

    @property
    def is_empty(self) -> bool:
        return self.common is None and not self.allowed

    @property
    def uses_tls(self) -> bool:
        return any(place.scheme == "https" for place in (*self.allowed, *(self.common or ())[:1]))


def allowed_hosts(environment: Mapping[str, str]) -> tuple[OriginServer, ...]:
    """Return the origins that events may name. Raise ValueError with one sentence."""
    try:
        return read_allowed(environment.get("UPSTREAM_ALLOWED_HOSTS", ""))
    except ValueError as error:
        raise ValueError(f"UPSTREAM_ALLOWED_HOSTS {error}.") from None


def names_origin(environment: Mapping[str, str]) -> bool:
    """Return whether there is an origin, even if its settings are invalid."""
    return any(environment.get(name) for name in ("UPSTREAM_ORIGIN", "UPSTREAM_ALLOWED_HOSTS"))


def trusted_authorities(environment: Mapping[str, str]) -> Path | None:
    """Return the file of certificate authorities that this machine trusts, or None if there is none."""
    named = environment.get("SSL_CERT_FILE"), *_CA_FILES
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def _common(url: str) -> tuple[OriginServer, str] | None:
    if not url:
        return None
    try:
        return read_address(url)
    except ValueError:
        raise ValueError(
            "UPSTREAM_ORIGIN is not an address like https://media.example.org or http://10.0.0.5:8888/hls."
        ) from None


def _secret(name: str, environment: Mapping[str, str]) -> str:
    """Return a secret, normalized, from its variable or from the file that NAME_FILE names; "" if neither is set."""
    text, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "")
    if text and file:
        raise ValueError(f"{name} and {name}_FILE are both set; keep one of them.")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            raise ValueError(f"{name}_FILE names a file that cannot be read.") from None
    try:
        return _normalized(name, text) if text else ""
    except ValueError as error:
        raise ValueError(f"{name} {error}.") from None


def _normalized(name: str, text: str) -> str:
    return ": ".join(read_header(text)) if name.endswith("HEADER") else read_query(text)
