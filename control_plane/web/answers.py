"""The JSON responses of the admin API: `{"data": ...}`; lists add `pagination`, changes add `revocation`."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from control_plane.schemas import Paging, Schema

T = TypeVar("T")


class Pagination(Schema):
    """The position of a page in a list; pages are numbered from 1."""

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
    """A page of search results. `note` is a sentence if too many match to be searched in full, otherwise null."""

    note: str | None


class History(Data[T], Generic[T]):
    """An object that contains a list, and the position of the page in that list."""

    pagination: Pagination


class Changed(Schema, Generic[T]):
    """`revocation` is the feed cursor whose receipt (`GET /api/admin/revocations/...`) shows where it is in force."""

    data: T
    revocation: str


def as_json(view: BaseModel) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True)


def data(value: Any, status: int = 200) -> JSONResponse:
    """Return a response with one view, or with a list of views."""
    views = [as_json(view) for view in value] if isinstance(value, list) else as_json(value)
    return JSONResponse({"data": views}, status)


def changed(value: Any, cursor: str) -> JSONResponse:
    """Return a response with one view, or with a list of views, and the feed cursor."""
    views = [as_json(view) for view in value] if isinstance(value, list) else as_json(value)
    return JSONResponse({"data": views, "revocation": cursor})


def page(rows: list[Any], paging: Paging, total: int) -> JSONResponse:
    return JSONResponse({"data": [as_json(row) for row in rows], "pagination": _pagination(paging, total)})


def searched(rows: list[Any], paging: Paging, total: int, note: str | None) -> JSONResponse:
    data = [as_json(row) for row in rows]
    return JSONResponse({"data": data, "pagination": _pagination(paging, total), "note": note})


def history(view: BaseModel, paging: Paging, total: int) -> JSONResponse:
    return JSONResponse({"data": as_json(view), "pagination": _pagination(paging, total)})


def _pagination(paging: Paging, total: int) -> dict[str, int]:
    pages = -(-total // paging.limit)
    return {"page": paging.page, "limit": paging.limit, "total": total, "totalPages": pages}


def nothing() -> Response:
    return Response(status_code=204)
