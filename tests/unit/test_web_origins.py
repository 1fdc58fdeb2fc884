"""Valid web origins, and texts that must never become part of a link."""

import pytest

from control_plane.web_origins import host_of, parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://tickets.example.org", "https://tickets.example.org"),
        ("HTTPS://Tickets.Example.org:443", "https://tickets.example.org"),
        ("http://tickets.example.org:80", "http://tickets.example.org"),
        ("http://tickets.example.org:443", "http://tickets.example.org:443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://stage_door:8080", "http://stage_door:8080"),
    ],
)
def test_the_default_port_is_left_out_of_an_origin(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "null",
            "tickets.example.org",
            "ftp://tickets.example.org",
            "javascript:alert(1)",
            "https://",
            "https://:443",
        ),
        *(
            "https://a.example/",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example:0",
            "https://a b",
        ),
        *("https://a.example:123456", "https://a.example\n", "https://a.example\r\nX: y", "https://m\xfcnchen.example"),
        *("https://\u0661.example", "https://[::1", "https://[x]", "https://-a.example", f"https://{'x' * 300}"),
    ],
)
def test_other_texts_are_not_origins(text: str) -> None:
    assert parse_origin(text) is None


def test_a_host_keeps_its_port() -> None:
    assert [host_of(text) for text in ("https://a.example:8443", "")] == ["a.example:8443", ""]
