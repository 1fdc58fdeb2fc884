"""The control plane's log: one JSON object per line from every source, without the text of exceptions."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
import structlog

from control_plane import logs


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    written, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for library in ("uvicorn", "uvicorn.error", "asyncio"):  # as in a new process: other tests may have configured them
        monkeypatch.setattr(logging.getLogger(library), "handlers", [])
        monkeypatch.setattr(logging.getLogger(library), "propagate", True)
    with redirect_stdout(written):
        logs.set_up()
        yield written
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def fail(password: str) -> None:
    try:
        int(password)
    except ValueError as error:
        raise RuntimeError(f"no {password}") from error


def test_our_own_log_event_is_one_line(log: io.StringIO) -> None:
    structlog.get_logger().warning("feed_lost", error="OSError")
    [line] = lines(log)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "feed_lost", "level": "warning", "error": "OSError"}


def test_an_exception_is_logged_without_its_text_and_without_values(log: io.StringIO) -> None:
    try:
        fail("hunter2-secret")
    except RuntimeError as error:
        structlog.get_logger().error("unhandled_error", route="/", exc_info=error)
    [line] = lines(log)
    assert line["error"] == "RuntimeError from ValueError"
    assert line["traceback"][0].endswith(" fail")
    assert "test_logs.py:" in line["traceback"][0]
    assert "hunter2-secret" not in log.getvalue()


def test_a_librarys_message_is_also_one_line(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=E('hunter2')>")
    try:
        fail("hunter2-secret")
    except RuntimeError:
        logging.getLogger("somebody").exception("It failed")
    first, second, third = lines(log)
    assert (first["event"], first["logger"], first["level"]) == ("library_message", "uvicorn.error", "warning")
    assert second["message"] == "Task exception was never retrieved"
    assert third["error"] == "RuntimeError from ValueError"
    assert "hunter2" not in log.getvalue()


def test_a_traceback_in_a_message_is_logged_as_its_type(log: io.StringIO) -> None:
    text = 'Traceback (most recent call last):\n  File "x.py", line 1\nsqlalchemy.exc.OperationalError: hunter2'
    logging.getLogger("uvicorn.error").error(text)
    [line] = lines(log)
    assert line["error"] == "sqlalchemy.exc.OperationalError"
    assert "hunter2" not in log.getvalue()


def test_messages_that_we_log_ourselves_are_not_logged_again(log: io.StringIO) -> None:
    try:
        fail("hunter2-secret")
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    assert lines(log) == []
