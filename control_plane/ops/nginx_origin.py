"""The settings of the origins that streams are fetched from, and nginx's cache for them (`site/origin.conf`).

A setting must never reach nginx as anything but a folder or a number. The fetcher decides which origin is requested.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authz_sidecar.contract.origin_settings import OriginSettings, trusted_authorities
from control_plane.errors import OperatorError
from control_plane.ops.home import segment_cache
from control_plane.ops.nginx_words import quoted
from control_plane.ops.up_settings import UpSettings

_SLICE: Final = "8m"
_MIN_FREE: Final = "1g"  # free disk space: below it the cache is pruned, so that a full disk never stops the database
_NO_CACHE: Final = """\
map "" $origin_range   { default ""; }
map "" $segment_cache  { default off; }
map "" $blocking_cache { default off; }
"""


@dataclass(frozen=True, slots=True)
class NginxOrigin:
    """The origin of streams that are not in the stream folder, and the limits of the cache for them."""

    settings: OriginSettings
    cache_root: Path
    cache_gigabytes: int
    cache_hours: int
    in_slices: bool = False  # nginx has the slice module


def read_origins(environment: Mapping[str, str], home: Path, nginx: str) -> NginxOrigin | None:
    """Return the settings, or None if there is no origin. Raise OperatorError for invalid values."""
    try:
        settings = OriginSettings.read(environment)
    except ValueError as error:
        raise OperatorError(str(error)) from None
    if settings.is_empty:
        return None
    if settings.uses_tls and trusted_authorities(environment) is None:
        raise OperatorError("No file of trusted certificate authorities was found; SSL_CERT_FILE may name one.")
    cache = UpSettings.read(environment)
    return NginxOrigin(
        settings,
        segment_cache(home, environment),
        cache.segment_cache_max_size_gb,
        cache.segment_cache_max_age_hours,
        has_slices(nginx),
    )


def has_slices(nginx: str) -> bool:
    """Return whether this nginx can fetch a large file in slices; without the module it fetches it whole."""
    result = subprocess.run([nginx, "-V"], capture_output=True, check=False, timeout=10)  # noqa: S603  from find_nginx
    return b"--with-http_slice_module" in result.stderr


def origin_conf(origins: NginxOrigin | None) -> str:
    """Return the content of `site/origin.conf`."""
    if origins is None:
        return _NO_CACHE
    lines = [
        *_slices(origins),
        'map "" $segment_cache  { default segments; }',
        'map "" $blocking_cache { default blocking; }',
        _cache(origins, "segments", "32m", f"{origins.cache_gigabytes}g", f"{origins.cache_hours}h"),
        _cache(origins, "blocking", "4m", "256m", "1m"),
        f"proxy_cache_valid 200 206 {origins.cache_hours}h;",
        "proxy_cache_valid any 1s;",
    ]
    return "\n".join([*lines, ""])


def _cache(origins: NginxOrigin, name: str, keys: str, size: str, age: str) -> str:
    folder = quoted(origins.cache_root / name)
    limits = f"max_size={size} min_free={_MIN_FREE} inactive={age} use_temp_path=off"
    return f"proxy_cache_path {folder} levels=1:2 keys_zone={name}:{keys} {limits};"


def _slices(origins: NginxOrigin) -> list[str]:
    if not origins.in_slices:
        return ['map "" $origin_range   { default ""; }']
    # Each slice is a request of its own: the range must not be cached from the previous one.
    return [f"slice {_SLICE};", 'map "" $origin_range   { volatile; default $slice_range; }']
