"""The sidecar's metrics: they are accurate and contain no identifiers."""

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from authz_sidecar.activity import Reporter
from authz_sidecar.authorize import Authorize
from authz_sidecar.clock_check import ClockCheck
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.follower import Follower
from authz_sidecar.gate import Reason
from authz_sidecar.metrics import SidecarCollector, metrics_endpoint
from tests.support.data.forging import CODE, EVENT_ID, NOW, RING, SID, with_claims
from tests.support.services.feeds import Answer, GivenFeed, GivenReports, changes, revocation, snapshot

pytestmark = pytest.mark.anyio
Samples = dict[tuple[str, str], float]


class Parts:
    """A sidecar's parts with a feed of prepared answers, and its metrics."""

    def __init__(self, *answers: Answer) -> None:
        self.now = float(NOW)
        self.follower = Follower(GivenFeed(list(answers)), clock=lambda: self.now)
        self.verifier = Verifier(KeySource(RING))
        self.authorize = Authorize(self.verifier.verify, self.follower.revocations)
        self.reporter = Reporter(self.authorize.activity, GivenReports([OSError("away")]), b"a key")
        collector = SidecarCollector(self.authorize.meter, self.verifier, self.follower, self.reporter, ClockCheck())
        self._app = Starlette(routes=[Route("/metrics", metrics_endpoint(collector))])

    async def follow(self) -> None:
        with anyio.move_on_after(0.2):
            await self.follower.run()

    def ask(self, token: str | None = None) -> None:
        path = f"/streams/{EVENT_ID}/stream.m3u8".encode()
        carrier = {b"authorization": f"Bearer {token}".encode()} if token else {}
        self.authorize.answer({b"x-gate-path": path, b"x-gate-method": b"GET"} | carrier)

    def text(self) -> str:
        return TestClient(self._app).get("/metrics").text

    def samples(self) -> Samples:
        """Return the values by name and label value."""
        families = text_string_to_metric_families(self.text())
        samples = (sample for family in families for sample in family.samples)
        return {(sample.name, "".join(sample.labels.values())): sample.value for sample in samples}


def living(**claims: object) -> str:
    return with_claims(iat=1, exp=4_000_000_000, **claims)


async def test_verdicts_are_counted_by_reason_and_decisions_are_timed() -> None:
    parts = Parts(snapshot("e.1", CODE))
    parts.ask(living())
    await parts.follow()
    for token in (None, "nonsense", living(), living(sub="Innocent0001"), living(sub="Innocent0001")):
        parts.ask(token)
    samples = parts.samples()
    counted = {label: n for (name, label), n in samples.items() if name == "streamgate_verdicts_total" and n}
    assert counted == {"not-ready": 1, "missing": 1, "invalid": 1, "revoked": 1, "allowed": 2}
    assert (
        samples["streamgate_decision_seconds_count", ""] == samples["streamgate_decision_seconds_bucket", "+Inf"] == 6
    )
    assert 0 < samples["streamgate_decision_seconds_sum", ""] < 6


async def test_every_reason_has_its_counter_from_the_start() -> None:
    labels = {label for name, label in Parts().samples() if name == "streamgate_verdicts_total"}
    assert labels == {"allowed", *Reason}


async def test_cached_tokens_and_verified_ones_are_counted_separately() -> None:
    parts = Parts(snapshot("e.1"))
    await parts.follow()
    for token in (living(), living(), living(), living(sid="b" * 22), "nonsense"):
        parts.ask(token)
    samples = parts.samples()
    assert samples["streamgate_token_cache_hits_total", ""] == 2
    assert samples["streamgate_token_cache_misses_total", ""] == 3


async def test_before_the_first_answer_the_feeds_state_is_unknown() -> None:
    samples = Parts().samples()
    assert samples["streamgate_ready", ""] == samples["streamgate_control_plane_reachable", ""] == 0
    unknown = {"streamgate_seconds_since_last_sync", "streamgate_feed_lag_seconds", "streamgate_revoked_entries"}
    assert not unknown & {name for name, _ in samples}


async def test_the_feeds_state_is_exported() -> None:
    parts = Parts(snapshot("e.1", "a", "b"), changes("e.2", "c"))
    parts.now = NOW + 2.5  # the changes happened at NOW
    await parts.follow()
    parts.now += 30
    samples = parts.samples()
    assert samples["streamgate_ready", ""] == samples["streamgate_control_plane_reachable", ""] == 1
    assert samples["streamgate_revoked_entries", "code"] == 3
    assert samples["streamgate_revoked_entries", "event"] == samples["streamgate_revoked_entries", "session"] == 0
    assert samples["streamgate_feed_lag_seconds", ""] == 2.5
    assert samples["streamgate_seconds_since_last_sync", ""] == 30


async def test_an_empty_set_is_exported_as_zero() -> None:
    parts = Parts(snapshot("e.1"))
    await parts.follow()
    samples = parts.samples()
    assert [samples["streamgate_revoked_entries", kind] for kind in ("code", "event", "session")] == [0, 0, 0]


async def test_a_snapshot_does_not_count_as_lag() -> None:
    parts = Parts(snapshot("e.1", "a"))
    parts.now += 1_000_000
    await parts.follow()
    assert ("streamgate_feed_lag_seconds", "") not in parts.samples()


async def test_sessions_that_wait_for_the_control_plane_are_counted() -> None:
    parts = Parts(snapshot("e.1"))
    await parts.follow()
    parts.ask(living())
    with pytest.raises(OSError, match="away"):
        await parts.reporter.report_once()
    assert parts.samples()["streamgate_activity_unreported_sessions", ""] == 1


async def test_metrics_contain_no_identifiers() -> None:
    parts = Parts(snapshot("e.1", CODE))
    await parts.follow()
    parts.ask(living())
    shown = parts.text()
    assert not [secret for secret in (CODE, EVENT_ID, SID, revocation(CODE).id) if secret in shown]
    assert "process_resident_memory_bytes" in shown
