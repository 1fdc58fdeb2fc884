"""Untrusted proxies are reported once, and cannot fill the memory or the log."""

import pytest
import structlog

from control_plane.unnamed_proxies import UnnamedProxies, line_to_add


def noticed(*addresses: str, trusted: str = "") -> tuple[list[str], list[str]]:
    """Return the noticed addresses, and the suggested settings lines."""
    proxies = UnnamedProxies(trusted)
    with structlog.testing.capture_logs() as lines:
        for address in addresses:
            proxies.note(address)
    return proxies.known, [line["fix"] for line in lines]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "172.18.0.1", "::1", "fd00::7"])
def test_a_private_address_is_reported_at_once_and_only_once(address: str) -> None:
    assert noticed(*[address] * 3) == ([address], [f"TRUSTED_PROXIES={address}"])


def test_the_suggested_line_keeps_proxies_that_are_already_trusted() -> None:
    assert noticed("10.0.0.9", trusted="127.0.0.1, 2001:db8::/32")[1] == [
        "TRUSTED_PROXIES=127.0.0.1,2001:db8::/32,10.0.0.9"
    ]
    assert line_to_add("", ["::1"]) == "TRUSTED_PROXIES=::1"


def test_a_public_address_is_reported_after_many_forwarded_requests() -> None:
    assert noticed(*["203.0.112.9"] * 99) == ([], [])
    assert noticed(*["203.0.112.9"] * 200)[0] == ["203.0.112.9"]


@pytest.mark.parametrize("address", ["unix:", "nonsense", "", "1.2.3.4.5", "x" * 5000, "10.0.0.1, 10.0.0.2"])
def test_invalid_addresses_are_ignored(address: str) -> None:
    assert noticed(address) == ([], [])


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    crowd = [f"10.0.{n // 250}.{n % 250}" for n in range(2000)]
    known, lines = noticed(*crowd)
    assert (len(known), len(lines)) == (20, 20)
    foreign = [f"20.{n // 250}.{n % 250}.1" for n in range(5000)]
    assert noticed(*foreign, *["8.8.8.8"] * 200) == ([], [])
