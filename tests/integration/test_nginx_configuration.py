"""Static checks of the shipped nginx files: rules whose violation would open the gate."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crossplane
import pytest

from authz_sidecar.origin_fetcher.answers import MEDIA_TYPES
from control_plane.ops.binaries import find_nginx
from control_plane.ops.nginx_site import shipped_folder
from control_plane.ops.processes import prepare_stack
from tests.support.services.home import new_home

MODES = {
    "local": {},
    "hybrid": {"UPSTREAM_ORIGIN": "https://localhost:9/hls"},
    "proxy": {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": "http://localhost:9"},
    "own origins": {"UPSTREAM_ALLOWED_HOSTS": "localhost, 127.0.0.1:9"},
    "own origins, hybrid": {"UPSTREAM_ORIGIN": "http://localhost:9", "UPSTREAM_ALLOWED_HOSTS": "localhost:9,[::1]"},
}
REFUSALS = {"400", "401", "403", "404", "405", "414", "494", "500", "502", "503", "504"}
ASKED = {
    *("Host", "Connection", "Content-Length"),
    *("Authorization", "X-Gate-Query-Token", "Cookie", "X-Gate-Path-Token"),
    *("X-Gate-Method", "X-Gate-Path", "X-Gate-Client", "X-Gate-User-Agent"),
}
SHOWN = {"X-Gate-Origin", "X-Gate-Origin-Header", "X-Gate-Origin-Query"}
OF_THE_CLIENT = re.compile(
    r"\$(args|arg_|request_uri|query_string|is_args|http_|cookie_|remote_|request\b|request_body)"
)


@dataclass(frozen=True)
class Directive:
    name: str
    args: tuple[str, ...]
    inside: tuple["Directive", ...]
    parents: tuple[str, ...]

    def all(self, *names: str) -> list["Directive"]:
        return [child for child in self.inside if child.name in names]

    def value(self, name: str) -> str:
        [found] = self.all(name)
        return " ".join(found.args)

    def walk(self) -> Iterator["Directive"]:
        for child in self.inside:
            yield child
            yield from child.walk()

    def error_codes(self) -> set[str]:
        return {code for page in self.all("error_page") for code in page.args[:-1]}


def _made_by_up(home: Path, mode: str) -> Path:
    new_home(home)
    with (home / ".env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in MODES[mode].items())
        file.write("CORS_ALLOWED_ORIGIN=https://portal.example\n")
    prepare_stack(home)
    return home / "run" / "nginx"


def _shipped(home: Path, _mode: str) -> Path:
    return Path(shutil.copytree(shipped_folder(), home))


def _shipped_with_origins(home: Path, mode: str) -> Path:
    """Enable the lines for origins that are comments in the shipped files."""
    site = _shipped(home, mode) / "site"
    origin, root = site / "origin.conf", site / "stream_root.conf"
    lines = re.compile(r"^# (?=proxy_|  +inactive)", re.MULTILINE)
    origin.write_text(lines.sub("", origin.read_text()))
    root.write_text(root.read_text().replace("try_files $uri =404;\n", "").replace("# try_files", "try_files"))
    return home


SHIPPED = {"shipped": _shipped, "shipped, with origins": _shipped_with_origins}


@pytest.fixture(params=sorted(MODES), scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made_by_up(tmp_path_factory.mktemp("up") / "home", request.param)


@pytest.fixture(params=[*sorted(MODES), *SHIPPED], scope="module")
def configuration(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Directive:
    """The configuration that `up` writes, and the shipped one that operators edit without it."""
    make = SHIPPED.get(request.param) or _made_by_up
    folder = make(tmp_path_factory.mktemp("nginx") / "home", request.param)
    parsed = crossplane.parse(str(folder / "nginx.conf"), combine=True)
    assert parsed["status"] == "ok", parsed["errors"]
    return Directive("", (), tuple(_read(entry, ()) for entry in parsed["config"][0]["parsed"]), ())


def _read(entry: dict[str, Any], parents: tuple[str, ...]) -> Directive:
    name, args = entry["directive"], tuple(entry["args"])
    below = (*parents, " ".join((name, *args)))
    return Directive(name, args, tuple(_read(child, below) for child in entry.get("block", ())), parents)


def locations(configuration: Directive) -> list[Directive]:
    return [each for each in configuration.walk() if each.name == "location"]


def location(configuration: Directive, *args: str) -> Directive:
    [found] = [each for each in locations(configuration) if each.args == args]
    return found


def protected(configuration: Directive) -> tuple[Directive, ...]:
    """Return the locations inside the streams' location; each must be protected."""
    found = tuple(location(configuration, "^~", "/streams/").all("location"))
    assert len(found) == 3
    return found


def origins(configuration: Directive) -> list[Directive]:
    return [each for each in locations(configuration) if each.args[0].startswith("@origin_")]


def test_no_dangerous_directive_is_used(configuration: Directive) -> None:
    names = {each.name for each in configuration.walk()}
    assert not names & {"satisfy", "alias", "open_file_cache_errors", "resolver", "autoindex"}


def test_open_files_are_cached_for_segments_only_and_for_a_second(configuration: Directive) -> None:
    segments, playlists, keys = protected(configuration)
    assert segments.value("open_file_cache_valid") == "1s"
    assert not [one for one in (playlists, keys) if one.all("open_file_cache", "open_file_cache_valid")]
    everywhere = [each for each in configuration.walk() if each.name == "open_file_cache"]
    assert len(everywhere) == 1


def test_no_refusal_is_turned_into_something_else(configuration: Directive) -> None:
    pages = [each for each in configuration.walk() if each.name == "error_page"]
    assert pages
    assert not any(re.match(r"=\d", arg) for page in pages for arg in page.args)
    places = {page.args[-1] for page in pages if not page.args[-1].startswith("@")}
    assert places == {"/_bad_request", "/_not_supported", "/_too_large", "/_too_long", "/_unavailable"}
    assert all(location(configuration, "=", place).all("internal") for place in places)


def test_no_regular_expression_can_take_precedence_over_a_prefix(configuration: Directive) -> None:
    patterns = [each for each in locations(configuration) if each.args[0] in {"~", "~*"}]
    assert {each.parents[-1] for each in patterns} == {"location ^~ /streams/"}
    prefixes = [
        each.args for each in locations(configuration) if each.args[-1].startswith("/") and each.args[-1] != "/"
    ]
    assert {args[0] for args in prefixes} == {"=", "^~"}


def test_the_request_to_the_sidecar_is_internal_and_passes_nothing_of_the_client(configuration: Directive) -> None:
    question = location(configuration, "=", "/_authorize")
    assert question.all("internal")
    assert question.value("proxy_pass_request_headers") == "off"
    assert question.value("proxy_pass_request_body") == "off"
    assert not question.all("error_page", "proxy_intercept_errors", "add_header", "if", "return", "proxy_cache")
    assert question.value("proxy_pass") == "http://sidecars/authorize"
    assert {each.args[0] for each in question.all("proxy_set_header")} == ASKED


def test_every_protected_location_authorizes_and_handles_all_refusals(configuration: Directive) -> None:
    for each in protected(configuration):
        assert each.value("auth_request") == "/_authorize"
        assert each.error_codes() >= REFUSALS
        assert each.value("disable_symlinks") == "on from=$document_root"
        assert each.value("max_ranges") == "1"
        assert each.value("rewrite") == "^/streams(/.+)$ $1 break"
        assert [child.args for child in each.all("set")] == [("$gate_path", "$uri")]
        assert not each.all("return", "proxy_pass", "location")


def test_directives_before_the_verdict_only_refuse(configuration: Directive) -> None:
    for each in protected(configuration):
        for condition in each.all("if"):
            [only] = condition.inside
            assert (only.name, only.args[0]) in {("return", "204"), ("return", "404"), ("return", "405")}
        assert each.all("if")[0].args == ("$stream_admitted", "=", "0")
    conditions = [each for each in configuration.walk() if each.name == "if"]
    assert all([child.name for child in each.inside] == ["return"] for each in conditions)


def test_the_origin_is_reached_only_after_the_verdict(configuration: Directive) -> None:
    for each in configuration.walk():
        names_it = any("@origin_" in arg or "$origin_location" in arg for arg in each.args)
        if names_it and each.name not in {"location", "map"}:
            assert each.name == "try_files" or each.parents[-1].startswith("map ")
    for asking in [each for each in locations(configuration) if each.all("try_files")]:
        assert asking in protected(configuration)


def test_nothing_of_the_client_goes_to_the_origin_nor_into_a_key(configuration: Directive) -> None:
    assert len(origins(configuration)) == 4
    for each in origins(configuration):
        assert each.value("proxy_pass_request_headers") == "off"
        assert each.value("proxy_pass_request_body") == "off"
        assert each.value("proxy_pass") in {"http://origin_fetcher$uri", "http://origin_fetcher$uri$origin_query"}
        assert {sent.args[0] for sent in each.all("proxy_set_header") if sent.args[1].startswith("$gate_")} == SHOWN
        for sent in each.all("proxy_pass", "proxy_set_header", "proxy_cache_key"):
            assert not OF_THE_CLIENT.search(" ".join(sent.args))
        assert not each.all("proxy_redirect", "if", "return", "rewrite")


def test_an_origins_credentials_are_in_no_file_no_key_and_no_log(configuration: Directive) -> None:
    for each in configuration.walk():
        if any("$gate_origin_" in arg for arg in each.args):
            assert each.name in {"auth_request_set", "proxy_set_header"}


def test_only_the_control_planes_own_reader_sees_what_an_origin_answered(configuration: Directive) -> None:
    told = [each for each in configuration.walk() if any("x_origin_answer" in arg for arg in each.args)]
    assert [(each.name, each.parents[-1]) for each in told] == [("yes", "map $gate_reader $origin_answer")]
    for each in origins(configuration):
        assert "X-Origin-Answer" in {hidden.args[0] for hidden in each.all("proxy_hide_header")}


def test_the_media_types_of_files_and_of_origin_responses_are_the_same(configuration: Directive) -> None:
    [http] = configuration.all("http")
    [types] = http.all("types")
    assert {extension: each.name for each in types.inside for extension in each.args} == MEDIA_TYPES


def test_the_origins_failures_are_never_reported_as_the_gates(configuration: Directive) -> None:
    for each in origins(configuration):
        assert each.value("proxy_intercept_errors") == "on"
        assert each.error_codes() >= {"401", "403", "404", "500", "502", "503", "504"}
        assert {page.args[-1] for page in each.all("error_page")} == {"@not_found", "@source_unavailable"}


def test_cached_files_are_requested_once_and_keys_are_not_cached(configuration: Directive) -> None:
    for each in origins(configuration):
        if each.args == ("@origin_key",):
            assert each.value("proxy_cache") == "off"
            assert each.value("proxy_max_temp_file_size") == "0"
            continue
        assert each.value("proxy_cache_lock") == "on"
        assert each.value("proxy_cache_background_update") == "off"
        assert "updating" in each.value("proxy_cache_use_stale").split()
        key = each.value("proxy_cache_key")
        assert key.startswith("$uri")
        assert key.endswith("$gate_origin"), "what another origin has sent is not this one's"


def test_playlists_have_no_validators(configuration: Directive) -> None:
    playlists = [location(configuration, "~*", r"\.m3u8$"), *origins(configuration)[:2]]
    for each in playlists:
        assert (each.value("etag"), each.value("if_modified_since"), each.value("gzip")) == ("off", "off", "on")


def test_cross_origin_headers_name_no_wildcard_and_no_credentials(configuration: Directive) -> None:
    headers = [each.args for each in configuration.walk() if each.name == "add_header"]
    allowed = {args[1] for args in headers if args[0] == "Access-Control-Allow-Origin"}
    assert allowed == {"$cors_origin"}
    assert not any(args[0] == "Access-Control-Allow-Credentials" for args in headers)


def test_nginx_itself_accepts_the_files(folder: Path) -> None:
    command = [find_nginx(), "-t", "-q", "-p", f"{folder}/", "-c", f"{folder}/nginx.conf", "-e", "stderr"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (told.returncode, told.stderr) == (0, "")


def test_every_finding_of_gixy_is_explained_in_the_configuration(folder: Path) -> None:
    gixy = [str(Path(sys.executable).with_name("gixy")), "-f", "json", str(folder / "nginx.conf")]
    told = subprocess.run(gixy, capture_output=True, text=True, check=False, timeout=60)
    files = [path.read_text() for path in shipped_folder().rglob("*.conf")]
    explained = set(re.findall(r"^ *# gixy, (\w+): \S", "\n".join(files), re.MULTILINE))
    found = {finding["plugin"] for finding in json.loads(told.stdout)}
    assert found - explained == set(), told.stdout
    if "$origin_location" in (folder / "site" / "stream_root.conf").read_text():
        assert explained - found == set(), "an explanation without a finding"
