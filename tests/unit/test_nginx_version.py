"""Whether nginx is patched, by its own version and by that of Debian's package."""

import sys
from pathlib import Path

import pytest

from control_plane.ops import nginx_version
from control_plane.ops.nginx_version import Version, finding, is_fixed, version_in


@pytest.mark.parametrize(
    ("version", "package", "patched"),
    [
        ((1, 30, 3), None, False),
        ((1, 30, 4), None, True),
        ((1, 30, 12), None, True),
        ((1, 31, 0), None, False),
        ((1, 31, 2), None, False),
        ((1, 31, 3), None, True),
        ((1, 32, 0), None, True),
        ((2, 0, 0), None, True),
        ((1, 29, 99), None, False),
        ((1, 22, 1), None, False),
        (None, None, False),
        ((1, 22, 1), "1.22.1-9+deb12u9", False),
        ((1, 22, 1), "1.22.1-9+deb12u10", True),
        ((1, 22, 1), "1.22.1-9+deb12u10+b2", True),
        ((1, 22, 1), "1.22.1-9+deb12u11", True),
        ((1, 22, 1), "1.22.1-9", False),
        ((1, 26, 3), "1.26.3-3+deb13u7", False),
        ((1, 26, 3), "1.26.3-3+deb13u8", True),
        ((1, 26, 3), "1.26.3-3+deb13u10", True),
        ((1, 26, 3), "1.26.3-3+deb13u8+b1", True),
        ((1, 26, 3), "1.26.3-3", False),
        ((1, 26, 3), "1.26.3-2+deb13u8", False),
        ((1, 22, 1), "1.22.1-9+deb12u10~bpo1", False),
        ((1, 30, 4), "1.30.4-1~bookworm", True),
        ((1, 30, 3), "1.30.3-1~bookworm", False),
    ],
)
def test_the_floor_depends_on_the_branch_and_on_debians_revision(
    version: Version | None, package: str | None, *, patched: bool
) -> None:
    assert is_fixed(version, package) is patched


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("nginx version: nginx/1.31.3\n", (1, 31, 3)),
        ("nginx version: nginx/1.24.0 (Ubuntu)", (1, 24, 0)),
        ("nginx version: openresty/1.25.3.1", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_nginx(told: str, version: Version | None) -> None:
    assert version_in(told) == version


@pytest.mark.parametrize(("version", "is_fine"), [("1.31.3", True), ("1.31.2", False), ("none", False)])
def test_an_old_nginx_is_reported_with_its_fix_in_one_sentence(tmp_path: Path, version: str, *, is_fine: bool) -> None:
    nginx = tmp_path / "nginx"
    nginx.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write('nginx version: nginx/{version}')\n")
    nginx.chmod(0o755)
    found = finding(str(nginx))
    if is_fine:
        assert found is None
    else:
        assert found
        assert str(nginx) in found
        assert "1.31.3 (mainline)" in found
        assert "\n" not in found


def test_a_missing_nginx_is_not_reported_as_patched() -> None:
    assert finding("/nowhere/nginx")


def test_the_reported_minimum_versions_are_those_that_are_checked() -> None:
    for floor in (nginx_version.STABLE, nginx_version.MAINLINE):
        assert ".".join(map(str, floor)) in (finding("/nowhere/nginx") or "")
        assert is_fixed(floor)
