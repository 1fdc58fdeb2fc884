"""Run one sidecar: `python -m authz_sidecar --uds /run/streamgate/sidecar-1.sock`. Settings: the environment."""

import argparse
import sys

from pydantic import ValidationError

from authz_sidecar.app import create_app
from authz_sidecar.contract.settings_errors import sentences
from authz_sidecar.fast_lane import FastLane
from authz_sidecar.serving import log_as_json, serve
from authz_sidecar.settings import SidecarSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m authz_sidecar", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--uds", help="unix socket to listen on")
    where.add_argument("--port", type=int, help="loopback port to listen on")
    arguments = parser.parse_args()
    log_as_json()
    try:
        settings = SidecarSettings()
    except ValidationError as error:
        sys.exit("\n".join(sentences(error.errors())))
    app = create_app(settings)
    protocol = FastLane.with_authorize(app.authorize) if settings.sidecar_fast_lane else "httptools"
    serve(app, http=protocol, uds=arguments.uds, host="127.0.0.1", port=arguments.port or 0)


if __name__ == "__main__":
    main()
