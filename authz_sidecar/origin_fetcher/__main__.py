"""Run the fetcher: `python -m authz_sidecar.origin_fetcher --uds SOCKET`. Reads settings from the environment."""

import argparse
import os
import sys

from authz_sidecar.contract.origin_settings import OriginSettings, trusted_authorities
from authz_sidecar.origin_fetcher.app import create_app
from authz_sidecar.serving import log_as_json, serve

_LEFT_INCOMPLETE = "ASGI callable returned without completing response"  # done on purpose, and logged by the fetcher


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m authz_sidecar.origin_fetcher", description=__doc__)
    parser.add_argument("--uds", required=True, help="unix socket to listen on")
    arguments = parser.parse_args()
    log_as_json(except_prefix=_LEFT_INCOMPLETE)
    try:
        settings = OriginSettings.read(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    serve(create_app(settings, trusted_authorities(os.environ)), uds=arguments.uds)


if __name__ == "__main__":
    main()
