"""Create the folder that nginx runs from: links to the shipped files, which are used as they are, and a new `site/`.

It must never write a path or address that nginx could parse as anything else.
"""

import grp
import ipaddress
import os
import pwd
import re
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authz_sidecar.contract.whole_files import replacing
from control_plane.errors import OperatorError
from control_plane.ops.access_log import AccessLog
from control_plane.ops.nginx_origin import NginxOrigin, origin_conf
from control_plane.ops.nginx_words import quoted

_PACKAGE = Path(__file__).parents[1]
_ORIGIN = re.compile(r"https?://([0-9A-Za-z.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
_WANTED_OPEN_FILES = 65_536
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Site:
    """The part of nginx's configuration that differs between installations."""

    folder: Path  # nginx's prefix
    access_log: AccessLog
    listen: str  # "127.0.0.1:8080"
    stream_root: Path | None  # None: only the origin
    sidecars: Sequence[Path]  # unix sockets
    control_plane: Path
    fetcher: Path
    trusted_proxies: str = ""  # addresses and networks, separated by commas
    allowed_origins: str = ""  # of portals on other sites, separated by commas
    worker_processes: str = "auto"
    origins: NginxOrigin | None = None


def shipped_folder() -> Path:
    """Return the folder of the shipped nginx files: inside the package if it was installed from a wheel."""
    packaged = _PACKAGE / "nginx"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "nginx"


def write_site(site: Site) -> None:
    """Create or update nginx's folder. Raise OperatorError for a path or address that cannot be written safely."""
    files = {
        "main.conf": _main(site),
        "http.conf": _http(site),
        "cors_origins.conf": _origins(site.allowed_origins),
        "server.conf": f"listen {site.listen};\nserver_name _;\n",
        "stream_root.conf": _stream_root(site),
        "origin.conf": origin_conf(site.origins),
    }
    for folder in _folders(site):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _link_shipped_files(site.folder)
    for name, text in files.items():
        with replacing(site.folder / "site" / name) as writer:
            writer.write(f"# Written by `streamgate up`.\n{text}".encode())


def _folders(site: Site) -> list[Path]:
    folders = [site.folder / "site", site.folder / "tmp", site.folder / "no-streams", site.access_log.file.parent]
    return [*folders, site.origins.cache_root] if site.origins else folders


def _stream_root(site: Site) -> str:
    """Return the root; without a stream folder it is an empty one, so that every file is fetched from an origin."""
    root = quoted(site.stream_root or site.folder / "no-streams")
    fallback = "$origin_location" if site.origins else "=404"
    return f"root {root};\ntry_files $uri {fallback};\n"


def _link_shipped_files(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_symlink():
            entry.unlink()
    for shipped in shipped_folder().iterdir():
        if shipped.name != "site":
            (folder / shipped.name).symlink_to(shipped)


def _main(site: Site) -> str:
    lines = [
        f"worker_processes {site.worker_processes};",
        f"worker_rlimit_nofile {_open_files()};",
        f"pid {quoted(site.folder / 'nginx.pid')};",
    ]
    return "\n".join([*_user(), *lines, ""])


def _user() -> list[str]:
    """Run the workers as the user of `up`, so that they can read the streams. Only root may, and must, set a user."""
    if os.geteuid() != 0:
        return []
    return [f"user {pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name};"]


def _open_files() -> int:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_OPEN_FILES, hard)


def _http(site: Site) -> str:
    lines = [
        *(f"{kind}_temp_path {quoted(site.folder / 'tmp' / kind)};" for kind in _TEMPORARY),
        site.access_log.directive,
        _upstream("sidecars", site.sidecars, keepalive=64),
        _upstream("control_plane", [site.control_plane], keepalive=32),
        _upstream("origin_fetcher", [site.fetcher], keepalive=64),
        *_proxies(site.trusted_proxies),
    ]
    return "\n".join([*lines, ""])


def _upstream(name: str, sockets: Sequence[Path], keepalive: int) -> str:
    # With the default max_fails, nginx would answer 503 for 10 s after two dead sidecars are back.
    servers = "\n".join(f"    server {quoted(f'unix:{socket}')} max_fails=0;" for socket in sockets)
    return f"upstream {name} {{\n{servers}\n    keepalive {keepalive};\n}}"


def _origins(allowed_origins: str) -> str:
    """Return a map of exact origins: a pattern or `*` would let any page read a viewer's stream."""
    origins = [part.strip() for part in allowed_origins.split(",") if part.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise OperatorError(f"CORS_ALLOWED_ORIGIN: {origin!r} is not an origin like https://tickets.example.org.")
    return "".join(f'"{origin}" "{origin}";\n' for origin in origins)


def _proxies(trusted_proxies: str) -> list[str]:
    networks = [_network(part.strip()) for part in trusted_proxies.split(",") if part.strip()]
    entries = [f"    {network} 1;" for network in dict.fromkeys(networks)]
    geo = ["geo $realip_remote_addr $is_trusted_proxy {", "    default 0;", *entries, "}"]
    if not networks:
        return geo
    trusted = [f"set_real_ip_from {network};" for network in networks]
    return [*trusted, "real_ip_header X-Forwarded-For;", "real_ip_recursive on;", *geo]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise OperatorError(f"TRUSTED_PROXIES: {text!r} is neither an address nor a network.") from error
