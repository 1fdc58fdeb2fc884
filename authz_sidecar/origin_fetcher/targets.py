"""The origin of a file and its credentials: the common origin, or an event's own one if its host is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass

from authz_sidecar.contract import origin_credentials
from authz_sidecar.contract.origin_addresses import read_address
from authz_sidecar.contract.origin_credentials import Credentials
from authz_sidecar.contract.origin_settings import OriginSettings


class NoOrigin(Exception):
    """The event has no origin."""


class OriginRefused(Exception):
    """The address is invalid, or its host is not on the list; no request is made."""


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is the address without any query, for messages: it contains no secret."""

    name: str
    url: str
    header: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AllowedOrigins:
    """The allowed origins: no other host is ever contacted."""

    settings: OriginSettings

    def target(self, path: str, query: str, headers: Mapping[bytes, bytes]) -> Target:
        """Return where to fetch a file. `path` is /<event id>/<file>, `query` contains _HLS_ parameters only.

        Raise NoOrigin or OriginRefused.
        """
        own = headers.get(b"x-gate-origin", b"").decode("latin-1")
        if own:
            return _target(self._check_allowed(own), _own_credentials(headers), query)
        if self.settings.common is None:
            raise NoOrigin
        place, folder = self.settings.common
        return _target(f"{place}{folder}{path}", self.settings.credentials, query)

    def _check_allowed(self, address: str) -> str:
        try:
            place, path = read_address(address)
        except ValueError:
            raise OriginRefused("the event's address is invalid") from None
        if place not in self.settings.allowed:
            raise OriginRefused(f"{place} is not in UPSTREAM_ALLOWED_HOSTS")
        return f"{place}{path}"


def _own_credentials(headers: Mapping[bytes, bytes]) -> Credentials:
    header, query = (
        headers.get(name, b"").decode("latin-1") for name in (b"x-gate-origin-header", b"x-gate-origin-query")
    )
    try:
        return origin_credentials.normalize(header, query)
    except ValueError as error:
        raise OriginRefused(f"the event's credential {error}") from None


def _target(address: str, shown: Credentials, query: str) -> Target:
    whole = "&".join(part for part in (shown.query, query) if part)
    header = origin_credentials.read_header(shown.header) if shown.header else None
    return Target(address, f"{address}?{whole}" if whole else address, header)
