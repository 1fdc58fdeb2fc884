"""How a process of ours serves one ASGI application: logs as JSON lines, nothing told to strangers, quick to stop."""

from typing import Any, Final

import structlog
import uvicorn

from authz_sidecar.contract.log_lines import listen_to_libraries

KEEP_ALIVE_SECONDS: Final = 75  # longer than nginx keeps its idle connections (60 s), so that nginx is the one to close


def log_as_json(**libraries: Any) -> None:
    """Let the log be JSON, also what libraries say; `libraries` is as listen_to_libraries takes it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    listen_to_libraries(**libraries)


def serve(app: Any, **where: Any) -> None:
    """Serve until a signal. `where` is for uvicorn: a socket or a port, and a protocol of one's own."""
    uvicorn.run(
        app,
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        **where,
    )
