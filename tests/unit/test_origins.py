"""An event's own origin: which addresses are valid, and on which hosts."""

import pytest

from authz_sidecar.contract.origin_addresses import read_address, read_allowed
from control_plane.errors import FieldRefused
from control_plane.streams.origins import checked

ALLOWED = read_allowed("media.example, 10.0.0.5:8888, [2001:DB8::1]")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("https://media.example/live/a/", "https://media.example/live/a/"),
        ("https://media.example/live/a", "https://media.example/live/a/"),
        ("https://media.example", "https://media.example/"),
        ("HTTPS://Media.Example:443/live/A/index.m3u8", "https://media.example/live/A/index.m3u8"),
        ("http://MEDIA.example:80/a", "http://media.example/a/"),
        ("http://10.0.0.5:8888/~hls/", "http://10.0.0.5:8888/~hls/"),
        ("https://10.0.0.5:8888/hls", "https://10.0.0.5:8888/hls/"),
        ("http://[2001:db8::1]/a/b.m3u8", "http://[2001:db8::1]/a/b.m3u8"),
        ("https://media.example/LIVE/A.M3U8", "https://media.example/LIVE/A.M3U8"),
    ],
)
def test_an_address_on_an_allowed_host_is_normalized(typed: str, stored: str) -> None:
    assert checked(typed, ALLOWED) == stored


def test_an_event_need_not_have_an_origin_of_its_own() -> None:
    assert checked(None, ()) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/a/",
        "https://media.example:8443/a/",
        "http://media.example:443/a/",
        "http://10.0.0.5/a/",
        "https://sub.media.example/a/",
        "https://media.example.evil.example/a/",
        "http://127.0.0.1/a/",
        "http://[::1]/a/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_host_that_is_not_listed_is_refused_with_its_name(url: str) -> None:
    with pytest.raises(FieldRefused, match="UPSTREAM_ALLOWED_HOSTS") as refusal:
        checked(url, ALLOWED)
    assert refusal.value.field == "streamUrl"
    with pytest.raises(FieldRefused):
        checked(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "media.example/a",
        "//media.example/a",
        "ftp://media.example/a",
        "file:///etc/passwd",
        "unix:/run/origin.sock",
        "https://user@media.example/a",
        "https://user:password@media.example/a",
        "https://media.example@elsewhere.example/a",
        "https://media.example\\@elsewhere.example/a",
        "https://media.example/a?token=secret",
        "https://media.example/a?",
        "https://media.example/a#x",
        "https://media.example/a#",
        "https://media.example/../a",
        "https://media.example/a/./b",
        "https://media.example/.hidden/a",
        "https://media.example/a//b",
        "https://media.example/a%2fb",
        "https://media.example/a b",
        "https://media.example/a\tb",
        "https://media.example/a\r\nX-Header: b",
        "https://media.example/$uri",
        "https://media.example/a;b",
        "https://media.ex\u00e4mple/a",
        "https://media.example:0/a",
        "https://media.example:65536/a",
        "https://media.example:/a",
        "https://[::1/a",
    ],
)
def test_an_invalid_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(FieldRefused, match="Please enter an address") as refusal:
        checked(url, ALLOWED)
    assert "secret" not in str(refusal.value)
    assert "password" not in str(refusal.value)


def test_a_host_without_a_port_means_each_schemes_default() -> None:
    assert [str(place) for place in read_allowed(" Media.example ,, ")] == [
        "http://media.example",
        "https://media.example",
    ]
    assert [str(place) for place in read_allowed("a.example:443")] == ["http://a.example:443", "https://a.example"]
    assert read_allowed("a.example,A.EXAMPLE") == read_allowed("a.example")
    assert read_allowed("") == ()


@pytest.mark.parametrize(
    "hosts", ["https://a.example", "a.example/live", "*", "*.example", "a b", "a.example:0", "a:99999", "a:", "user@a"]
)
def test_a_list_with_anything_but_hosts_is_refused(hosts: str) -> None:
    with pytest.raises(ValueError, match="must list hosts"):
        read_allowed(hosts)


def test_an_address_is_a_place_and_a_path() -> None:
    place, path = read_address("https://[2001:DB8::1]:8443/a/b/")
    assert (place, path) == (("https", "[2001:db8::1]", 8443), "/a/b")
    assert place.authority == "[2001:db8::1]:8443"
