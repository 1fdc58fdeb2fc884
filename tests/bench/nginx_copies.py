"""Copies of the shipped nginx files that differ only in how requests are authorized.

An edit that no longer matches the shipped files fails, so that the benchmark never silently measures something else.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from control_plane.ops.processes import HttpProbe
from tests.support.services.ports import free_port
from tests.support.services.stack import Service, StackUnderTest

_AUTH_REQUEST = re.compile(r"(?m)^auth_request /_authorize;$")
_AUTH_REQUEST_SET = re.compile(r"(?m)^auth_request_set (\$\w+) .*$")
_BARE = """
include site/main.conf;
events { worker_connections 8192; }
http {
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000;
    keepalive_requests 100000;
    access_log off;
    server {
        %s
        location = /health { return 200; }
        location /streams/ { %s rewrite ^/streams(/.+)$ $1 break; }
    }
}
"""
Change = Callable[["Copy"], None]


@dataclass(frozen=True)
class Copy:
    """A copy that is being made: its name, folder and port."""

    name: str
    folder: Path
    port: int

    def edit(self, file: str, pattern: str | re.Pattern[str], replacement: str) -> None:
        path = self.folder / file
        text, count = re.subn(pattern, lambda _: replacement, path.read_text())
        assert count, f"{file} has changed; the bench does not know it any more"
        path.write_text(text)

    def service(self, running: StackUnderTest, binary: str | None = None) -> Service:
        gated = running.nginx.spec
        original = str(running.described.run_folder / "nginx")
        argv = tuple(word.replace(original, str(self.folder)) for word in gated.argv)
        argv = (binary or argv[0], *argv[1:])
        spec = replace(gated, name=self.name, argv=argv, is_ready=HttpProbe(f"http://127.0.0.1:{self.port}/health"))
        return Service(spec, self.folder.parent / f"{self.name}.log", redacted=True)


def copy_of(running: StackUnderTest, folder: Path, name: str, change: Change) -> Copy:
    original = running.described.run_folder / "nginx"
    copy = Copy(name, folder / name, free_port())
    shutil.copytree(original, copy.folder)
    server = copy.folder / "site/server.conf"
    server.write_text(re.sub(r"(listen [^;]*:)\d+", rf"\g<1>{copy.port}", server.read_text()))
    for file in ("site/main.conf", "site/http.conf"):
        path = copy.folder / file
        path.write_text(path.read_text().replace(str(original), str(copy.folder)))
    copy.edit("site/http.conf", r"access\.jsonl", f"{name}.jsonl")
    change(copy)
    return copy


def without_a_gate(copy: Copy) -> None:
    """Remove the auth_request; the verdict's variables in the log are empty."""
    _replace_auth_request(copy, "")


def bare(copy: Copy) -> None:
    """Serve the files as fast as nginx can: no gate, no headers, no maps, no log."""
    root, listen = (copy.folder / "site" / name for name in ("stream_root.conf", "server.conf"))
    folder = re.search(r"^root .+;$", root.read_text(), re.MULTILINE)
    assert folder
    (copy.folder / "nginx.conf").write_text(_BARE % (listen.read_text(), folder[0]))


def answered_by_nginx(copy: Copy) -> None:
    """The floor: nginx answers its own auth_request, always with yes."""
    answer = "location = /_authorize { internal; return 204; }\n"
    (copy.folder / "locations/authorize.conf").write_text(answer)


def asking(socket: Path) -> Change:
    """Let another process than the sidecar answer the auth_request."""

    def change(copy: Copy) -> None:
        copy.edit("site/http.conf", r"[^\"/]*sidecar-1\.sock", socket.name)

    return change


def with_auth_jwt(key_set: Path) -> Change:
    """Let the C module check signature and expiry; it checks neither paths nor revocations."""

    def change(copy: Copy) -> None:
        _replace_auth_request(copy, f'auth_jwt "streams";\nauth_jwt_key_file "{key_set}";')

    return change


def _replace_auth_request(copy: Copy, replacement: str) -> None:
    protected = (copy.folder / "snippets/protected.conf").read_text()
    copy.edit("snippets/protected.conf", _AUTH_REQUEST, replacement)
    copy.edit("snippets/protected.conf", _AUTH_REQUEST_SET, "")
    unknown = "".join(
        f'map $request_method {name} {{ default ""; }}\n' for name in _AUTH_REQUEST_SET.findall(protected)
    )
    http = copy.folder / "site/http.conf"
    http.write_text(http.read_text() + unknown)
