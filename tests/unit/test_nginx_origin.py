"""The origin as settings name it and as nginx reads it."""

import re
from pathlib import Path

import pytest

from control_plane.running.home import OperatorError
from control_plane.running.nginx_origin import Origins, origin_conf, read_origins

CACHE = Path("/srv/streamgate/cache")


def read(**settings: str) -> Origins:
    origins = read_origins(settings, CACHE, "/bin/true")
    assert origins
    return origins


def mapped(text: str, name: str) -> dict[str, str]:
    """Give what a variable is at each place."""
    block = re.search(rf"map \$origin_place \${name} {{\n(.*?)}}", text, re.DOTALL)
    assert block
    return dict(re.findall(r'^    "?(.*?)"? "(.*)";$', block[1], re.MULTILINE))


def test_without_an_origin_there_is_neither_a_cache_nor_an_upstream() -> None:
    assert read_origins({"UPSTREAM_ORIGIN": " "}, CACHE, "/bin/true") is None
    assert "proxy_cache_path" not in origin_conf(None)
    assert "upstream" not in origin_conf(None)


@pytest.mark.parametrize(
    ("url", "url_to_nginx", "host", "server"),
    [
        ("https://Media.Example", "https://origin", "media.example", "media.example:443"),
        ("http://10.0.0.5:8888/hls/", "http://origin/hls", "10.0.0.5:8888", "10.0.0.5:8888"),
        ("http://[2001:db8::1]/a/b", "http://origin/a/b", "[2001:db8::1]", "[2001:db8::1]:80"),
        ("https://media.example:443/x", "https://origin/x", "media.example", "media.example:443"),
    ],
)
def test_an_origin_is_a_host_a_port_and_a_path(url: str, url_to_nginx: str, host: str, server: str) -> None:
    text = origin_conf(read(UPSTREAM_ORIGIN=url))
    assert f'    "" "{url_to_nginx}";' in text
    assert f'    "" "{host}";' in text
    assert f"server {server} max_fails=0;" in text


def test_without_any_list_no_event_may_name_an_origin_of_its_own() -> None:
    for text in (origin_conf(None), origin_conf(read(UPSTREAM_ORIGIN="https://a.example"))):
        assert mapped(text, "origin_url").keys() == {"default", ""}
        assert mapped(text, "origin_url")["default"] == "refused"


def test_each_allowed_host_has_an_upstream_for_each_scheme_and_all_others_are_refused() -> None:
    text = origin_conf(read(UPSTREAM_ALLOWED_HOSTS="Media.example, 10.0.0.5:8888,[2001:db8::1]"))
    urls = mapped(text, "origin_url")
    assert (urls.pop("default"), urls.pop("")) == ("refused", "nowhere")
    assert urls.keys() == {
        f"{scheme}://{host}"
        for host in ("media.example", "10.0.0.5:8888", "[2001:db8::1]")
        for scheme in ("http", "https")
    }
    assert all(url.startswith(place.split("/")[0]) for place, url in urls.items())
    assert len(set(urls.values())) == len(urls)
    server = urls["https://media.example"].removeprefix("https://")
    assert f"upstream {server} {{\n    server media.example:443 max_fails=0;" in text
    assert mapped(text, "origin_host")["http://10.0.0.5:8888"] == "10.0.0.5:8888"
    assert mapped(text, "origin_host")["http://[2001:db8::1]"] == "[2001:db8::1]"
    assert mapped(text, "origin_name")["https://[2001:db8::1]"] == "2001:db8::1"
    assert "proxy_ssl_verify on;" in text


def test_other_events_keep_their_origin_where_some_may_have_their_own() -> None:
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example/hls", UPSTREAM_ALLOWED_HOSTS="a.example"))
    assert mapped(text, "origin_url")[""] == "http://origin/hls"
    assert mapped(text, "origin_host")[""] == "a.example"
    assert mapped(text, "origin_url")["http://a.example"] != "http://origin"


def test_a_list_of_hosts_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(OperatorError, match="UPSTREAM_ALLOWED_HOSTS must list hosts"):
        read(UPSTREAM_ALLOWED_HOSTS='a.example"; include /etc/passwd; "')


@pytest.mark.parametrize(
    "url",
    [
        "media.example",
        "ftp://media.example",
        "https://",
        "https:///hls",
        "https://user:password@media.example",
        "https://media.example/?token=secret",
        "https://media.example/#x",
        "https://media.example/../x",
        "https://media.example/a//b",
        "https://media.example/$uri",
        "https://media.example/a;b",
        "https://media.example/%2e",
        "https://media.example:99999",
        "https://media.example:0",
        "https://media.example:x",
        'https://media.example"; include /etc/passwd; "',
        "https://media.example\nx",
        "https://[::1",
        "unix:/run/origin.sock",
    ],
)
def test_what_is_no_origin_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(OperatorError, match="UPSTREAM_ORIGIN") as refusal:
        read(UPSTREAM_ORIGIN=url)
    assert "password" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_caches_place_size_and_age_are_settings() -> None:
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example"))
    assert '"/srv/streamgate/cache/segments"' in text
    assert "max_size=50g inactive=72h" in text
    limits = {
        "SEGMENT_CACHE_MAX_SIZE_GB": "7",
        "SEGMENT_CACHE_MAX_AGE_HOURS": "3",
        "SEGMENT_CACHE_ROOT": "/var/seg ments",
    }
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example", **limits))
    assert '"/var/seg ments/segments"' in text
    assert "max_size=7g inactive=3h" in text
    assert "proxy_cache_valid 200 206 3h;" in text


@pytest.mark.parametrize("name", ["SEGMENT_CACHE_MAX_SIZE_GB", "SEGMENT_CACHE_MAX_AGE_HOURS"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "50g", "9999999", "1;", "\u0661"])
def test_nonsense_about_the_cache_is_refused(name: str, value: str) -> None:
    with pytest.raises(OperatorError, match=name):
        read(UPSTREAM_ORIGIN="http://a.example", **{name: value})


def test_a_certificate_is_verified_against_the_machines_authorities(tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.touch()
    text = origin_conf(read(UPSTREAM_ORIGIN="https://a.example", SSL_CERT_FILE=str(authorities)))
    assert "proxy_ssl_verify on;" in text
    assert f'proxy_ssl_trusted_certificate "{authorities}";' in text


def test_an_nginx_without_the_slice_module_fetches_files_whole() -> None:
    assert "slice" not in origin_conf(read(UPSTREAM_ORIGIN="http://a.example"))
