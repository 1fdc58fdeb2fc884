"""Check that nginx is installed, patched, has the modules it needs, and accepts the configuration that `up` writes."""

import re
from collections.abc import Iterator
from typing import Final

from authz_sidecar.contract.origin_settings import names_origin
from control_plane.errors import OperatorError
from control_plane.ops import nginx_check, nginx_version
from control_plane.ops.access_log import AccessLog
from control_plane.ops.binaries import find_nginx
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import stream_root
from control_plane.ops.nginx_origin import read_origins
from control_plane.ops.nginx_site import Site
from control_plane.ops.up_settings import UpSettings

_REQUIRED_MODULES: Final = ("http_auth_request", "http_realip")
_SLICE_MODULE: Final = "http_slice"


def examine(installation: Installation) -> list[Finding]:
    try:
        nginx = find_nginx()
    except OperatorError as problem:
        return [error("nginx", str(problem), "Install it.")]
    return [*_version(nginx), *_modules(nginx, installation), *_configuration(nginx, installation)]


def _version(nginx: str) -> Iterator[Finding]:
    if problem := nginx_version.finding(nginx):
        yield warning("nginx", problem, "Update nginx.")
    else:
        version = re.search(r"nginx/\S+", nginx_check.run_nginx(nginx, "-v"))
        yield ok("nginx", f"{nginx} is {version[0] if version else 'installed'}.")


def _modules(nginx: str, installation: Installation) -> Iterator[Finding]:
    built_with = nginx_check.run_nginx(nginx, "-V")
    missing = [name for name in _REQUIRED_MODULES if f"--with-{name}_module" not in built_with]
    if missing:
        fix = "Install an nginx that has them, such as the packages of Debian or nginx.org."
        yield error("nginx", f"It was built without {' and '.join(missing)}.", fix)
    if names_origin(installation.environment) and f"--with-{_SLICE_MODULE}_module" not in built_with:
        yield warning(
            "nginx",
            f"It was built without {_SLICE_MODULE}: large files come in one piece.",
            "Install one that has it.",
        )


def _configuration(nginx: str, installation: Installation) -> Iterator[Finding]:
    """Have nginx check the configuration that `up` would write."""
    try:
        complaint = nginx_check.refusal(nginx, _site(nginx, installation))
    except OperatorError as problem:
        yield error("settings", str(problem), "Correct it in .env and restart.")
        return
    if complaint is None:
        yield ok("nginx", "It accepts the configuration.")
    else:
        yield error("nginx", f"It rejects the configuration: {complaint}", "Correct what nginx complains about.")


def _site(nginx: str, installation: Installation) -> Site:
    folder, environment = installation.home / "run", installation.environment
    origins = read_origins({**environment, "SEGMENT_CACHE_ROOT": ""}, folder, nginx)
    settings = UpSettings.read(environment)
    return Site(
        folder=folder / "nginx",
        access_log=AccessLog.of(settings, folder),
        listen=f"127.0.0.1:{settings.port}",
        stream_root=stream_root(installation.home, environment),
        sidecars=[folder / "sidecar.sock"],
        control_plane=folder / "control.sock",
        fetcher=folder / "fetcher.sock",
        trusted_proxies=settings.trusted_proxies,
        allowed_origins=settings.cors_allowed_origin,
        origins=origins,
    )
