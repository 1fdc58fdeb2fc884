"""Reverse proxies in front of a stack, as operators run them: haproxy, Caddy and nginx, with TLS.

Each passes the browser's Host on at one port and sends its own name for the stack at another.
"""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Final

from control_plane.ops.binaries import find_nginx
from tests.support.services.certificates import certificate
from tests.support.services.ports import free_port
from tests.support.waiting import eventually

NAME: Final = "tickets.example"
FORGOTTEN: Final = "127.0.0.3"  # the source address of a proxy that is not trusted

_HAPROXY: Final = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor
frontend kept
    bind 127.0.0.1:{kept} ssl crt {certificate}
    http-request set-header X-Forwarded-Proto https
    default_backend streamgate
frontend rewritten
    bind 127.0.0.1:{rewritten} ssl crt {certificate}
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host %[req.hdr(Host)]
    http-request set-header Host inner.example:8080
    default_backend streamgate
backend streamgate
    server streamgate 127.0.0.1:{port}
"""
_CADDY: Final = """\
{{
    admin off
    auto_https off
}}
https://:{kept} {{
    bind 127.0.0.1
    tls {certificate} {certificate}
    reverse_proxy 127.0.0.1:{port}
}}
https://:{rewritten} {{
    bind 127.0.0.1
    tls {certificate} {certificate}
    reverse_proxy 127.0.0.1:{port} {{
        header_up Host {{upstream_hostport}}
    }}
}}
"""
_NGINX: Final = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/b;
    proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u;
    scgi_temp_path {folder}/s;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    proxy_http_version 1.1;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    server {{
        listen 127.0.0.1:{kept} ssl;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
    server {{  # what nginx does unless told otherwise: another Host, and nobody says which it was
        listen 127.0.0.1:{rewritten} ssl;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
    server {{
        listen 127.0.0.1:{forgotten} ssl;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_bind {forgotten_address};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Front:
    """The ports of one proxy."""

    kept: int  # Host arrives as the browser sent it
    rewritten: int
    forgotten: int  # from an address that is not trusted


@contextmanager
def fronts(folder: Path, port: int) -> Iterator[dict[str, Front]]:
    """Run all three in front of the stack at a port."""
    starters: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
        "haproxy": (_HAPROXY, "haproxy.cfg", lambda file: [_found("haproxy"), "-db", "-f", file]),
        "caddy": (
            _CADDY,
            "Caddyfile",
            lambda file: [_found("caddy"), "run", "--adapter", "caddyfile", "--config", file],
        ),
        "nginx": (_NGINX, "nginx.conf", lambda file: [find_nginx(), "-e", "stderr", "-c", file]),
    }
    pem, running = certificate(folder, NAME), {}
    with ExitStack() as ends:
        for name, (text, file_name, command) in starters.items():
            front = Front(free_port(), free_port(), free_port())
            file, log = folder / file_name, folder / f"{name}.log"
            ports = {"kept": front.kept, "rewritten": front.rewritten, "forgotten": front.forgotten, "port": port}
            file.write_text(text.format(**ports, folder=folder, certificate=pem, forgotten_address=FORGOTTEN))
            ends.enter_context(_run(command(str(file)), folder, log))
            eventually(lambda front=front: is_open(front.kept), within=20, what=f"{name} listens")  # type: ignore[misc]
            running[name] = front
        yield running


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _found(name: str) -> str:
    path = which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    assert path, f"{name} is not installed"
    return path


@contextmanager
def _run(command: list[str], home: Path, log: Path) -> Iterator[None]:
    env = {"HOME": str(home), "PATH": "/usr/sbin:/usr/bin"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
