"""The form of the admin API's answers: `{"data": ...}`; lists add `pagination`, cuts and lifts the feed's place."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from control_plane.schemas import Paging, Schema

T = TypeVar("T")


class Pagination(Schema):
    """Where a list stands; pages count from 1."""

    page: int
    limit: int
    total: int
    total_pages: int


class Data(Schema, Generic[T]):
    data: T


class Page(Schema, Generic[T]):
    data: list[T]
    pagination: Pagination


class Searched(Page[T], Generic[T]):
    """`note` says so where a search is too common to be answered in full; it is null otherwise."""

    note: str | None


class History(Data[T], Generic[T]):
    """One thing with a list inside, and where that stands."""

    pagination: Pagination


class Changed(Schema, Generic[T]):
    """`revocation` is the place in the feed whose receipt (`GET /api/admin/revocations/...`) says: in force."""

    data: T
    revocation: str


def as_json(view: BaseModel) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True)


def data(value: Any, status: int = 200) -> JSONResponse:
    """Answer with one view, or with several."""
    views = [as_json(view) for view in value] if isinstance(value, list) else as_json(value)
    return JSONResponse({"data": views}, status)


def changed(value: Any, cursor: str) -> JSONResponse:
    """Answer with one view, or with several, and with the feed's place."""
    views = [as_json(view) for view in value] if isinstance(value, list) else as_json(value)
    return JSONResponse({"data": views, "revocation": cursor})


def page(rows: list[Any], asked: Paging, total: int) -> JSONResponse:
    return JSONResponse({"data": [as_json(row) for row in rows], "pagination": _pagination(asked, total)})


def searched(rows: list[Any], asked: Paging, total: int, note: str | None) -> JSONResponse:
    data = [as_json(row) for row in rows]
    return JSONResponse({"data": data, "pagination": _pagination(asked, total), "note": note})


def history(view: BaseModel, asked: Paging, total: int) -> JSONResponse:
    return JSONResponse({"data": as_json(view), "pagination": _pagination(asked, total)})


def _pagination(asked: Paging, total: int) -> dict[str, int]:
    pages = -(-total // asked.limit)
    return {"page": asked.page, "limit": asked.limit, "total": total, "totalPages": pages}


def nothing() -> Response:
    return Response(status_code=204)
