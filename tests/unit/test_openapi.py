"""The OpenAPI document: responses of every operation, and the one whose body may replace a header."""

from typing import Any

import pytest

from control_plane.api.docs import document

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_every_operation_documents_an_unreachable_database_and_a_too_large_body(
    operation: dict[str, Any],
) -> None:
    away = operation["responses"]["503"]
    assert "unavailable" in away["description"].split(", ")
    assert away["content"].keys() == {"application/json"}
    too_large = operation["responses"].get("413", {"description": ""})
    assert ("content-too-large" in too_large["description"]) is ("requestBody" in operation)


def test_a_beacon_releases_with_its_body_and_without_a_header() -> None:
    release = OPERATIONS["POST /api/playback/release"]
    assert release["requestBody"] == {"content": {"text/plain": {"schema": {}}}, "required": False}
    assert release["security"] == [{"playbackToken": []}, {}]
    imported = OPERATIONS["POST /api/admin/events/{event_id}/tokens/import"]
    assert imported["requestBody"]["required"]
