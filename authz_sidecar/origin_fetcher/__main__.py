"""Runs the fetcher: `python -m authz_sidecar.origin_fetcher --uds SOCKET`. Settings: the environment."""

import argparse
import os
import sys

import structlog
import uvicorn

from authz_sidecar.contract.log_lines import listen_to_libraries
from authz_sidecar.contract.origin_settings import OriginSettings, trusted_authorities
from authz_sidecar.origin_fetcher.app import create_app

KEEP_ALIVE_SECONDS = 75  # longer than nginx keeps its idle connections (60 s), so that nginx is the one to close
_LEFT_INCOMPLETE = "ASGI callable returned without completing response"  # on purpose, and said by ourselves


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m authz_sidecar.origin_fetcher", description=__doc__)
    parser.add_argument("--uds", required=True, help="unix socket to listen on")
    arguments = parser.parse_args()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    listen_to_libraries(but_for=_LEFT_INCOMPLETE)
    try:
        settings = OriginSettings.read(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(settings, trusted_authorities(os.environ)),
        uds=arguments.uds,
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
