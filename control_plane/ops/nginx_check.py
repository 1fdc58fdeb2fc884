"""Asks nginx whether it would take a configuration, written into a folder that goes away again."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from control_plane.ops.nginx_site import Site, write_site

_PATIENCE_SECONDS: Final = 10


def refusal(nginx: str, site: Site) -> str | None:
    """Give nginx's complaint in its own words, None when it has none. Raise OperatorError as `write_site` does."""
    with tempfile.TemporaryDirectory(prefix="streamgate-check-") as name:
        folder = Path(name)
        elsewhere = replace(
            site,
            folder=folder / "nginx",
            access_log=replace(site.access_log, file=folder / "log" / "access.jsonl"),
            origins=site.origins and replace(site.origins, cache_root=folder / "cache"),
        )
        write_site(elsewhere)
        told = ask(nginx, "-t", "-e", "stderr", "-p", f"{folder}/nginx/", "-c", f"{folder}/nginx/nginx.conf")
    if "test is successful" in told:
        return None
    complaint = next((line for line in told.splitlines() if "[emerg]" in line), "it says nothing")
    return (complaint.partition("[emerg] ")[2] or complaint).replace(name, "...")


def ask(nginx: str, *arguments: str) -> str:
    """Give all that nginx prints; nothing when it hangs or is not there."""
    try:
        told = subprocess.run(  # noqa: S603  found by us
            [nginx, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout + told.stderr
