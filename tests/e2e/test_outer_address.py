"""Links, cookies and checks use the viewer's address, from the browser or from a trusted proxy."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Final

import pytest

from tests.support.clients.people import Organiser
from tests.support.clients.raw_http import RawAnswer, raw_request
from tests.support.leaks import remember
from tests.support.services.stack import StackUnderTest

PROXY: Final = "127.0.0.2"
STRANGER: Final = "127.0.0.9"
LONG: Final = "x" * 5000 + ".example"
HTTPS: Final = "X-Forwarded-Proto: https"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path_factory.mktemp("door"), settings={"TRUSTED_PROXIES": f"10.0.0.0/8, {PROXY}"})
    server = running.described.run_folder / "nginx" / "site" / "server.conf"
    server.write_text(f"{server.read_text()}listen [::1]:{running.described.listen[1]};\n")
    with running:
        yield running


class Person:
    """A viewer with many tickets, one for each request."""

    def __init__(self, gate: StackUnderTest, codes: Iterator[str]) -> None:
        self.gate = gate
        self._codes = codes
        self._number = count(1)

    def redeems(self, *headers: str, host: str | None = "", source: str = "127.0.0.1") -> RawAnswer:
        body = json.dumps({"code": next(self._codes)}).encode()
        return self._post("/api/tokens/validate", body, headers, host, source)

    def is_linked_to(self, *headers: str, host: str | None = "", source: str = "127.0.0.1") -> str:
        """Return the origin of the TV link that is requested with these headers, or the status of a refusal."""
        token = json.loads(self.redeems().body)["playbackToken"]
        remember(token)
        shown = (f"Authorization: Bearer {token}", *headers)
        answer = self._post("/api/playback/tv", b"", shown, host, source)
        if answer.status != 200:
            return str(answer.status)
        url = json.loads(answer.body)["url"]
        remember(url.split("/")[4])
        return str(url).partition("/t/")[0]

    def _post(self, path: str, body: bytes, headers: tuple[str, ...], host: str | None, source: str) -> RawAnswer:
        url = self.gate.url.replace("127.0.0.1", "[::1]") if ":" in source else self.gate.url
        lines = (f"Content-Length: {len(body)}", "Content-Type: application/json", *headers)
        return raw_request(url, path, "POST", lines, body=body, host=host, source=source)


@pytest.fixture(scope="module")
def person(gate: StackUnderTest) -> Iterator[Person]:
    organiser = Organiser(gate.url)
    yield Person(gate, iter([ticket.code for ticket in organiser.tickets(organiser.create_event(), 100)]))
    organiser.close()


def test_an_answer_names_no_origin_if_the_streams_are_on_the_portals_own(person: Person) -> None:
    answer = person.redeems(HTTPS, host="tickets.example", source=PROXY)
    told = json.loads(answer.body)
    remember(told["playbackToken"])
    assert told["playbackBaseUrl"] == ""
    assert told["streamPath"].startswith("/streams/")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("tickets.example.org", "http://tickets.example.org"),
        ("tickets.example.org:9000", "http://tickets.example.org:9000"),
        ("Karten.Example.ORG:80", "http://karten.example.org"),
        ("xn--mnchen-3ya.example", "http://xn--mnchen-3ya.example"),
        ("[2001:db8::5]:8443", "http://[2001:db8::5]:8443"),
        ("[::1]", "http://[::1]"),
        ("192.0.2.5:81", "http://192.0.2.5:81"),
        ("streams_of_today:81", "http://streams_of_today:81"),
    ],
)
def test_without_a_proxy_the_browsers_host_counts(person: Person, host: str, origin: str) -> None:
    assert person.is_linked_to(host=host) == origin


@pytest.mark.parametrize("source", ["127.0.0.1", "::1"])
def test_without_a_host_links_use_the_address_of_the_connection(person: Person, source: str) -> None:
    port = person.gate.described.listen[1]
    own = {"127.0.0.1": f"http://127.0.0.1:{port}", "::1": f"http://[::1]:{port}"}
    assert person.is_linked_to(host=None, source=source) == own[source]


@pytest.mark.parametrize(
    "host",
    [
        *("user@evil.example", "user:password@evil.example", "tickets.example:many", "tickets.example:8080:9"),
        *("evil.example/path", "tickets example", "a\tb", 'a"b', "<b>", "a|b", "a;b", "a,b", "", " ", "[::1", "[x]:80"),
        *("-.example", "%65vil.example", "m\xfcnchen.example", "\x7f", "$host", "a\\b", LONG),
    ],
)
def test_an_invalid_host_gets_an_error_and_no_link(person: Person, host: str) -> None:
    answer = raw_request(person.gate.url, "/", host=host or " ")
    assert answer.status == 400
    assert json.loads(answer.body)["reason"] == "malformed"
    assert (host.strip() or "location") not in str(answer)


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ((HTTPS,), "https://inner.example:8080"),
        (("X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: t.example"), "https://t.example"),
        ((HTTPS, "X-Forwarded-Host: t.example:8443"), "https://t.example:8443"),
        ((HTTPS, "X-Forwarded-Host: t.example", "X-Forwarded-Port: 8443"), "https://t.example:8443"),
        ((HTTPS, "X-Forwarded-Host: t.example:444", "X-Forwarded-Port: 443"), "https://t.example:444"),
        ((HTTPS, "X-Forwarded-Host: T.example:443", "X-Forwarded-Port: 443"), "https://t.example"),
        ((HTTPS, "X-Forwarded-Host: [2001:db8::7]", "X-Forwarded-Port: 8443"), "https://[2001:db8::7]:8443"),
        (("X-Forwarded-Host: t.example",), "http://t.example"),
        (("Forwarded: for=192.0.2.1;host=t.example;proto=https",), "https://t.example"),
        (('forwarded: Proto=https; Host="t.example:8443"; for="[2001:db8::1]:99"',), "https://t.example:8443"),
        (('Forwarded: for=x;proto=https;host="[2001:db8::7]:81";by=y',), "https://[2001:db8::7]:81"),
        (("Forwarded: for=x;proto=http;host=evil.example, for=y;proto=https;host=t.example",), "https://t.example"),
        ((HTTPS, "X-Forwarded-Host: t.example", "Forwarded: proto=http;host=f.example"), "https://t.example"),
        (("X-Forwarded-Proto: http, https", "X-Forwarded-Host: evil.example, t.example"), "https://t.example"),
        ((HTTPS, "X-Forwarded-Host: user@evil.example"), "https://inner.example:8080"),
        ((HTTPS, "X-Forwarded-Host: evil.example/x"), "https://inner.example:8080"),
        ((HTTPS, f"X-Forwarded-Host: {LONG}"), "https://inner.example:8080"),
        ((HTTPS, "X-Forwarded-Host: t.example", "X-Forwarded-Port: 99999999"), "https://t.example"),
        ((HTTPS, "X-Forwarded-Host: t.example", "X-Forwarded-Port: 1;x"), "https://t.example"),
        (("X-Forwarded-Proto: javascript", "X-Forwarded-Host: t.example"), "http://t.example"),
        (("Forwarded: garbage;;=;proto=;host=",), "http://inner.example:8080"),
    ],
)
def test_a_trusted_proxy_determines_the_outer_address(person: Person, headers: tuple[str, ...], origin: str) -> None:
    assert person.is_linked_to(*headers, host="inner.example:8080", source=PROXY) == origin


@pytest.mark.parametrize(
    "header",
    [
        *(
            HTTPS,
            "X-Forwarded-Host: evil.example",
            "X-Forwarded-Port: 8443",
            "Forwarded: proto=https;host=evil.example",
        ),
        *("X-Forwarded-For: 127.0.0.2", "X-Forwarded-Ssl: on", "X_Forwarded_Proto: https"),
    ],
)
def test_headers_of_untrusted_clients_are_ignored(person: Person, header: str) -> None:
    assert person.is_linked_to(header, host="t.example", source=STRANGER) == "http://t.example"
    answer = person.redeems(header, host="t.example", source=STRANGER)
    assert "secure" not in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" not in answer.headers


def test_secure_cookies_and_hsts_follow_the_viewers_scheme(person: Person) -> None:
    answer = person.redeems(HTTPS, host="t.example", source=PROXY)
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Origin: https://t.example:8443",), 200),
        (("Origin: https://T.example:8443",), 200),
        (("Origin: https://evil.example",), 403),
        (("Origin: https://t.example",), 403),
        (("Origin: https://t.example:8443", "Sec-Fetch-Site: cross-site"), 403),
        (("Origin: https://t.example:8443", "Sec-Fetch-Site: same-origin"), 200),
    ],
)
def test_behind_a_proxy_that_rewrites_host_our_own_pages_can_make_changes(
    person: Person, headers: tuple[str, ...], status: int
) -> None:
    outer = (HTTPS, "X-Forwarded-Host: t.example:8443")
    assert person.redeems(*outer, *headers, host="127.0.0.1:8080", source=PROXY).status == status


def test_the_browsers_origin_counts_if_the_proxy_rewrites_host_and_sends_no_other(person: Person) -> None:
    own = ("Sec-Fetch-Site: same-origin", "Origin: https://t.example:8443")
    assert person.is_linked_to(*own, host="127.0.0.1:8080", source=STRANGER) == "https://t.example:8443"
    answer = person.redeems(*own, host="127.0.0.1:8080", source=STRANGER)
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_a_redirect_keeps_the_requested_address(person: Person) -> None:
    answer = raw_request(person.gate.url, "/logo/", headers=(HTTPS,), host="127.0.0.1:8080", source=PROXY)
    assert answer.headers["location"] == "/logo"
