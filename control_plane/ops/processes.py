"""Describe the processes of an installation: their commands, their environment, and how to check that they are ready.

`up` runs them together, tests run them one by one. No process gets a secret that it does not need: the sidecar sees
neither the database nor the admin's password, nginx and the demo's encoder see no settings at all.
"""

import hashlib
import ipaddress
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2

from authz_sidecar.contract import origin_settings
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.access_log import AccessLog
from control_plane.ops.binaries import find_nginx
from control_plane.ops.home import ensure_secrets_key, keys_file, setup_link_file, stream_root
from control_plane.ops.nginx_origin import NginxOrigin, read_origins
from control_plane.ops.nginx_site import Site, write_site
from control_plane.ops.up_settings import UpSettings

MAXIMUM_SIDECARS = 64
_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes
_PLAIN_PATH = re.compile(r"[0-9A-Za-z_./-]+")
_PROBE_TIMEOUT_SECONDS = 2
_ALIVE_TIMEOUT_SECONDS = 5
# Otherwise glibc raises its trim threshold after the first large block is freed (one of gzip's), and keeps them all.
_NGINX_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "131072"}

_COMMON_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONWARNINGS", "SSL_CERT_FILE")
SIDECAR_SETTINGS = (
    "PLAYBACK_SIGNING_SECRET",
    "PLAYBACK_KEYS_FILE",
    "INTERNAL_API_KEY",
    "EDGE_NAME",
    "REVOCATION_POLL_INTERVAL_MS",
    "REVOCATION_MAX_STALE_SECONDS",
    "SEGMENT_CACHE_ROOT",
    "SIDECAR_FAST_LANE",
)


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Check whether a URL answers 200, over a unix socket if one is given."""

    url: str
    socket: Path | None = None
    timeout_seconds: float = _PROBE_TIMEOUT_SECONDS

    async def __call__(self) -> bool:
        # Without TLS: otherwise each probe would load the system's certificates, 40 ms of CPU time.
        transport = httpx2.AsyncHTTPTransport(uds=str(self.socket) if self.socket else None, verify=False)
        async with httpx2.AsyncClient(transport=transport, timeout=self.timeout_seconds) as client:
            try:
                return (await client.get(self.url)).status_code == httpx2.codes.OK
            except httpx2.HTTPError:
                return False


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    is_ready: Callable[[], Awaitable[bool]]
    is_alive: Callable[[], Awaitable[bool]] | None = None  # None if it cannot be probed
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL  # sent by the kernel when `up` dies without stopping it
    reload_signal: signal.Signals | None = None  # applies changed settings; without it the process is restarted
    reopen_log_signal: signal.Signals | None = None  # sent when the access log was renamed


@dataclass(frozen=True, slots=True)
class Stack:
    """All processes that `up` runs. Start them tier by tier, stop them in reverse order."""

    run_folder: Path
    listen: tuple[str, int]
    tiers: tuple[tuple[ProcessSpec, ...], ...]
    site: Site | None = None  # the input of nginx's configuration

    @property
    def url(self) -> str:
        return local_url(*self.listen)

    @property
    def processes(self) -> tuple[ProcessSpec, ...]:
        return tuple(spec for tier in self.tiers for spec in tier)

    def with_companion(self, spec: ProcessSpec) -> "Stack":
        """Return a stack that starts another process right before the last tier, which opens the public port."""
        *first, last = self.tiers
        return replace(self, tiers=(*first, (spec,), last))


def prepare_stack(home: Path, sidecars: int = 1, host: str = "127.0.0.1", worker_processes: str = "auto") -> Stack:
    """Return the processes as `describe_stack` does, and create the folder that nginx runs from."""
    found = describe_stack(home, sidecars, host, worker_processes)
    if found.site:
        write_site(found.site)
    return found


def describe_stack(home: Path, sidecars: int = 1, host: str = "127.0.0.1", worker_processes: str = "auto") -> Stack:
    """Read the home's settings, create its run folder and return the processes. Nothing is started.

    Raise OperatorError if a setting is invalid.
    """
    if not 1 <= sidecars <= MAXIMUM_SIDECARS:
        raise UsageError(f"The number of sidecars must be between 1 and {MAXIMUM_SIDECARS}.")
    home = home.absolute()
    environment = _with_keys_file(home, ensure_secrets_key(home))
    settings = UpSettings.read(environment)
    listen = (_address(host), settings.port)
    run_folder, sockets = _folders(home)
    for_control_plane = {"SETUP_LINK_FILE": str(setup_link_file(home)), **environment}
    control_plane = _control_plane(for_control_plane, sockets / "control.sock", local_url(*listen))
    names = [f"sidecar-{number}" for number in range(1, sidecars + 1)]
    origins = read_origins(environment, home, find_nginx())
    site = Site(
        folder=run_folder / "nginx",
        access_log=AccessLog.of(settings, home / "log"),
        listen=f"{_bracketed(listen[0])}:{listen[1]}",
        stream_root=_existing_stream_root(home, environment, origins),
        sidecars=[sockets / f"{name}.sock" for name in names],
        control_plane=sockets / "control.sock",
        fetcher=sockets / "fetcher.sock",
        trusted_proxies=settings.trusted_proxies,
        allowed_origins=settings.cors_allowed_origin,
        worker_processes=worker_processes,
        origins=origins,
    )
    for_sidecars = _with_segment_cache(environment, origins)
    gate = [_sidecar(name, for_sidecars, sockets, home / "state") for name in names]
    gate += [_fetcher(environment, site.fetcher)] if origins else []
    nginx = _nginx(site, environment, local_url(*listen))
    return Stack(run_folder, listen, ((control_plane,), tuple(gate), (nginx,)), site)


def local_url(host: str, port: int) -> str:
    """Return the URL that reaches this listening address from the machine itself."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    return f"http://{_bracketed(reachable)}:{port}"


def common_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that every process gets; they contain no settings of StreamGate."""
    return {name: environment[name] for name in _COMMON_VARIABLES if name in environment}


def _control_plane(environment: Mapping[str, str], socket: Path, url: str) -> ProcessSpec:
    return ProcessSpec(
        name="control",
        argv=_python("control_plane", socket),
        env={"HLS_SERVER_INTERNAL_URL": url, **_without(origin_settings.SECRETS, environment), "PYTHONUNBUFFERED": "1"},
        is_ready=HttpProbe("http://control-plane/internal/health", socket),
        is_alive=HttpProbe("http://control-plane/internal/live", socket, _ALIVE_TIMEOUT_SECONDS),
    )


def _sidecar(name: str, environment: Mapping[str, str], sockets: Path, state_folder: Path) -> ProcessSpec:
    state_folder.mkdir(mode=0o700, exist_ok=True)
    own = {
        "CONTROL_PLANE_URL": f"unix:{sockets / 'control.sock'}",
        "SIDECAR_STATE_FILE": str(state_folder / f"{name}.json"),
        "PYTHONUNBUFFERED": "1",
    }
    settings = {setting: environment[setting] for setting in SIDECAR_SETTINGS if setting in environment}
    socket = sockets / f"{name}.sock"
    return ProcessSpec(
        name=name,
        argv=_python("authz_sidecar", socket),
        env={**common_environment(environment), **settings, **own},
        is_ready=HttpProbe("http://sidecar/health", socket),
        is_alive=HttpProbe("http://sidecar/live", socket, _ALIVE_TIMEOUT_SECONDS),
    )


def _fetcher(environment: Mapping[str, str], socket: Path) -> ProcessSpec:
    settings = {name: environment[name] for name in origin_settings.SETTINGS if name in environment}
    return ProcessSpec(
        name="fetcher",
        argv=_python("authz_sidecar.origin_fetcher", socket),
        env={**common_environment(environment), **settings, "PYTHONUNBUFFERED": "1"},
        is_ready=HttpProbe("http://fetcher/live", socket),
        is_alive=HttpProbe("http://fetcher/live", socket, _ALIVE_TIMEOUT_SECONDS),
    )


def _without(names: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def _nginx(site: Site, environment: Mapping[str, str], url: str) -> ProcessSpec:
    configuration = f"{site.folder}/nginx.conf"
    return ProcessSpec(
        name="nginx",
        argv=(find_nginx(), "-e", "stderr", "-p", f"{site.folder}/", "-c", configuration, "-g", "daemon off;"),
        env={**common_environment(environment), **_NGINX_MEMORY},
        is_ready=HttpProbe(f"{url}/health"),
        stop_signal=signal.SIGQUIT,
        orphan_signal=signal.SIGTERM,  # a killed master would leave its workers serving
        reload_signal=signal.SIGHUP,
        reopen_log_signal=signal.SIGUSR1,
    )


def _python(module: str, socket: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", module, "--uds", str(socket))


def _with_keys_file(home: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Set the key file even before it exists, so that the first `key rotate` needs no restart."""
    file = keys_file(home, environment)
    if file == keys_file(home, {}):
        file.parent.mkdir(mode=0o700, exist_ok=True)
    return {**environment, "PLAYBACK_KEYS_FILE": str(file)}


def _with_segment_cache(environment: Mapping[str, str], origins: NginxOrigin | None) -> Mapping[str, str]:
    """Set the folder of nginx's segment cache for the sidecars; empty without an origin."""
    return {**environment, "SEGMENT_CACHE_ROOT": str(origins.cache_root) if origins else ""}


def _existing_stream_root(home: Path, environment: Mapping[str, str], origins: NginxOrigin | None) -> Path | None:
    """Return the stream folder, None if STREAM_ROOT is set but empty. Raise OperatorError if there is no source."""
    root = stream_root(home, environment)
    if root is None:
        if origins is None:
            raise OperatorError("Neither STREAM_ROOT nor UPSTREAM_ORIGIN is set: there are no streams to serve.")
        return None
    if root == stream_root(home, {}):
        root.mkdir(exist_ok=True)
    if not root.is_dir():
        raise OperatorError(f"STREAM_ROOT is not a folder: {root}")
    return root


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]")))
    except ValueError as error:
        raise UsageError(f"{host!r} is not an address to listen on.") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _folders(home: Path) -> tuple[Path, Path]:
    """Create the run folder, and return it and the folder for sockets."""
    run, sockets = home / "run", control_socket(home).parent
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    return run, sockets if sockets == run else _private_folder(sockets)


def control_socket(home: Path) -> Path:
    """Return the control plane's socket: in the run folder unless that path is too long or has unusual characters."""
    home = home.absolute()
    longest = f"{home}/run/sidecar-{MAXIMUM_SIDECARS}.sock"
    if len(os.fsencode(longest)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(longest):
        return home / "run" / "control.sock"
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"streamgate-{os.geteuid()}-{digest}" / "control.sock"


def _private_folder(folder: Path) -> Path:
    """Create a private folder. Raise OperatorError if another user has created it first: anyone may write to /tmp."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        raise OperatorError(f"{folder} is not a private folder of this user; remove it.")
    return folder
