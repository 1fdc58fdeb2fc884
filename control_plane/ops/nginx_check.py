"""Check a configuration with `nginx -t`, in a temporary folder."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from control_plane.ops.nginx_site import Site, write_site

_TIMEOUT_SECONDS: Final = 10


def refusal(nginx: str, site: Site) -> str | None:
    """Return nginx's own error message, or None if it accepts the site. Raise OperatorError as `write_site` does."""
    with tempfile.TemporaryDirectory(prefix="streamgate-check-") as name:
        folder = Path(name)
        temporary_site = replace(
            site,
            folder=folder / "nginx",
            access_log=replace(site.access_log, file=folder / "log" / "access.jsonl"),
            origins=site.origins and replace(site.origins, cache_root=folder / "cache"),
        )
        write_site(temporary_site)
        output = run_nginx(nginx, "-t", "-e", "stderr", "-p", f"{folder}/nginx/", "-c", f"{folder}/nginx/nginx.conf")
    if "test is successful" in output:
        return None
    message = next((line for line in output.splitlines() if "[emerg]" in line), "it says nothing")
    return (message.partition("[emerg] ")[2] or message).replace(name, "...")


def run_nginx(nginx: str, *arguments: str) -> str:
    """Return the output of nginx; an empty string if it hangs or cannot be run."""
    try:
        result = subprocess.run(  # noqa: S603  path from find_nginx
            [nginx, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr
