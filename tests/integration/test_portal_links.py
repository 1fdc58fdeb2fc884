"""The footer of the portal: the organiser's links, and nothing if there are none."""

import re

import pytest

from tests.support.clients.api import make_settings, running

pytestmark = pytest.mark.anyio


async def foot(database_url: str, **settings: str) -> list[tuple[str, str]]:
    async with running(make_settings(database_url, **settings)) as plane, plane.browser() as http:
        page = (await http.get("/?lang=de")).text
    footer = page[page.index("<footer") : page.index("</footer>")]
    return re.findall(r'<li><a href="([^"]*)"[^>]*>([^<]*)</a>', footer)


async def test_contact_imprint_and_privacy_are_linked_in_the_viewers_language(database_url: str) -> None:
    links = await foot(
        database_url,
        organiser_contact="help@hall.example",
        imprint_url="https://hall.example/imprint",
        privacy_url="https://hall.example/privacy?a=1&b=2",
    )
    assert links == [
        ("mailto:help@hall.example", "Veranstalter kontaktieren"),
        ("https://hall.example/imprint", "Impressum"),
        ("https://hall.example/privacy?a=1&amp;b=2", "Datenschutz"),
    ]


async def test_the_hidden_contact_is_next_to_problems_that_viewers_cannot_solve(database_url: str) -> None:
    settings = make_settings(database_url, organiser_contact="help@hall.example")
    async with running(settings) as plane, plane.browser() as http:
        page = (await http.get("/")).text
    offered = re.findall(r'<p class="contact" data-contact hidden><a href="([^"]*)">([^<]*)</a></p>', page)
    assert offered == [("mailto:help@hall.example", "Contact the organizer")] * 3  # code, ending, trouble


async def test_without_them_the_foot_is_empty(database_url: str) -> None:
    assert await foot(database_url) == []
