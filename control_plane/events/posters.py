"""Posters that organisers upload: a picture of theirs becomes a WebP of ours, kept in the database.

What a stranger sent is never shown: only what was drawn anew is kept, without metadata such as where a photo was taken.
The address holds a digest of the content, so a browser may keep for good what it found there.
"""

from hashlib import sha256
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.errors import FieldRefused, NotFound
from control_plane.models import Event, Poster

MAX_BYTES: Final = 5 * 1024 * 1024
MEDIA_TYPE: Final = "image/webp"
MEDIA_TYPES: Final = ("image/jpeg", "image/png", MEDIA_TYPE)
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_MOST_PIXELS: Final = 25_000_000  # what a phone's camera makes; decoded they take 100 MB
_LONGEST_SIDE: Final = 1920
_QUALITY: Final = 80
_DIGEST_LENGTH: Final = 32
_NO_PICTURE: Final = "This is not a picture in JPEG, PNG or WebP format, or it is damaged."
_TOO_MANY_PIXELS: Final = "This picture has more than 25 megapixels. Please upload a smaller one."

Image.MAX_IMAGE_PIXELS = None  # our own bound is lower, and not a warning


def drawn(sent: bytes) -> bytes:
    """Return the picture as we keep it. Raise FieldRefused. It may take a second: call it in a thread."""
    try:
        return _drawn(sent)
    except FieldRefused:
        raise
    except Exception:  # noqa: BLE001 - a damaged picture may fail in the decoder in any way
        raise FieldRefused("poster", _NO_PICTURE) from None


def _drawn(sent: bytes) -> bytes:
    made = BytesIO()
    with Image.open(BytesIO(sent), formats=_FORMATS) as opened:
        if opened.width * opened.height > _MOST_PIXELS:
            raise FieldRefused("poster", _TOO_MANY_PIXELS)
        picture = opened.convert("RGBA") if opened.mode == "P" else opened
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        upright = ImageOps.exif_transpose(picture)
        shown = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    shown.info.clear()
    shown.save(made, "WEBP", quality=_QUALITY)
    return made.getvalue()


async def put(db: AsyncSession, event: Event, content: bytes) -> None:
    """Show this picture, as `drawn` made it, in place of the one before."""
    await db.merge(Poster(event_id=event.id, content=content))
    event.poster_digest = sha256(content).hexdigest()[:_DIGEST_LENGTH]
    await db.flush()


async def remove(db: AsyncSession, event: Event) -> None:
    await db.execute(delete(Poster).where(Poster.event_id == event.id))
    event.poster_digest = None
    await db.flush()


async def find(db: AsyncSession, event_id: str, digest: str) -> bytes:
    """Raise NotFound."""
    mine = select(Poster.content).join(Event, Event.id == Poster.event_id)
    content = await db.scalar(mine.where(Event.id == event_id, Event.poster_digest == digest))
    if content is None:
        raise NotFound
    return content


def address(event: Event) -> str | None:
    """Return the path of the uploaded poster, if there is one."""
    return f"/posters/{event.id}/{event.poster_digest}.webp" if event.poster_digest else None


def shown(event: Event) -> str | None:
    """Return where viewers find the event's poster: the uploaded one counts before an address elsewhere."""
    return address(event) or event.poster_url
