"""The files in deploy/monitoring/: promtool accepts and tests the rules, and the metrics they use exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import httpx2
import pytest

from authz_sidecar.origin_fetcher.metrics import FetcherMetrics
from tests.support.clients.people import Organiser, Viewer
from tests.support.media.streams import make_folder
from tests.support.services.ports import free_port
from tests.support.services.stack import Service, StackUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
RULES = (MONITORING / "alerts.yml").read_text()
_NAME = re.compile(r"\b(?:streamgate|process)_[a-z_]+\b")


def _promtool(*arguments: str) -> None:
    program = which("promtool")
    assert program, "promtool is missing (Debian: prometheus)"
    done = subprocess.run([program, *arguments], cwd=MONITORING, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["rules alerts.yml", "config prometheus.yml"])
def test_prometheus_accepts_the_files(kind: str) -> None:
    _promtool("check", *kind.split())


def test_each_alert_is_raised_exactly_when_it_should_be() -> None:
    _promtool("test", "rules", "alerts_test.yml")


def test_each_alert_has_a_test() -> None:
    tests = (MONITORING / "alerts_test.yml").read_text()
    assert [name for name in re.findall(r"alert: (\w+)", RULES) if f"alertname: {name}\n" not in tests] == []


def _queries() -> list[str]:
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return targets + [str(variable["query"]) for variable in DASHBOARD["templating"]["list"]]


@pytest.fixture(scope="module")
def numbers(gate: StackUnderTest, organiser: Organiser) -> str:
    """The metrics of a sidecar and the control plane after a request and a revocation."""
    event_id, viewer = organiser.create_event(), Viewer(gate.url)
    make_folder(gate.streams, event_id)
    [ticket] = organiser.tickets(event_id)
    viewer.redeem(ticket.code).raise_for_status()
    assert viewer.watch("1.ts").status_code == 200
    organiser.revoke(ticket)
    eventually(lambda: viewer.watch("1.ts").status_code == 403)
    viewer.close()
    of_fetcher = FetcherMetrics().text().decode()  # this stack has no origin
    return _ask(gate.sidecars[0], "/metrics") + _ask(gate.control_plane, "/internal/metrics") + of_fetcher


def _ask(service: Service, path: str) -> str:
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=service.spec.argv[-1]), timeout=30) as client:
        return client.get(f"http://insider{path}").text


@pytest.mark.parametrize("name", sorted(set(_NAME.findall(RULES + "\n".join(_queries())))))
def test_each_metric_used_by_rules_or_dashboard_is_exported(name: str, numbers: str) -> None:
    assert re.search(rf"^(?:# TYPE )?{name.removesuffix('_bucket')}(?:_bucket)?(?:\{{| )", numbers, re.MULTILINE)


def test_the_reasons_used_by_the_rules_exist(numbers: str) -> None:
    named = {reason for text in re.findall(r'reason[!~=]+"([^"]+)"', RULES) for reason in text.split("|")}
    assert named <= set(re.findall(r'reason="([^"]+)"', numbers))


@pytest.fixture
def opened_numbers(gate: StackUnderTest, tmp_path: Path) -> Iterator[str]:
    """The address at which a separate nginx with the shipped nginx.conf exposes the metrics."""
    port, site = free_port(), (MONITORING / "nginx.conf").read_text()
    sockets = str(Path(gate.sidecars[0].spec.argv[-1]).parent)
    site = site.replace("/run/streamgate", sockets).replace("127.0.0.1:9180", f"127.0.0.1:{port}")
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"user root;\npid {tmp_path}/pid;\nerror_log stderr;\nevents {{ }}\nhttp {{\n{temporary}{site}\n}}\n"
    )
    gated = gate.nginx.spec
    argv = (gated.argv[0], "-e", "stderr", "-c", str(configuration), "-g", "daemon off;")
    service = Service(type(gated)("numbers", argv, gated.env, gated.is_ready), tmp_path / "log", redacted=True)
    service.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        service.stop()


def test_the_shipped_nginx_file_exposes_only_the_metrics_of_each_process(opened_numbers: str) -> None:
    with httpx2.Client(base_url=opened_numbers, timeout=30) as client:

        def answers(path: str, status: int) -> bool:
            try:
                return client.get(path).status_code == status
            except httpx2.TransportError:
                return False

        eventually(lambda: answers("/sidecar-1/metrics", 200))
        assert answers("/sidecar-2/metrics", 502)  # this stack has one sidecar
        assert answers("/authorize", 404)
        assert answers("/sidecar-1/authorize", 404)
        assert answers("/control-plane/metrics", 200)
        assert answers("/control-plane/feed", 404)
        assert answers("/internal/metrics", 404)
