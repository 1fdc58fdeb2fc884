"""An origin over TLS: nothing is fetched unless its certificate and name are valid."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.clients.people import Organiser
from tests.support.media.origin import Origin
from tests.support.services.certificates import certificate
from tests.support.services.edge import UNAVAILABLE, EdgeUnderTest
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually


@contextmanager
def edge_of(home: Path, shown: Path, trusted: Path, *, own: bool = False) -> Iterator[EdgeUnderTest]:
    """Run an edge with a common origin, or with one that events may name as their `own`."""
    origin = Origin(certificate=shown)
    settings = {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": origin.url}
    if own:
        settings = {"UPSTREAM_ORIGIN": "http://127.0.0.1:9", "UPSTREAM_ALLOWED_HOSTS": f"localhost:{origin.port}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted))  # the machine's own variable would take precedence
        gate = StackUnderTest(home, settings=settings)
    with origin, gate:
        yield EdgeUnderTest(gate, origin)


def test_an_origin_with_a_trusted_certificate_is_requested_by_its_name(tmp_path: Path) -> None:
    own = certificate(tmp_path, "localhost")
    with edge_of(tmp_path / "home", own, own) as edge:
        event = edge.origin.add_event()
        assert edge.get(event, "1.ts").text == f"mark-of-{event}" * 50
        [asked] = edge.origin.questions(f"/{event}/1.ts")
        assert asked.headers["host"] == f"localhost:{edge.origin.port}"


@pytest.mark.parametrize("name", ["stranger", "localhost"])
def test_an_origin_with_another_name_or_signer_is_not_trusted(tmp_path: Path, name: str) -> None:
    (tmp_path / "another").mkdir()
    shown = certificate(tmp_path, name)
    trusted = certificate(tmp_path / "another", name) if name == "localhost" else shown
    with edge_of(tmp_path / "home", shown, trusted) as edge:
        event = edge.origin.add_event()
        answer = edge.get(event, "1.ts")
        assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
        assert edge.origin.asked == []


@pytest.mark.parametrize("name", ["localhost", "stranger"])
def test_an_events_own_origin_is_trusted_only_by_its_own_certificate(tmp_path: Path, name: str) -> None:
    shown = certificate(tmp_path, name)
    with edge_of(tmp_path / "home", shown, shown, own=True) as edge:
        folder = edge.origin.add_event()
        with closing(Organiser(edge.gate.url)) as organiser:
            event = organiser.create_event(streamUrl=f"{edge.origin.url}/{folder}/")
        if name == "localhost":
            eventually(lambda: folder in edge.get(event, "1.ts").text)
            assert edge.origin.asked[-1].headers["host"] == f"localhost:{edge.origin.port}"
        else:
            memory = Path(f"{edge.gate.sidecars[0].spec.env['SIDECAR_STATE_FILE']}.origins")
            eventually(lambda: memory.exists() and event in memory.read_text())
            answer = edge.get(event, "1.ts")
            assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
            assert edge.origin.asked == []
