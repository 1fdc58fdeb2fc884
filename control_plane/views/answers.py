"""The form of the admin API's answers: `{"data": ...}`; lists add `pagination`, cuts and lifts the feed's place."""

from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

from control_plane.schemas import Paging
from control_plane.state import Request


def paging(request: Request) -> Paging:
    """Read page and limit; raise pydantic's ValidationError."""
    query = request.query_params
    return Paging.model_validate({name: query[name] for name in ("page", "limit") if name in query})


def as_json(view: BaseModel) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True)


def data(value: Any, status: int = 200) -> JSONResponse:
    return JSONResponse({"data": value}, status)


def changed(value: Any, cursor: str) -> JSONResponse:
    """Answer with what was changed and, as `revocation`, the place in the feed whose receipt says: in force."""
    return JSONResponse({"data": value, "revocation": cursor})


def page(rows: list[Any], asked: Paging, total: int) -> JSONResponse:
    pages = -(-total // asked.limit)
    pagination = {"page": asked.page, "limit": asked.limit, "total": total, "totalPages": pages}
    return JSONResponse({"data": [as_json(row) for row in rows], "pagination": pagination})
