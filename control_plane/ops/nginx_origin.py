"""The origins that streams are fetched from, as settings say them, and what nginx keeps of them (`site/origin.conf`).

It must never let a setting say anything to nginx but a folder or a number. Which origin is asked is up to the fetcher.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authz_sidecar.contract.origin_settings import OriginSettings, trusted_authorities
from control_plane.errors import OperatorError
from control_plane.ops.nginx_words import quoted

_SLICE: Final = "8m"
_MIN_FREE: Final = "1g"  # of the disk: below it the cache gives room, so that a full one never stops the database
_NO_CACHE: Final = """\
map "" $origin_range   { default ""; }
map "" $segment_cache  { default off; }
map "" $blocking_cache { default off; }
"""


@dataclass(frozen=True, slots=True)
class NginxOrigin:
    """Where streams come from that the folder does not hold, and how long and how much of them is kept."""

    settings: OriginSettings
    cache_root: Path
    cache_gigabytes: int
    cache_hours: int
    in_slices: bool = False  # nginx has the slice module


def read_origins(environment: Mapping[str, str], cache_root: Path, nginx: str) -> NginxOrigin | None:
    """Read the settings; None when no origin is named. Raise OperatorError for what makes no sense."""
    try:
        settings = OriginSettings.read(environment)
    except ValueError as error:
        raise OperatorError(str(error)) from None
    if settings.is_empty:
        return None
    if settings.uses_tls and trusted_authorities(environment) is None:
        raise OperatorError("No file of trusted certificate authorities was found; SSL_CERT_FILE may name one.")
    return NginxOrigin(
        settings,
        Path(environment.get("SEGMENT_CACHE_ROOT") or cache_root).absolute(),
        _number(environment, "SEGMENT_CACHE_MAX_SIZE_GB", 50, 100_000),
        _number(environment, "SEGMENT_CACHE_MAX_AGE_HOURS", 72, 8_760),
        has_slices(nginx),
    )


def has_slices(nginx: str) -> bool:
    """Tell whether this nginx can fetch a large file in slices; one that cannot fetches it whole."""
    told = subprocess.run([nginx, "-V"], capture_output=True, check=False, timeout=10)  # noqa: S603  found by us
    return b"--with-http_slice_module" in told.stderr


def origin_conf(origins: NginxOrigin | None) -> str:
    """Give `site/origin.conf`."""
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
    # Each slice is a request of its own: its range must not be remembered from the one before.
    return [f"slice {_SLICE};", 'map "" $origin_range   { volatile; default $slice_range; }']


def _number(environment: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environment.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= highest:
        raise OperatorError(f"{name} must be a whole number from 1 to {highest}.")
    return int(text)
