"""The origin in the settings and in nginx's configuration."""

from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops.nginx_origin import NginxOrigin, origin_conf, read_origins

HOME = Path("/srv/streamgate")


def read(**settings: str) -> NginxOrigin:
    origins = read_origins(settings, HOME, "/bin/true")
    assert origins
    return origins


def test_without_an_origin_there_is_neither_a_cache_nor_an_upstream() -> None:
    assert read_origins({"UPSTREAM_ORIGIN": " "}, HOME, "/bin/true") is None
    assert "proxy_cache_path" not in origin_conf(None)


@pytest.mark.parametrize(
    ("url", "place", "path"),
    [
        ("https://Media.Example", "https://media.example", ""),
        ("http://10.0.0.5:8888/hls/", "http://10.0.0.5:8888", "/hls"),
        ("http://[2001:db8::1]/a/b", "http://[2001:db8::1]", "/a/b"),
        ("https://media.example:443/x", "https://media.example", "/x"),
    ],
)
def test_an_origin_is_a_host_a_port_and_a_path(url: str, place: str, path: str) -> None:
    common = read(UPSTREAM_ORIGIN=url).settings.common
    assert common
    assert (str(common[0]), common[1]) == (place, path)


def test_nginx_gets_neither_hosts_nor_credentials() -> None:
    text = origin_conf(
        read(
            UPSTREAM_ORIGIN="https://media.example/hls",
            UPSTREAM_ALLOWED_HOSTS="encoder.example",
            UPSTREAM_ORIGIN_HEADER="Authorization: Bearer a-secret",
            UPSTREAM_ORIGIN_QUERY="signature=a-secret",
        )
    )
    assert not any(word in text for word in ("example", "secret", "Authorization"))


def test_without_a_list_no_event_may_name_its_own_origin() -> None:
    assert read(UPSTREAM_ORIGIN="https://a.example").settings.allowed == frozenset()


def test_each_allowed_host_applies_to_each_scheme() -> None:
    allowed = read(UPSTREAM_ALLOWED_HOSTS="Media.example, 10.0.0.5:8888,[2001:db8::1]").settings.allowed
    hosts = ("media.example", "10.0.0.5:8888", "[2001:db8::1]")
    assert {str(place) for place in allowed} == {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"UPSTREAM_ORIGIN_HEADER": "Authorization: Bearer hunter2\r\nX: y"}, "one header"),
        ({"UPSTREAM_ORIGIN_HEADER": "hunter2"}, "one header"),
        ({"UPSTREAM_ORIGIN_HEADER": "X-Key: hunt\u00e9r2"}, "one header"),
        ({"UPSTREAM_ORIGIN_HEADER": "Host: hunter2"}, "does not send itself"),
        ({"UPSTREAM_ORIGIN_HEADER": "transfer-encoding: hunter2"}, "does not send itself"),
        ({"UPSTREAM_ORIGIN_HEADER": "If-Range: hunter2"}, "does not send itself"),
        ({"UPSTREAM_ORIGIN_QUERY": "key=hunter2 x"}, "percent-encoded"),
        ({"UPSTREAM_ORIGIN_QUERY": "key=hunter2#x"}, "percent-encoded"),
        ({"UPSTREAM_ORIGIN_QUERY": "a=hunter2&_HLS_msn=1"}, "_HLS_"),
        ({"UPSTREAM_ORIGIN_QUERY": "__token=hunter2"}, "__token"),
        ({"UPSTREAM_ORIGIN_HEADER": "X-Key: hunter2", "UPSTREAM_ORIGIN_HEADER_FILE": "/x"}, "both set"),
        ({"UPSTREAM_ORIGIN_QUERY_FILE": "/does/not/exist/hunter2"}, "cannot be read"),
        ({"UPSTREAM_ORIGIN": "", "UPSTREAM_ORIGIN_QUERY": "key=hunter2"}, "need an UPSTREAM_ORIGIN"),
    ],
)
def test_an_invalid_secret_is_refused_and_not_repeated(settings: dict[str, str], says: str) -> None:
    with pytest.raises(OperatorError, match=says) as refusal:
        read(**{"UPSTREAM_ORIGIN": "https://a.example"} | settings)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "header"
    file.write_text("Cookie:session=abc; other=def\n")
    settings = read(UPSTREAM_ORIGIN="https://a.example", UPSTREAM_ORIGIN_HEADER_FILE=str(file)).settings
    assert settings.credentials.header == "Cookie: session=abc; other=def"
    assert "abc" not in repr(settings)


def test_an_invalid_list_of_hosts_is_refused() -> None:
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
def test_an_invalid_origin_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(OperatorError, match="UPSTREAM_ORIGIN") as refusal:
        read(UPSTREAM_ORIGIN=url)
    assert "password" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_caches_place_size_and_age_are_settings() -> None:
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example"))
    assert '"/srv/streamgate/cache/segments"' in text
    assert "max_size=50g min_free=1g inactive=72h" in text
    limits = {
        "SEGMENT_CACHE_MAX_SIZE_GB": "7",
        "SEGMENT_CACHE_MAX_AGE_HOURS": "3",
        "SEGMENT_CACHE_ROOT": "/var/seg ments",
    }
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example", **limits))
    assert '"/var/seg ments/segments"' in text
    assert "max_size=7g min_free=1g inactive=3h" in text
    assert "proxy_cache_valid 200 206 3h;" in text


@pytest.mark.parametrize("name", ["SEGMENT_CACHE_MAX_SIZE_GB", "SEGMENT_CACHE_MAX_AGE_HOURS"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "50g", "9999999", "1;", "\u0661"])
def test_invalid_cache_settings_are_refused(name: str, value: str) -> None:
    with pytest.raises(OperatorError, match=name):
        read(UPSTREAM_ORIGIN="http://a.example", **{name: value})


def test_the_cache_leaves_room_on_the_disk() -> None:
    text = origin_conf(read(UPSTREAM_ORIGIN="http://a.example"))
    assert text.count("proxy_cache_path") == text.count("min_free=1g") == 2


def test_an_nginx_without_the_slice_module_fetches_files_whole() -> None:
    assert "slice" not in origin_conf(read(UPSTREAM_ORIGIN="http://a.example"))
