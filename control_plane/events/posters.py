"""Posters uploaded by organisers: each picture is re-encoded as WebP and stored in the database.

An uploaded file is never served: only the re-encoded picture is kept, without metadata such as where a photo was taken.
The URL contains a digest of the content, so browsers may cache it forever.
"""

from hashlib import sha256
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.errors import FieldRefused, NotFound
from control_plane.tables import Event, Poster

MAX_BYTES: Final = 5 * 1024 * 1024
MEDIA_TYPE: Final = "image/webp"
MEDIA_TYPES: Final = ("image/jpeg", "image/png", MEDIA_TYPE)
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_MAX_PIXELS: Final = 25_000_000  # as a phone's camera produces; decoded they take 100 MB
_MAX_SIDE: Final = 1920
_QUALITY: Final = 80
_DIGEST_LENGTH: Final = 32
_NO_PICTURE: Final = "This is not a picture in JPEG, PNG or WebP format, or it is damaged."
_TOO_MANY_PIXELS: Final = "This picture has more than 25 megapixels. Please upload a smaller one."

Image.MAX_IMAGE_PIXELS = None  # our own limit is lower, and an error instead of a warning


def reencoded(upload: bytes) -> bytes:
    """Return the picture re-encoded for storage. Raise FieldRefused. This may take a second: call it in a thread."""
    try:
        return _reencoded(upload)
    except FieldRefused:
        raise
    except Exception:  # noqa: BLE001 - the decoder may raise anything for a damaged picture
        raise FieldRefused("poster", _NO_PICTURE) from None


def _reencoded(upload: bytes) -> bytes:
    output = BytesIO()
    with Image.open(BytesIO(upload), formats=_FORMATS) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise FieldRefused("poster", _TOO_MANY_PIXELS)
        picture = image.convert("RGBA") if image.mode == "P" else image
        picture.thumbnail((_MAX_SIDE, _MAX_SIDE))
        upright = ImageOps.exif_transpose(picture)
        result = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    result.info.clear()
    result.save(output, "WEBP", quality=_QUALITY)
    return output.getvalue()


async def put(db: AsyncSession, event: Event, content: bytes) -> None:
    """Store this picture, as returned by `reencoded`, in place of the previous one."""
    await db.merge(Poster(event_id=event.id, content=content))
    event.poster_digest = sha256(content).hexdigest()[:_DIGEST_LENGTH]
    await db.flush()


async def remove(db: AsyncSession, event: Event) -> None:
    await db.execute(delete(Poster).where(Poster.event_id == event.id))
    event.poster_digest = None
    await db.flush()


async def find(db: AsyncSession, event_id: str, digest: str) -> bytes:
    """Return the event's current poster if it has this digest. Raise NotFound otherwise."""
    query = select(Poster.content).join(Event, Event.id == Poster.event_id)
    content = await db.scalar(query.where(Event.id == event_id, Event.poster_digest == digest))
    if content is None:
        raise NotFound
    return content


def address(event: Event) -> str | None:
    """Return the path of the uploaded poster, or None if there is none."""
    return f"/posters/{event.id}/{event.poster_digest}.webp" if event.poster_digest else None


def shown(event: Event) -> str | None:
    """Return the URL of the event's poster: an uploaded one takes precedence over an external one."""
    return address(event) or event.poster_url
