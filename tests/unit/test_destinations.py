"""Destinations of webhooks: which addresses are public, which private, and which are neither."""

from ipaddress import ip_address

import pytest

from control_plane.webhooks.destinations import Destination, DestinationRefused, is_private, is_public, parse

PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.5",
    "172.16.0.1",
    "192.168.1.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.5",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:5",
    "2002:7f00:1::1",
]
NEITHER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "0.0.0.0",  # noqa: S104 - tested because it leads to this machine
    "::",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "ff02::1",
    "fec0::1",
    "feff::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "4000::1",
    "1::1",
    "192.88.99.1",
    "192.0.0.9",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_internet_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert not is_private(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_this_machine_and_its_networks_are_private_in_every_spelling(address: str) -> None:
    assert is_private(ip_address(address))
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", NEITHER)
def test_link_local_shared_reserved_and_multicast_addresses_are_neither(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not is_private(ip_address(address))


def test_a_url_is_split_into_its_parts() -> None:
    assert parse("https://Hooks.Example.org/a/b?c=d") == Destination("https", "hooks.example.org", 443, "/a/b?c=d")
    assert parse("http://[::1]:8080") == Destination("http", "::1", 8080, "/")
    assert parse("http://[::1]:8080").authority == "[::1]:8080"
    assert parse("https://hooks.example.org:443/").authority == "hooks.example.org"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "https:///path",
        "https://user:hunter2@hooks.example.org/",
        "https://hooks.example.org@127.0.0.1/",
        "https://hooks.example.org/#fragment",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:65536/",
        "https://hooks.example.org:x/",
        "https://hooks example.org/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nHost: x",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://b\u00fccher.example/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://-a/",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(DestinationRefused):
        parse(url)
