"""The vendored browser code is exactly the build of its pinned packages, unedited and reproducible."""

import shutil
import subprocess
from pathlib import Path

CONTROL_PLANE = Path(__file__).parents[2] / "control_plane"
COMMITTED = CONTROL_PLANE / "web" / "static" / "vendor"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_rebuild_equals_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("node_modules")
    shutil.copytree(CONTROL_PLANE / "vendoring", tmp_path / "vendoring", ignore=ignored)
    built = subprocess.run([tmp_path / "vendoring" / "build.sh"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert contents(tmp_path / "web" / "static" / "vendor") == contents(COMMITTED)
