"""The origin that streams are fetched from, as settings say it and as nginx reads it (`site/origin.conf`).

It must never let a setting say anything to nginx but a host, a port, a path or a number.
"""

import re
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from control_plane.home import OperatorError
from control_plane.nginx_words import quoted

_HOST = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,252}[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(/(?!\.)[0-9A-Za-z._~-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_SLICE = "8m"
_NOWHERE = """\
map "" $origin_url     { default ""; }
map "" $origin_host    { default ""; }
map "" $origin_name    { default ""; }
map "" $origin_range   { default ""; }
map "" $segment_cache  { default off; }
map "" $blocking_cache { default off; }
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where streams come from, and how long and how much of them is kept."""

    scheme: str
    host: str  # without a port; IPv6 in brackets
    port: int
    path: str  # "" or "/hls", without a slash at its end
    cache_root: Path
    cache_gigabytes: int
    cache_hours: int
    ca_file: Path
    in_slices: bool = False  # nginx has the slice module

    @property
    def host_header(self) -> str:
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"


def read_origin(environment: Mapping[str, str], cache_root: Path, nginx: str) -> Origin | None:
    """Read the settings; None when no origin is named. Raise OperatorError for what makes no sense."""
    url = environment.get("UPSTREAM_ORIGIN", "").strip()
    if not url:
        return None
    scheme, host, port, path = _parts(url)
    return Origin(
        scheme,
        host,
        port,
        path,
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


def origin_conf(origin: Origin | None) -> str:
    """Give `site/origin.conf`."""
    if origin is None:
        return _NOWHERE
    lines = [
        f'map "" $origin_url     {{ default "{origin.scheme}://origin{origin.path}"; }}',
        f'map "" $origin_host    {{ default "{origin.host_header}"; }}',
        f'map "" $origin_name    {{ default "{origin.host.strip("[]")}"; }}',
        *_slices(origin),
        'map "" $segment_cache  { default segments; }',
        'map "" $blocking_cache { default blocking; }',
        f"upstream origin {{\n    server {origin.host}:{origin.port} max_fails=0;\n    keepalive 16;\n}}",
        _cache(origin, "segments", "32m", f"{origin.cache_gigabytes}g", f"{origin.cache_hours}h"),
        _cache(origin, "blocking", "4m", "256m", "1m"),
        f"proxy_cache_valid 200 206 {origin.cache_hours}h;",
        "proxy_cache_valid any 1s;",
        *_verification(origin),
    ]
    return "\n".join([*lines, ""])


def _cache(origin: Origin, name: str, keys: str, size: str, age: str) -> str:
    folder = quoted(origin.cache_root / name)
    limits = f"max_size={size} inactive={age} use_temp_path=off"
    return f"proxy_cache_path {folder} levels=1:2 keys_zone={name}:{keys} {limits};"


def _slices(origin: Origin) -> list[str]:
    if not origin.in_slices:
        return ['map "" $origin_range   { default ""; }']
    # Each slice is a request of its own: its range must not be remembered from the one before.
    return [f"slice {_SLICE};", 'map "" $origin_range   { volatile; default $slice_range; }']


def _verification(origin: Origin) -> list[str]:
    if origin.scheme != "https":
        return []
    trusted = f"proxy_ssl_trusted_certificate {quoted(origin.ca_file)};"
    return ["proxy_ssl_verify on;", "proxy_ssl_verify_depth 4;", trusted]


def _parts(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _no_origin() from error
    host = parts.netloc.removesuffix(f":{port}")
    path = parts.path.rstrip("/")
    is_plain = _HOST.fullmatch(host) and _PATH.fullmatch(path) and not parts.query and not parts.fragment
    if parts.scheme not in _DEFAULT_PORTS or not (is_plain and url.isprintable()) or port == 0:
        raise _no_origin()
    return parts.scheme, host.lower(), port or _DEFAULT_PORTS[parts.scheme], path


def _no_origin() -> OperatorError:
    # The value is not repeated: somebody may have put a password into it.
    return OperatorError("UPSTREAM_ORIGIN is no address like https://media.example.org or http://10.0.0.5:8888/hls.")


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
