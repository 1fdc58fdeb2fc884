"""Check whether nginx is older than the versions in which CVE-2026-42533 is fixed.

Distributions patch old versions under their own numbers, so the revision of Debian's package is checked, too.
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
_TIMEOUT_SECONDS: Final = 10


def finding(nginx: str) -> str | None:
    """Return a sentence if the nginx at this path is vulnerable, otherwise None."""
    version, package = version_in(_output_of(nginx, "-v")), _package_version(nginx)
    if is_fixed(version, package):
        return None
    name = package or (".".join(map(str, version)) if version else "of an unknown version")
    return f"{nginx} ({name}) appears to be vulnerable to CVE-2026-42533: update it to {_FLOORS}."


def version_in(output: str) -> Version | None:
    """Return the version in the output of `nginx -v`, or None."""
    found = re.search(r"nginx/([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})", output)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def is_fixed(version: Version | None, package: str | None = None) -> bool:
    """Decide by the revision of the package if it is a known Debian one, otherwise by nginx's own version."""
    debian = _DEBIAN_REVISION.fullmatch(package or "")
    if debian and debian[1] in _DEBIAN:
        return int(debian[2]) >= _DEBIAN[debian[1]]
    if version is None:
        return False
    return version >= (MAINLINE if version >= (1, 31, 0) else STABLE)


def _package_version(nginx: str) -> str | None:
    """Return the version of the Debian package that this file belongs to, or None."""
    owner = _OWNER.match(_output_of("dpkg-query", "--search", str(Path(nginx).resolve())))
    if not owner:
        return None
    return _output_of("dpkg-query", "--show", "--showformat=${Version}", owner[1]).strip() or None


def _output_of(*command: str) -> str:
    """Return what a command prints, also to stderr; an empty string if it fails, hangs or cannot be run."""
    try:
        result = subprocess.run(  # noqa: S603  our own command
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout + result.stderr
