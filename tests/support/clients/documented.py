"""Every refusal that a test meets has to be in the API's document: a client must know what may come."""

import re
from functools import cache

import httpx2

from control_plane.api.docs import document


@cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, list[str]]]]:
    return [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), _reasons(operation))
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def _reasons(operation: dict[str, dict[str, dict[str, str]]]) -> dict[str, list[str]]:
    return {status: answer["description"].split(", ") for status, answer in operation["responses"].items()}


async def check(response: httpx2.Response) -> None:
    """Raise AssertionError for a refusal of a documented operation that the document does not name."""
    if not response.is_error or "json" not in response.headers.get("content-type", ""):
        return
    await response.aread()
    reason = response.json().get("reason")
    for method, path, reasons in _operations():
        if response.request.method == method and path.fullmatch(response.request.url.path):
            documented = reasons.get(str(response.status_code), [])
            assert reason in documented, (
                f"{method} {path.pattern} answers {response.status_code} {reason}: not documented"
            )
