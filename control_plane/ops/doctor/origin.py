"""Request the origin as the fetcher does and report its response; check that the cache leaves disk space for the rest.

Credentials are sent to the origin alone: no redirect is followed, and no finding contains a secret.
"""

import ssl
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from shutil import disk_usage
from typing import Final

import httpx2

from authz_sidecar.contract.origin_credentials import read_header
from authz_sidecar.contract.origin_settings import OriginSettings, trusted_authorities
from authz_sidecar.origin_fetcher.answers import describe_answer, explain
from control_plane.clock import utc_now
from control_plane.errors import OperatorError
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import segment_cache
from control_plane.ops.up_settings import UpSettings

_PATIENCE_SECONDS: Final = 3.0
_TOLERATED_SKEW_SECONDS: Final = 3.0
_GIGABYTE: Final = 1024**3
_ABOUT: Final = "origin"
_FIX_CREDENTIALS: Final = (
    "It may require credentials: put a header into UPSTREAM_ORIGIN_HEADER_FILE or a query into "
    "UPSTREAM_ORIGIN_QUERY_FILE; or correct its address."
)


def examine(installation: Installation) -> list[Finding]:
    try:
        settings = OriginSettings.read(installation.environment)
    except ValueError:
        return []  # reported with the configuration
    return [*_common(installation, settings), *_cache_space(installation, settings)]


def _common(installation: Installation, settings: OriginSettings) -> Iterator[Finding]:
    """Request the folder of the origin for all events, and compare clocks. Findings never contain its address."""
    if settings.common is None:
        return
    place, path = settings.common
    header = dict([read_header(settings.credentials.header)] if settings.credentials.header else [])
    query = f"?{settings.credentials.query}" if settings.credentials.query else ""
    try:
        trust = ssl.create_default_context(cafile=trusted_authorities(installation.environment))
        with (
            httpx2.Client(verify=trust, timeout=_PATIENCE_SECONDS, trust_env=False) as http,
            http.stream("GET", f"{place}{path}/{query}", headers=header) as answer,
        ):
            yield from _response_findings(answer)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
        what = f"UPSTREAM_ORIGIN does not answer: {explain(problem)}."
        yield error(_ABOUT, what, "Check its address and the network connection to it.")


def _response_findings(answer: httpx2.Response) -> Iterator[Finding]:
    if answer.is_redirect or answer.status_code in {400, 401, 403, 407}:
        yield warning(_ABOUT, f"UPSTREAM_ORIGIN answers {describe_answer(answer)}.", _FIX_CREDENTIALS)
    elif answer.is_server_error:
        yield warning(_ABOUT, f"UPSTREAM_ORIGIN answers {describe_answer(answer)}.", "Look at the origin's own log.")
    else:  # 404 is fine: most origins list no folders
        yield ok(_ABOUT, f"UPSTREAM_ORIGIN answers ({describe_answer(answer)}).")
    try:
        server_time = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return
    skew = abs((utc_now() - server_time.replace(tzinfo=server_time.tzinfo or UTC)).total_seconds())
    if skew > _TOLERATED_SKEW_SECONDS:
        yield warning("clock", f"It differs from the origin's by {skew:.0f} s.", "Synchronise both with NTP.")


def _cache_space(installation: Installation, settings: OriginSettings) -> Iterator[Finding]:
    """Warn if the cache may grow until the database's disk is nearly full."""
    cache, database = segment_cache(installation.home, installation.environment), installation.database_file
    if settings.is_empty or database is None or not database.parent.is_dir():
        return
    folder = next((one for one in (cache, *cache.parents) if one.is_dir()), Path("/"))
    limit = _gigabytes(installation) * _GIGABYTE
    space = disk_usage(folder).free + sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    if folder.stat().st_dev == database.parent.stat().st_dev and limit > space:
        yield warning(
            "cache",
            f"It may grow to {limit / _GIGABYTE:.0f} GB, and the database's disk has room for {space / _GIGABYTE:.0f}. "
            "nginx keeps 1 GB free.",
            "Lower SEGMENT_CACHE_MAX_SIZE_GB, or set SEGMENT_CACHE_ROOT to a folder on another disk.",
        )


def _gigabytes(installation: Installation) -> int:
    try:
        return UpSettings.read(installation.environment, only=("segment_cache_max_size_gb",)).segment_cache_max_size_gb
    except OperatorError:
        return 0  # reported with the configuration
