"""Who is asked for a file, and what they are shown: the origin of all events, or an event's own one on the list."""

from collections.abc import Mapping
from dataclasses import dataclass

from authz_sidecar.contract import origin_credentials
from authz_sidecar.contract.origin_addresses import read_address
from authz_sidecar.contract.origin_credentials import Credentials
from authz_sidecar.contract.origin_settings import OriginSettings


class NoOrigin(Exception):
    """Nobody has such a file: the event has no origin."""


class OriginRefused(Exception):
    """The address is none, or its host is not on the list; nobody is asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is the address without any query, for messages: it holds no secret."""

    name: str
    url: str
    header: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Origins:
    """The list: nobody else is ever asked."""

    settings: OriginSettings

    def target(self, path: str, query: str, headers: Mapping[bytes, bytes]) -> Target:
        """Say who is asked. `path` is /<event id>/<file>, `query` holds _HLS_ parameters only.

        Raise NoOrigin or OriginRefused.
        """
        own = headers.get(b"x-gate-origin", b"").decode("latin-1")
        if own:
            return _target(self._listed(own), _own_credentials(headers), query)
        if self.settings.common is None:
            raise NoOrigin
        place, folder = self.settings.common
        return _target(f"{place}{folder}{path}", self.settings.credentials, query)

    def _listed(self, address: str) -> str:
        try:
            place, path = read_address(address)
        except ValueError:
            raise OriginRefused("the event's address makes no sense") from None
        if place not in self.settings.allowed:
            raise OriginRefused(f"{place} is not on the list of UPSTREAM_ALLOWED_HOSTS")
        return f"{place}{path}"


def _own_credentials(headers: Mapping[bytes, bytes]) -> Credentials:
    header, query = (
        headers.get(name, b"").decode("latin-1") for name in (b"x-gate-origin-header", b"x-gate-origin-query")
    )
    try:
        return origin_credentials.checked(header, query)
    except ValueError as error:
        raise OriginRefused(f"what it is to be shown {error}") from None


def _target(address: str, shown: Credentials, query: str) -> Target:
    whole = "&".join(part for part in (shown.query, query) if part)
    header = origin_credentials.read_header(shown.header) if shown.header else None
    return Target(address, f"{address}?{whole}" if whole else address, header)
