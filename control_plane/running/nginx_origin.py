"""The origins that streams are fetched from, as settings say them and as nginx reads them (`site/origin.conf`).

It must never let a setting say anything to nginx but a host, a port, a path or a number.
"""

import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.running.home import OperatorError
from control_plane.running.nginx_words import quoted
from control_plane.streaming.origins import Place, read_address, read_allowed

_CA_FILES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_SLICE: Final = "8m"
# What $origin_url says of a file that no origin has, and of an event's own origin that is not on the list.
_NOWHERE, _REFUSED = "nowhere", "refused"
_NO_CACHE: Final = """\
map "" $origin_range   { default ""; }
map "" $segment_cache  { default off; }
map "" $blocking_cache { default off; }
"""


@dataclass(frozen=True, slots=True)
class Origins:
    """Where streams come from that the folder does not hold, and how long and how much of them is kept."""

    default: Place | None  # asked for the files of events that name no origin of their own
    path: str  # below it: "" or "/hls", without a slash at its end
    allowed: tuple[Place, ...]  # asked for those of events that do
    cache_root: Path
    cache_gigabytes: int
    cache_hours: int
    ca_file: Path
    in_slices: bool = False  # nginx has the slice module


def read_origins(environment: Mapping[str, str], cache_root: Path, nginx: str) -> Origins | None:
    """Read the settings; None when no origin is named. Raise OperatorError for what makes no sense."""
    default, path = _default(environment.get("UPSTREAM_ORIGIN", "").strip())
    allowed = _allowed(environment.get("UPSTREAM_ALLOWED_HOSTS", ""))
    if default is None and not allowed:
        return None
    return Origins(
        default,
        path,
        allowed,
        Path(environment.get("SEGMENT_CACHE_ROOT") or cache_root).absolute(),
        _number(environment, "SEGMENT_CACHE_MAX_SIZE_GB", 50, 100_000),
        _number(environment, "SEGMENT_CACHE_MAX_AGE_HOURS", 72, 8_760),
        _ca_file(environment),
        has_slices(nginx),
    )


def has_slices(nginx: str) -> bool:
    """Tell whether this nginx can fetch a large file in slices; one that cannot fetches it whole."""
    told = subprocess.run([nginx, "-V"], capture_output=True, check=False, timeout=10)  # noqa: S603  found by us
    return b"--with-http_slice_module" in told.stderr


def origin_conf(origins: Origins | None) -> str:
    """Give `site/origin.conf`."""
    if origins is None:
        return "\n".join([*_maps([]), _NO_CACHE])
    servers = list(_servers(origins))
    lines = [
        *_maps(servers),
        *_slices(origins),
        'map "" $segment_cache  { default segments; }',
        'map "" $blocking_cache { default blocking; }',
        *(_upstream(server) for server in servers),
        _cache(origins, "segments", "32m", f"{origins.cache_gigabytes}g", f"{origins.cache_hours}h"),
        _cache(origins, "blocking", "4m", "256m", "1m"),
        f"proxy_cache_valid 200 206 {origins.cache_hours}h;",
        "proxy_cache_valid any 1s;",
        *_verification(origins, servers),
    ]
    return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class _Server:
    """One upstream: its name in nginx, who it is, the path below it, and the $origin_place that leads to it."""

    name: str
    place: Place
    path: str
    reached_by: str


def _servers(origins: Origins) -> Iterator[_Server]:
    """Give a server for each scheme of a place: connections that are kept open would be mixed up otherwise."""
    if origins.default:
        yield _Server("origin", origins.default, origins.path, "")
    for number, place in enumerate(origins.allowed, 1):
        yield _Server(f"origin_{number}", place, "", str(place))


def _maps(servers: list[_Server]) -> Iterator[str]:
    """Map the place that a file is fetched from to what nginx needs there, each place spelled out exactly."""
    nowhere = [] if any(server.reached_by == "" for server in servers) else [("", _NOWHERE)]
    urls = [(server.reached_by, f"{server.place.scheme}://{server.name}{server.path}") for server in servers]
    yield _map("origin_url", _REFUSED, [*nowhere, *urls])
    yield _map("origin_host", "", [(server.reached_by, server.place.authority) for server in servers])
    yield _map("origin_name", "", [(server.reached_by, server.place.host.strip("[]")) for server in servers])


def _map(name: str, default: str, rows: list[tuple[str, str]]) -> str:
    lines = [f'    "{place}" "{value}";' for place, value in rows]
    return "\n".join([f"map $origin_place ${name} {{", f'    default "{default}";', *lines, "}"])


def _upstream(server: _Server) -> str:
    address = f"{server.place.host}:{server.place.port}"
    return f"upstream {server.name} {{\n    server {address} max_fails=0;\n    keepalive 16;\n}}"


def _cache(origins: Origins, name: str, keys: str, size: str, age: str) -> str:
    folder = quoted(origins.cache_root / name)
    limits = f"max_size={size} inactive={age} use_temp_path=off"
    return f"proxy_cache_path {folder} levels=1:2 keys_zone={name}:{keys} {limits};"


def _slices(origins: Origins) -> list[str]:
    if not origins.in_slices:
        return ['map "" $origin_range   { default ""; }']
    # Each slice is a request of its own: its range must not be remembered from the one before.
    return [f"slice {_SLICE};", 'map "" $origin_range   { volatile; default $slice_range; }']


def _verification(origins: Origins, servers: list[_Server]) -> list[str]:
    if not any(server.place.scheme == "https" for server in servers):
        return []
    trusted = f"proxy_ssl_trusted_certificate {quoted(origins.ca_file)};"
    return ["proxy_ssl_verify on;", "proxy_ssl_verify_depth 4;", trusted]


def _default(url: str) -> tuple[Place | None, str]:
    if not url:
        return None, ""
    try:
        return read_address(url)
    except ValueError:
        # The value is not repeated: somebody may have put a password into it.
        raise OperatorError(
            "UPSTREAM_ORIGIN is no address like https://media.example.org or http://10.0.0.5:8888/hls."
        ) from None


def _allowed(hosts: str) -> tuple[Place, ...]:
    try:
        return read_allowed(hosts)
    except ValueError as error:
        raise OperatorError(f"UPSTREAM_ALLOWED_HOSTS {error}.") from None


def _number(environment: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environment.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= highest:
        raise OperatorError(f"{name} must be a whole number from 1 to {highest}.")
    return int(text)


def _ca_file(environment: Mapping[str, str]) -> Path:
    """Find the authorities that this machine trusts. Raise OperatorError when there are none."""
    named = environment.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_CA_FILES
    for candidate in named:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise OperatorError("No file of trusted certificate authorities was found; SSL_CERT_FILE may name one.")
