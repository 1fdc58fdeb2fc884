"""Runs one sidecar: `python -m authz_sidecar --uds /run/streamgate/sidecar-1.sock`. Settings: the environment."""

import argparse
import sys

import structlog
import uvicorn
from pydantic import ValidationError

from authz_sidecar.app import create_app
from authz_sidecar.contract.log_lines import listen_to_libraries
from authz_sidecar.contract.settings_errors import sentences
from authz_sidecar.fast_lane import FastLane
from authz_sidecar.settings import SidecarSettings

KEEP_ALIVE_SECONDS = 75  # longer than nginx keeps its idle connections (60 s), so that nginx is the one to close


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m authz_sidecar", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--uds", help="unix socket to listen on")
    where.add_argument("--port", type=int, help="loopback port to listen on")
    arguments = parser.parse_args()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    listen_to_libraries()
    try:
        settings = SidecarSettings()
    except ValidationError as error:
        sys.exit("\n".join(sentences(error.errors())))
    app = create_app(settings)
    uvicorn.run(
        app,
        http=FastLane.for_questions(app.authorize),
        uds=arguments.uds,
        host="127.0.0.1",
        port=arguments.port or 0,
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
