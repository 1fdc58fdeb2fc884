"""Posters that organisers upload: re-encoded without metadata, and served from our own origin."""

from io import BytesIO

import httpx2
import pytest
from PIL import Image

from tests.support.clients.api import Admin, ControlPlane, ViewerClient
from tests.support.media.pictures import picture

pytestmark = pytest.mark.anyio
PLACE = "52.520008"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def bomb() -> bytes:
    """Return a small file with a picture of 100 megapixels."""
    written = BytesIO()
    Image.new("1", (10_000, 10_000)).save(written, "PNG")
    return written.getvalue()


async def upload(admin: Admin, event_id: str, body: bytes, media_type: str = "image/png") -> httpx2.Response:
    path = f"/api/admin/events/{event_id}/poster"
    return await admin.http.put(path, content=body, headers={"Content-Type": media_type})


def from_a_phone() -> bytes:
    """Return a portrait photo of a phone, with a location in its metadata."""
    told = Image.Exif()
    told[0x0112], told[0x010E] = 6, PLACE
    return picture("JPEG", (2400, 1200), exif=told, comment=PLACE.encode())


async def test_a_photo_is_shown_upright_smaller_and_without_metadata(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event(posterUrl="https://cdn.example/p.jpg")
    code = (await admin.codes(event_id))[0]["code"]
    answer = await upload(admin, event_id, from_a_phone(), "image/jpeg")
    assert answer.status_code == 200, answer.text
    address = answer.json()["data"]["uploadedPoster"]
    assert (await phone.validate(code)).json()["event"]["posterUrl"] == address
    async with plane.browser() as stranger:
        shown = await stranger.get(address)
        elsewhere = [
            await stranger.get(address.replace(*change)) for change in (("/posters/", "/posters/0"), (".w", "0.w"))
        ]
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert {one.status_code for one in elsewhere} == {404}
    assert PLACE.encode() not in shown.content
    with Image.open(BytesIO(shown.content)) as seen:
        assert (seen.size, dict(seen.getexif())) == ((960, 1920), {})


async def test_a_new_picture_has_a_new_address_and_without_one_the_organisers_address_is_used(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event(posterUrl="https://cdn.example/p.jpg")
    code = (await admin.codes(event_id))[0]["code"]
    sent = picture("PNG", mode="RGBA"), picture("WEBP", (32, 32)), picture("PNG", (48, 27), "P")
    uploads = [(await upload(admin, event_id, body)).json()["data"]["uploadedPoster"] for body in sent]
    assert len(set(uploads)) == len(sent)
    async with plane.browser() as stranger:
        assert [(await stranger.get(address)).status_code for address in uploads] == [404, 404, 200]
        for _ in range(2):
            removed = await admin.http.delete(f"/api/admin/events/{event_id}/poster")
            assert (removed.status_code, removed.json()["data"]["uploadedPoster"]) == (200, None)
        assert (await stranger.get(uploads[-1])).status_code == 404
    assert (await phone.validate(code)).json()["event"]["posterUrl"] == "https://cdn.example/p.jpg"
    entries = (await admin.list("/audit", action="event.poster"))["data"]
    assert [one["detail"]["isUploaded"] for one in entries] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("body", "media_type", "status", "sentence"),
    [
        (
            SVG,
            "image/png",
            422,
            "not a picture",
        ),
        (picture("GIF"), "image/png", 422, "not a picture"),
        (picture("JPEG", (640, 360))[:700], "image/jpeg", 422, "not a picture"),
        (picture("PNG").replace(b"IDAT", b"IDA\xff"), "image/png", 422, "not a picture"),
        (b"", "image/png", 422, "not a picture"),
        (bomb(), "image/png", 422, "25 megapixels"),
        (picture("PNG"), "image/gif", 400, "image/webp"),
        (b"\xff\xd8" + b"x" * 5 * 1024 * 1024, "image/jpeg", 413, "too large"),
    ],
    ids=["svg", "gif", "cut off", "damaged", "nothing", "bomb", "other type", "large"],
)
async def test_an_invalid_or_too_large_picture_is_refused_with_a_sentence_and_changes_nothing(
    admin: Admin, body: bytes, media_type: str, status: int, sentence: str
) -> None:
    event_id = await admin.create_event()
    before = (await upload(admin, event_id, picture())).json()["data"]["uploadedPoster"]
    answer = await upload(admin, event_id, body, media_type)
    told = answer.json()
    assert answer.status_code == status
    assert sentence in told.get("fields", {}).get("poster", told["error"])
    assert (await admin.list(f"/events/{event_id}"))["data"]["uploadedPoster"] == before


async def test_an_event_is_deleted_with_its_poster(plane: ControlPlane, admin: Admin) -> None:
    event_id = await admin.create_event()
    address = (await upload(admin, event_id, picture())).json()["data"]["uploadedPoster"]
    answer = await admin.http.delete(f"/api/admin/events/{event_id}", headers={"X-Confirm-Delete": "Concert"})
    assert answer.status_code == 204
    async with plane.browser() as stranger:
        assert (await stranger.get(address)).status_code == 404
