"""The documentation is complete: every setting, route, command and Make target stands in it."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from authz_sidecar.contract import origin_settings
from authz_sidecar.settings import SidecarSettings
from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.docs import document
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.cli import app
from control_plane.ops.backups import saved_settings
from control_plane.ops.processes import SIDECAR_SETTINGS
from control_plane.settings import Settings
from control_plane.web.endpoints import Endpoint

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = sorted({name.upper() for name in [*Settings.model_fields, *SidecarSettings.model_fields]})
UPSTREAM = [*origin_settings.SETTINGS, "SEGMENT_CACHE_MAX_SIZE_GB", "SEGMENT_CACHE_MAX_AGE_HOURS"]
ACCESS_LOG = ["ACCESS_LOG", "ACCESS_LOG_MAX_SIZE_MB"]
FILES = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "streams/README.md",
    "docs/behind-a-proxy.md",
    "docs/embedding.md",
    "LICENSE",
]


@pytest.mark.parametrize(
    "setting", [*SETTINGS, "PORT", "STREAM_ROOT", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGIN", *UPSTREAM, *ACCESS_LOG]
)
def test_every_setting_is_in_the_readme_and_in_the_example(setting: str) -> None:
    assert f"`{setting}`" in README
    assert setting in (ROOT / ".env.example").read_text(encoding="utf-8")


def test_no_setting_is_handed_to_a_sidecar_that_nobody_documents() -> None:
    assert [name for name in SIDECAR_SETTINGS if f"`{name}`" not in README] == []


@pytest.mark.parametrize("endpoint", VIEWER_ENDPOINTS, ids=lambda endpoint: str(endpoint.path))
def test_every_route_for_viewers_is_in_the_readme(endpoint: Endpoint) -> None:
    path = re.sub(r":\w+}", "}", endpoint.path)
    assert re.search(rf"{endpoint.method} /api{re.escape(path)}(?![\w/])", README)


@pytest.mark.parametrize("endpoint", ADMIN_ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_route_for_admins_is_described_in_the_document(endpoint: Endpoint) -> None:
    operation = document()["paths"][re.sub(r":\w+}", "}", f"/api/admin{endpoint.path}")][endpoint.method.lower()]
    assert " " in operation["summary"]


@pytest.mark.parametrize("command", sorted(getattr(get_command(app), "commands", {})))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`streamgate {command}" in README


def test_every_make_target_is_in_the_readme() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [target for target in targets if f"make {target}" not in README] == []


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_the_readme_names_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_every_metric_of_the_sidecar_and_the_fetcher_is_in_the_readme() -> None:
    files = ("authz_sidecar/metrics.py", "authz_sidecar/origin_fetcher/metrics.py")
    sources = [(ROOT / file).read_text(encoding="utf-8") for file in files]
    names = {name for source in sources for name in re.findall(r'"(streamgate_\w+)"', source)}
    assert len(names) >= 14
    assert [
        name for name in names if not re.search(rf"^\| `{name}(?:_total)?(?:{{\w+}})?` \|", README, re.MULTILINE)
    ] == []


def test_every_event_of_the_sidecars_and_the_fetchers_log_is_in_the_readme() -> None:
    folders = ("authz_sidecar", "authz_sidecar/origin_fetcher")
    sources = (file.read_text(encoding="utf-8") for folder in folders for file in (ROOT / folder).glob("*.py"))
    events = {event for source in sources for event in re.findall(r'\blog\.\w+\(\s*"(\w+)"', source)}
    assert len(events) >= 10
    assert [event for event in events if f"| `{event}` |" not in README] == []


def test_every_metric_of_the_control_plane_is_in_the_readme() -> None:
    sources = [(ROOT / "control_plane" / name).read_text(encoding="utf-8") for name in ("metrics.py", "api/metrics.py")]
    names = {name for source in sources for name in re.findall(r'"(streamgate_\w+)"', source)}
    assert len(names) == 15
    assert [
        name for name in names if not re.search(rf"^\| `{name}(?:_total)?(?:{{[\w,]+}})?` \|", README, re.MULTILINE)
    ] == []


def test_every_event_of_the_control_planes_log_is_in_the_readme() -> None:
    sources = (file.read_text(encoding="utf-8") for file in (ROOT / "control_plane").rglob("*.py"))
    events = {event for source in sources for event in re.findall(r'\blog\.\w+\(\s*"(\w+)"', source)}
    assert len(events) >= 15
    assert [event for event in sorted(events) if f"| `{event}` |" not in README] == []


def test_every_setting_of_the_example_can_come_with_a_backup() -> None:
    names = re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(names) - saved_settings.OURS) == []
