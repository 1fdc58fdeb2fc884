"""The documented rules for names match what nginx does."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from control_plane.ops.nginx_site import shipped_folder
from control_plane.streams.names import EXTENSIONS, fault, is_playlist, query_fault

EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"
NGINX = shipped_folder()
[PATTERN] = re.findall(r'"~(\^.*\$)"  1;', (NGINX / "snippets/admission.conf").read_text())
PARTS = st.sampled_from(
    ["a", "Z9", "_", "-", ".", "..", "/", " ", ":", "é", "%", "TS", "ts", "M3u8", "key", "txt", "#"]
)


def admitted(name: str, query: str = "") -> bool:
    asked = f"/streams/{EVENT_ID}/{name}" + (f"?{query}" if query else "")
    return re.fullmatch(PATTERN.replace('\\"', '"'), asked) is not None


@given(st.lists(PARTS, max_size=8).map("".join))
@example("720p/17.TS")
@example("a.ts\n")
def test_a_name_is_valid_exactly_if_nginx_admits_it(name: str) -> None:
    assert (fault(name) is None) is admitted(name)


@given(st.text(st.characters(max_codepoint=0x180), max_size=6))
def test_a_query_is_valid_exactly_if_nginx_admits_it(query: str) -> None:
    assert (query_fault(query) is None) is admitted("1.ts", query)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("segment 1.ts", "a space"),
        ("seg:12.ts", "a colon (:)"),
        ("größe.m4s", "“ö”"),
        ("a%20b.ts", "a percent sign (%)"),
        ("a\u200bb.ts", "U+200B"),
        ("audio/.1.aac", "begins with a dot"),
        ("audio//1.aac", "empty"),
        ("clip.mkv", ".mkv"),
        ("segment", "no extension"),
        ("folder.ts/segment", "no extension"),
    ],
)
def test_the_fault_is_named(name: str, words: str) -> None:
    assert words in str(fault(name))


def test_every_admitted_extension_is_served_has_a_media_type_and_is_documented() -> None:
    locations = (NGINX / "locations/streams.conf").read_text()
    served = {
        name for group in re.findall(r"location ~\* \\\.(\S+)\$ {", locations) for name in re.findall(r"\w+", group)
    }
    types = re.search(r"types {(.*?)}", (NGINX / "snippets/media_types.conf").read_text(), re.DOTALL)
    typed = {name for line in (types[1] if types else "").splitlines() for name in line.rstrip(";").split()[1:]}
    documented = {*re.findall(r"\.(\w+)", _paragraph((NGINX.parent / "streams/README.md").read_text()))}
    assert served == typed == documented == EXTENSIONS


def test_a_playlist_is_recognized_in_any_case_of_its_extension() -> None:
    assert is_playlist("low/INDEX.M3U8")
    assert not is_playlist("m3u8")


def _paragraph(readme: str) -> str:
    found = re.search(r"one of the endings `(.*?)`, in lower", readme, re.DOTALL)
    assert found
    return found[1]
