"""Metrics are served on the processes' own sockets, never on nginx's public port."""

import httpx2
import pytest

from tests.support.services.databases import ON_BOTH_DATABASES
from tests.support.services.stack import StackUnderTest

pytestmark = ON_BOTH_DATABASES


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/authorize", "/_authorize", "/live", "/health/../metrics", "/streams/metrics"),
        *(
            "/internal/metrics",
            "//internal/metrics",
            "/%69nternal/metrics",
            "/x/../internal/metrics",
            "/internal//metrics",
        ),
    ],
)
def test_internal_endpoints_are_not_on_the_public_port(gate: StackUnderTest, path: str) -> None:
    answer = httpx2.get(f"{gate.url}{path}", timeout=30)
    assert answer.status_code == 404
    assert "streamgate_" not in answer.text


def test_a_sidecars_own_socket_serves_metrics_of_nginxs_requests(gate: StackUnderTest) -> None:
    event_id = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"
    assert httpx2.get(f"{gate.url}/streams/{event_id}/stream.m3u8", timeout=30).status_code == 401
    (socket,) = gate.described.run_folder.glob("sidecar-1.sock")
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), timeout=30) as insider:
        told = insider.get("http://sidecar/metrics").text
    assert 'streamgate_verdicts_total{reason="missing"} 1.0' in told
