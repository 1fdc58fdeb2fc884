"""Tells whether nginx is there, up to date, has what we need, and takes the configuration that `up` writes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from control_plane.doctor.finding import Finding, Patient, error, ok, warning
from control_plane.running import nginx_check, nginx_version
from control_plane.running.access_log import AccessLog
from control_plane.running.binaries import find_nginx
from control_plane.running.home import OperatorError, public_port, stream_root
from control_plane.running.nginx_origin import read_origins
from control_plane.running.nginx_site import Site

_NEEDED: Final = ("http_auth_request", "http_realip")
_FOR_LARGE_FILES: Final = "http_slice"


def examine(patient: Patient) -> list[Finding]:
    try:
        nginx = find_nginx()
    except OperatorError as problem:
        return [error("nginx", str(problem), "Install it.")]
    return [*_version(nginx), *_modules(nginx, patient), *_configuration(nginx, patient)]


def _version(nginx: str) -> Iterator[Finding]:
    if problem := nginx_version.finding(nginx):
        yield warning("nginx", problem, "Update nginx.")
    else:
        told = re.search(r"nginx/\S+", nginx_check.ask(nginx, "-v"))
        yield ok("nginx", f"{nginx} is {told[0] if told else 'there'}.")


def _modules(nginx: str, patient: Patient) -> Iterator[Finding]:
    built_with = nginx_check.ask(nginx, "-V")
    missing = [name for name in _NEEDED if f"--with-{name}_module" not in built_with]
    if missing:
        fix = "Install an nginx that has them: Debian's and nginx.org's packages do."
        yield error("nginx", f"It was built without {' and '.join(missing)}.", fix)
    has_origin = any(patient.environment.get(name) for name in ("UPSTREAM_ORIGIN", "UPSTREAM_ALLOWED_HOSTS"))
    if has_origin and f"--with-{_FOR_LARGE_FILES}_module" not in built_with:
        yield warning(
            "nginx",
            f"It was built without {_FOR_LARGE_FILES}: large files come in one piece.",
            "Install one that has it.",
        )


def _configuration(nginx: str, patient: Patient) -> Iterator[Finding]:
    """Let nginx judge what `up` would write."""
    try:
        complaint = nginx_check.refusal(nginx, _site(nginx, patient))
    except OperatorError as problem:
        yield error("settings", str(problem), "Correct it in .env and restart.")
        return
    if complaint is None:
        yield ok("nginx", "It accepts the configuration.")
    else:
        yield error("nginx", f"It rejects the configuration: {complaint}", "Correct what nginx complains about.")


def _site(nginx: str, patient: Patient) -> Site:
    folder = (patient.home or Path()) / "run"
    origins = read_origins({**patient.environment, "SEGMENT_CACHE_ROOT": ""}, folder / "cache", nginx)
    root = patient.environment.get("STREAM_ROOT")
    here = patient.home or Path()
    return Site(
        folder=folder / "nginx",
        access_log=AccessLog.read(patient.environment, folder),
        listen=f"127.0.0.1:{public_port(patient.environment)}",
        stream_root=None if root == "" else stream_root(here, patient.environment),
        sidecars=[folder / "sidecar.sock"],
        control_plane=folder / "control.sock",
        fetcher=folder / "fetcher.sock",
        trusted_proxies=patient.environment.get("TRUSTED_PROXIES", ""),
        allowed_origins=patient.environment.get("CORS_ALLOWED_ORIGIN", ""),
        origins=origins,
    )
