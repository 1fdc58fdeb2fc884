"""The documentation is complete for operators, organisers and programs."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from authz_sidecar.contract import origin_settings
from authz_sidecar.gate import Reason
from authz_sidecar.settings import SidecarSettings
from control_plane.access.audited_change import Action
from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.docs import document
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.cli import app
from control_plane.ops.backups import saved_settings
from control_plane.ops.processes import SIDECAR_SETTINGS
from control_plane.portal import locales
from control_plane.settings import Settings
from control_plane.streams.event_status import Status, StatusDetail
from control_plane.streams.faults import FaultReason
from control_plane.web.endpoints import Endpoint
from control_plane.webhooks.outbox import Topic

ROOT = Path(__file__).parents[2]
SETTINGS = sorted({name.upper() for name in [*Settings.model_fields, *SidecarSettings.model_fields]})
OF_UP = ["PORT", "STREAM_ROOT", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGIN", "ACCESS_LOG", "ACCESS_LOG_MAX_SIZE_MB"]
UPSTREAM = [*origin_settings.SETTINGS, "SEGMENT_CACHE_MAX_SIZE_GB", "SEGMENT_CACHE_MAX_AGE_HOURS"]
# The portal's messages that need an explanation; other strings with such names are labels.
_MESSAGES = re.compile(r"(?:refused|in_use|other_tab|unreachable$|waiting|notice|trouble|toast|ended)(?!_title)")
_LABELS = {"ended_another", "ended_here", "ended_reenter", "notice_loading"}
_LABELS |= {"waiting_calendar", "waiting_starting", "waiting_until"}


def _reference(name: str) -> str:
    return (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8")


def _words_of_rows(page: str) -> set[str]:
    """Return the words in the first cells of a page's tables, which may hold several."""
    cells = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", page, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def _undocumented(words: Iterable[str], *pages: str) -> list[str]:
    known = {word for page in pages for word in _words_of_rows(_reference(page))}
    return [word for word in sorted(words) if word not in known]


def _sources(*folders: str) -> Iterator[str]:
    for folder in folders:
        yield from (file.read_text(encoding="utf-8") for file in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("setting", sorted({*SETTINGS, *OF_UP, *UPSTREAM, *SIDECAR_SETTINGS}))
def test_every_setting_is_in_the_reference_and_in_the_example(setting: str) -> None:
    assert _undocumented([setting], "settings") == []
    assert setting in (ROOT / ".env.example").read_text(encoding="utf-8")


def test_every_setting_of_the_example_can_come_with_a_backup() -> None:
    names = re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(names) - saved_settings.OURS) == []


def _address(endpoint: Endpoint, prefix: str) -> str:
    return f"{endpoint.method} {prefix}{re.sub(r':[a-z]+}', '}', endpoint.path)}"


def test_every_route_is_in_the_reference() -> None:
    routes = [_address(one, "/api") for one in VIEWER_ENDPOINTS]
    routes += [_address(one, "/api/admin") for one in ADMIN_ENDPOINTS]
    page = _reference("api")
    assert [route for route in routes if not re.search(rf"^\|.*`{re.escape(route)}[`?]", page, re.MULTILINE)] == []


@pytest.mark.parametrize("endpoint", ADMIN_ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_route_for_admins_is_described_in_the_document(endpoint: Endpoint) -> None:
    operation = document()["paths"][re.sub(r":\w+}", "}", f"/api/admin{endpoint.path}")][endpoint.method.lower()]
    assert " " in operation["summary"]


def _permission(endpoint: Endpoint) -> str:
    return f"`{endpoint.permission.value}`" if endpoint.permission else ""


def test_the_reference_names_the_permission_that_a_route_needs() -> None:
    rows = re.findall(r"^\| (`[A-Z]+ /api/admin.*?) \| (`[a-z-]+`)? ?\|", _reference("api"), re.MULTILINE)
    said = {route: permission for cell, permission in rows for route in re.findall(r"`([^`]+)`", cell)}
    assert said == {_address(one, "/api/admin"): _permission(one) for one in ADMIN_ENDPOINTS}


def _commands() -> Iterator[str]:
    group: Any = get_command(app)
    for name in group.list_commands(None):
        subcommands = getattr(group.get_command(None, name), "commands", {})
        yield from (f"{name} {each}" for each in subcommands)
        if not subcommands:
            yield name


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_command_is_in_the_reference(command: str) -> None:
    assert re.search(rf"^\| `streamgate {command}[ `]", _reference("commands"), re.MULTILINE)


def test_every_make_target_is_in_the_reference() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [target for target in targets if f"| `make {target}`" not in _reference("commands")] == []


def test_every_metric_is_in_the_reference() -> None:
    folders = ("authz_sidecar", "authz_sidecar/origin_fetcher", "control_plane", "control_plane/api")
    sources = [(ROOT / folder / "metrics.py").read_text(encoding="utf-8") for folder in folders]
    names = {name for source in sources for name in re.findall(r'"(streamgate_\w+)"', source)}
    assert len(names) == 31
    plain = {re.sub(r"(?:_total)?(?:{[\w,]+})?$", "", word) for word in _words_of_rows(_reference("metrics"))}
    assert sorted(re.sub(r"_total$", "", name) for name in names) == sorted(plain)


def _logged(*folders: str) -> set[tuple[str, str]]:
    """Return the level and the event of each log call."""
    return {found for source in _sources(*folders) for found in re.findall(r'\blog\.(\w+)\(\s*"(\w+)"', source)}


def test_every_event_of_the_log_is_in_the_reference_with_its_level() -> None:
    logged = _logged("authz_sidecar", "control_plane")
    assert len(logged) >= 50
    rows = {
        (level, event)
        for event, level in re.findall(r"^\| `(\w+)` \| (\w+) \|", _reference("log-events"), re.MULTILINE)
    }
    assert sorted(logged - rows) == []


def test_every_action_is_in_the_reference_of_the_audit_log() -> None:
    of_viewers = re.findall(r': Final = "([a-z-]+\.[a-z-]+)"', (ROOT / "control_plane/access/audit.py").read_text())
    assert len(of_viewers) >= 8
    assert _undocumented([*(action.word for action in Action), *of_viewers, "sign-in", "sign-out"], "audit") == []


def test_every_topic_of_webhooks_is_in_the_reference() -> None:
    assert _undocumented(Topic, "webhooks") == []


def test_every_fault_of_a_stream_is_in_the_reference() -> None:
    assert _undocumented(FaultReason, "faults") == []


def test_every_status_of_an_event_is_in_the_reference() -> None:
    assert _undocumented(StatusDetail, "event-status") == []
    assert [status for status in Status if status not in _reference("event-status")] == []


def test_the_verdict_ladder_is_in_the_reference_in_order() -> None:
    ladder = _reference("gate").split("## The ladder")[1].split("\n## ")[0]
    assert re.findall(r"\| `([a-z-]+)` \|$", ladder, re.MULTILINE) == [reason.value for reason in Reason]


def test_every_message_for_viewers_is_explained() -> None:
    page = (ROOT / "docs/operators/troubleshooting.md").read_text(encoding="utf-8")
    english = locales.strings("en")
    names = [name for name in english if _MESSAGES.match(name) and name not in _LABELS]
    assert len(names) >= 40
    assert [name for name in names if f'| "{english[name]}" |' not in page] == []
