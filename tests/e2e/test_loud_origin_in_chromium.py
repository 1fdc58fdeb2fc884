"""An origin's headers about reports and scripts have no effect in Chromium under the portal's origin."""

import base64
import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from playwright.sync_api import BrowserContext, Playwright

from tests.support.media.origin import Asked, Origin, Reply
from tests.support.services.certificates import certificate
from tests.support.services.edge import EdgeUnderTest
from tests.support.services.ports import free_port
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

COLLECT = "/hls/collect"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"), "localhost")


@pytest.fixture(scope="module")
def loud(shown: Path) -> Iterator[Origin]:
    """An origin that collects reports about itself and about any server that passes its headers on."""
    origin = Origin(certificate=shown)
    welcome = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
    origin.answer("/collect", Reply(200, b"", welcome))
    with origin:
        yield origin


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, loud: Origin, shown: Path) -> Iterator[tuple[EdgeUnderTest, str]]:
    """An edge that also serves TLS, and its address there."""
    settings = {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": loud.url}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(shown))  # the machine's own variable would take precedence
        gate = StackUnderTest(tmp_path_factory.mktemp("edge"), settings=settings)
    port = free_port()
    server = gate.home / "run" / "nginx" / "site" / "server.conf"
    keys = f"ssl_certificate {shown};\nssl_certificate_key {shown};\n"
    server.write_text(f"{server.read_text()}listen 127.0.0.1:{port} ssl;\n{keys}")
    with gate:
        yield EdgeUnderTest(gate, loud), f"https://localhost:{port}"


@pytest.fixture(scope="module")
def context(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory, shown: Path) -> Iterator[BrowserContext]:
    """Run a Chromium that trusts the certificate and sends its reports at once."""
    der = ssl.PEM_cert_to_DER_cert(shown.read_text().partition("-----BEGIN PRIVATE")[0])
    public = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-noout", "-pubkey"], input=der, capture_output=True, check=True
    ).stdout
    spki = base64.b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(_as_certificate(public))).digest()).decode()
    arguments = ["--no-sandbox", "--short-reporting-delay", f"--ignore-certificate-errors-spki-list={spki}"]
    profile = str(tmp_path_factory.mktemp("profile"))
    running = playwright.chromium.launch_persistent_context(profile, executable_path=which("chromium"), args=arguments)
    yield running
    running.close()


def _as_certificate(public: bytes) -> str:
    """Decode a public key with ssl's PEM decoder."""
    return public.decode().replace("PUBLIC KEY", "CERTIFICATE")


def reports(origin: Origin) -> dict[str, str]:
    """Return headers that request reports about their response."""
    endpoint = {"url": f"https://localhost:{origin.port}{COLLECT}"}
    policy = {"report_to": "nel", "max_age": 86_400, "success_fraction": 1.0, "failure_fraction": 1.0}
    group = {"group": "nel", "max_age": 86_400, "endpoints": [endpoint]}
    return {"Report-To": json.dumps(group), "NEL": json.dumps(policy)}


def commands(origin: Origin) -> dict[str, str]:
    """Return headers that the portal may set and an origin may not."""
    elsewhere = f"https://localhost:{origin.port}{COLLECT}"
    return {
        "Content-Type": "text/html",
        "Set-Cookie": "from-the-origin=1; Path=/; Secure",
        "Refresh": f"0; url={elsewhere}?refresh",
        "Link": f"<{elsewhere}?link>; rel=preload; as=fetch",
    }


def collected(origin: Origin) -> list[Asked]:
    return [asked for asked in list(origin.asked) if asked.target.startswith(COLLECT)]


def test_an_origin_collects_reports_of_itself_and_none_of_the_portal(
    edge: tuple[EdgeUnderTest, str], loud: Origin, context: BrowserContext
) -> None:
    gate, address = edge
    event = loud.add_event()
    script = f"<script>fetch('https://localhost:{loud.port}{COLLECT}?script')</script>"
    for name in ("page.vtt", "1.ts", "stream.m3u8"):
        loud.put(f"/{event}/{name}", script, **reports(loud), **commands(loud))
    loud.put("/itself.html", "<p>the origin itself</p>", **{"Content-Type": "text/html"}, **reports(loud))
    folder = f"{address}/t/{gate.token(event)}/streams/{event}"
    page = context.new_page()
    page.goto(f"{folder}/page.vtt")  # as a top-level page, in which no script may run
    page.goto(address)
    for name in ("page.vtt", "1.ts", "stream.m3u8"):
        assert page.evaluate("url => fetch(url).then(answer => answer.text())", f"{folder}/{name}") == script
    page.goto(f"https://localhost:{loud.port}/hls/itself.html")
    # Reports are sent together: once those about the origin itself arrive, others would have arrived, too.
    told = eventually(lambda: b"".join(asked.body for asked in collected(loud)), within=60, what="a report")
    assert b"itself.html" in told
    assert {asked.method for asked in collected(loud)} == {"POST"}, "none about another site, which would ask first"
    assert b"/streams/" not in told
    assert address.encode() not in told
    assert {asked.target for asked in collected(loud)} == {COLLECT}, "no script, no preload, no refresh"
    assert context.cookies() == []
