"""Serve one ASGI application with uvicorn: logs as JSON lines, no server details in responses, a quick shutdown."""

from typing import Any, Final

import structlog
import uvicorn

from authz_sidecar.contract.log_lines import listen_to_libraries

KEEP_ALIVE_SECONDS: Final = 75  # longer than nginx keeps idle connections (60 s), so that nginx closes them


def log_as_json(**libraries: Any) -> None:
    """Log JSON lines, also for messages of libraries; `libraries` is passed to listen_to_libraries."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    listen_to_libraries(**libraries)


def serve(app: Any, **where: Any) -> None:
    """Serve until a signal. `where` is passed to uvicorn: a socket or a port, and a custom protocol class."""
    uvicorn.run(
        app,
        access_log=False,
        ws="none",
        log_level="warning",
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        **where,
    )
