"""The generated part of nginx's configuration."""

from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops.access_log import AccessLog
from control_plane.ops.nginx_site import Site, shipped_folder, write_site
from control_plane.ops.nginx_words import quoted
from control_plane.ops.up_settings import LogDestination


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(
        folder=tmp_path / "nginx",
        access_log=AccessLog(LogDestination.FILE, tmp_path / "log" / "access.jsonl", 1024),
        listen="127.0.0.1:8080",
        stream_root=tmp_path / "streams of today",
        sidecars=[tmp_path / "sidecar-1.sock", tmp_path / "sidecar-2.sock"],
        control_plane=tmp_path / "control.sock",
        fetcher=Path("/run/fetcher.sock"),
    )


def written(site: Site, name: str) -> str:
    write_site(site)
    return (site.folder / "site" / name).read_text()


def test_the_shipped_files_run_as_they_are(site: Site) -> None:
    write_site(site)
    for shipped in shipped_folder().iterdir():
        if shipped.name != "site":
            assert (site.folder / shipped.name).resolve() == shipped


def test_a_site_can_be_written_again(site: Site) -> None:
    write_site(site)
    assert "listen [::1]:80;" in written(replace(site, listen="[::1]:80"), "server.conf")


def test_the_examples_for_operators_are_the_files_that_are_generated(site: Site) -> None:
    write_site(site)
    examples = {file.name for file in (shipped_folder() / "site").iterdir()}
    assert {file.name for file in (site.folder / "site").iterdir()} == examples


def test_a_stream_root_may_hold_spaces(site: Site) -> None:
    assert f'root "{site.stream_root}";' in written(site, "stream_root.conf")


def test_every_sidecar_is_an_upstream_without_a_failure_limit(site: Site) -> None:
    text = written(site, "http.conf")
    for socket in site.sidecars:
        assert f'server "unix:{socket}" max_fails=0;' in text


def test_only_named_proxies_are_trusted_about_addresses(site: Site) -> None:
    assert "real_ip" not in written(site, "http.conf")


def test_named_proxies_are_trusted(site: Site) -> None:
    text = written(replace(site, trusted_proxies="10.0.0.0/8, 2001:db8::1"), "http.conf")
    assert "set_real_ip_from 10.0.0.0/8;" in text
    assert "set_real_ip_from 2001:db8::1/128;" in text
    assert "real_ip_recursive on;" in text


@pytest.mark.parametrize("proxies", ["everybody", "10.0.0.0/99", "10.0.0.1; include /etc/passwd"])
def test_a_proxy_that_is_not_an_address_is_refused(site: Site, proxies: str) -> None:
    with pytest.raises(OperatorError, match="TRUSTED_PROXIES"):
        write_site(replace(site, trusted_proxies=proxies))


def test_a_portal_on_another_origin_is_named_exactly(site: Site) -> None:
    text = written(replace(site, allowed_origins="https://a.example, http://b.example:8000"), "cors_origins.conf")
    assert '"https://a.example" "https://a.example";' in text
    assert '"http://b.example:8000" "http://b.example:8000";' in text


@pytest.mark.parametrize("origins", ["*", "https://*.example", "a.example", "https://a/path", 'https://a" "x'])
def test_an_invalid_origin_is_refused(site: Site, origins: str) -> None:
    with pytest.raises(OperatorError, match="CORS_ALLOWED_ORIGIN"):
        write_site(replace(site, allowed_origins=origins))


@pytest.mark.parametrize("name", ['a"b', "a$uri", "a\nb", "a\\b", "a\0b"])
def test_a_path_that_nginx_would_misread_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match="nginx cannot use the path"):
        quoted(Path("/srv") / name)
