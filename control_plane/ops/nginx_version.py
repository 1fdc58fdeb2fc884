"""Is this nginx patched? Says in one sentence when it is older than the versions in which CVE-2026-42533 is fixed.

Distributions patch old versions under their own numbers, so Debian's package is asked for its revision.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

Version = tuple[int, int, int]
STABLE: Final[Version] = (1, 30, 4)
MAINLINE: Final[Version] = (1, 31, 3)
_DEBIAN: Final = {"1.22.1-9+deb12u": 10, "1.26.3-3+deb13u": 8}  # bookworm, trixie: the first fixed update
_DEBIAN_REVISION: Final = re.compile(r"([0-9.-]+\+deb[0-9]+u)([0-9]+)(?:\+b[0-9]+)?")
_OWNER: Final = re.compile(r"([0-9a-z.+-]+)(?::[0-9a-z-]+)?: ")
_FLOORS: Final = "1.30.4 (stable), 1.31.3 (mainline) or Debian's 1.22.1-9+deb12u10 or 1.26.3-3+deb13u8"
_PATIENCE_SECONDS: Final = 10


def finding(nginx: str) -> str | None:
    """Say what is wrong with the nginx at this path; None when nothing is."""
    version, package = version_in(_told_by(nginx, "-v")), _package_version(nginx)
    if is_fixed(version, package):
        return None
    name = package or (".".join(map(str, version)) if version else "of an unknown version")
    return f"{nginx} ({name}) is vulnerable to CVE-2026-42533, as far as one can tell: update it to {_FLOORS}."


def version_in(told: str) -> Version | None:
    """Find the version in what `nginx -v` says."""
    found = re.search(r"nginx/([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})", told)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def is_fixed(version: Version | None, package: str | None = None) -> bool:
    """Judge by nginx's own version and, where it came as a Debian package, by the package's."""
    debian = _DEBIAN_REVISION.fullmatch(package or "")
    if debian and debian[1] in _DEBIAN:
        return int(debian[2]) >= _DEBIAN[debian[1]]
    if version is None:
        return False
    return version >= (MAINLINE if version >= (1, 31, 0) else STABLE)


def _package_version(nginx: str) -> str | None:
    """Give the version of the Debian package that this file belongs to; None where it belongs to none."""
    owner = _OWNER.match(_told_by("dpkg-query", "--search", str(Path(nginx).resolve())))
    if not owner:
        return None
    return _told_by("dpkg-query", "--show", "--showformat=${Version}", owner[1]).strip() or None


def _told_by(*command: str) -> str:
    """Run it and give what it says, also on standard error; nothing when it fails, hangs or is not there."""
    try:
        told = subprocess.run(  # noqa: S603  found by us
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PATIENCE_SECONDS,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout + told.stderr
