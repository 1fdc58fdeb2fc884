"""The client's address: as nginx sees it, or as named proxies report it; never as a client claims it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import httpx2
import pytest
from dotenv import dotenv_values

from tests.support.clients.people import Organiser
from tests.support.services.stack import StackUnderTest

WRONG: Final = "K7F2X9M4B1C3"
SIX_GUESSES: Final = [401] * 5 + [429]
PROXY: Final = "127.0.0.1"


class Door:
    """The public port of a stack, over IPv4 and IPv6, for clients with a chosen source address."""

    def __init__(self, stack: StackUnderTest) -> None:
        self._stack = stack
        self._port = stack.described.listen[1]
        server = stack.described.run_folder / "nginx" / "site" / "server.conf"
        server.write_text(f"{server.read_text()}listen [::1]:{self._port};\n")

    def validate(self, code: str, source: str, headers: dict[str, str] | None = None) -> int:
        host = "[::1]" if ":" in source else "127.0.0.1"
        transport = httpx2.HTTPTransport(local_address=source)
        with httpx2.Client(transport=transport, base_url=f"http://{host}:{self._port}", timeout=30) as client:
            return client.post("/api/tokens/validate", json={"code": code}, headers=headers).status_code

    def through_proxy(self, code: str, forwarded_for: str) -> int:
        return self.validate(code, PROXY, {"X-Forwarded-For": forwarded_for, "X-Real-IP": "198.51.100.77"})

    def noted_address(self) -> str:
        """Return the address that the control plane stored for the newest session."""
        url = dotenv_values(self._stack.home / ".env", interpolate=False)["DATABASE_URL"] or ""
        with closing(sqlite3.connect(url.partition("///")[2])) as database:
            rows = database.execute("SELECT client_ip FROM viewing_session ORDER BY started_at DESC LIMIT 1")
            return str(rows.fetchone()[0])


@pytest.fixture(scope="module", params=["", f"{PROXY}, 10.0.0.0/8"], ids=["no proxy", "a proxy"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path_factory.mktemp("door"), settings={"TRUSTED_PROXIES": request.param})
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def door(stack: StackUnderTest) -> Door:
    opened = Door(stack)
    stack.start()
    return opened


@pytest.fixture(scope="module")
def codes(stack: StackUnderTest, door: Door) -> Iterator[list[str]]:
    del door
    person = Organiser(stack.url)
    yield [ticket.code for ticket in person.tickets(person.create_event(), 20)]
    person.close()


only_direct = pytest.mark.parametrize("stack", [""], indirect=True, ids=["no proxy"])
only_proxied = pytest.mark.parametrize("stack", [f"{PROXY}, 10.0.0.0/8"], indirect=True, ids=["a proxy"])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("127.0.0.21", "X-Forwarded-For"),
        ("127.0.0.22", "X-Real-IP"),
        ("127.0.0.23", "X_Real_IP"),
        ("127.0.0.24", "Forwarded"),
        ("127.0.0.25", "True-Client-IP"),
    ],
)
def test_an_address_that_a_client_claims_is_ignored_by_nginx(
    door: Door, codes: list[str], source: str, name: str
) -> None:
    claims = [f"for=198.51.100.{n}" if name == "Forwarded" else f"198.51.100.{n}" for n in range(7)]
    guesses = [door.validate(WRONG, source, {name: claim}) for claim in claims[:6]]
    assert guesses == SIX_GUESSES
    assert door.validate(codes.pop(), source, {name: claims[6]}) == 200
    assert door.noted_address() == source


def test_an_ipv6_client_is_known_by_its_address(door: Door, codes: list[str]) -> None:
    assert door.validate(codes.pop(), "::1", {"X-Forwarded-For": "2001:db8::1"}) == 200
    assert door.noted_address() == "::1"


@only_direct
def test_without_named_proxies_not_even_this_machine_is_trusted(door: Door, codes: list[str]) -> None:
    assert door.through_proxy(codes.pop(), "203.0.113.9") == 200
    assert door.noted_address() == PROXY


@only_proxied
@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.1.2.3, 127.0.0.1", "203.0.113.9"),
        ("2001:db8:1:2::9", "2001:db8:1:2::9"),
        ("198.51.100.1, nonsense", PROXY),
        ("nonsense, 203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_named_proxy_is_trusted_up_to_the_last_hop_that_is_not_a_proxy(
    door: Door, codes: list[str], forwarded_for: str, client: str
) -> None:
    assert door.through_proxy(codes.pop(), forwarded_for) == 200
    assert door.noted_address() == client


@only_proxied
def test_guessers_behind_a_proxy_are_counted_separately_whatever_headers_they_send(door: Door) -> None:
    guesses = [door.through_proxy(WRONG, f"198.51.100.{n}, 203.0.113.66") for n in range(6)]
    assert guesses == SIX_GUESSES
    assert door.through_proxy(WRONG, "198.51.100.1, 203.0.113.67") == 401


@only_proxied
def test_one_ipv6_household_behind_a_proxy_counts_as_one_guesser(door: Door) -> None:
    guesses = [door.through_proxy(WRONG, f"2001:db8:5:6::{n}") for n in range(1, 7)]
    assert guesses == SIX_GUESSES
    assert door.through_proxy(WRONG, "2001:db8:5:7::1") == 401
