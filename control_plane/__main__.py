"""Runs the control plane: `python -m control_plane --uds /run/streamgate/control.sock`. Settings: the environment."""

import argparse
import gc
import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from pydantic import ValidationError

from authz_sidecar.contract.settings_errors import sentences
from control_plane import logs
from control_plane.app import create_app
from control_plane.db.database import DatabaseUnusable, upgrade_schema
from control_plane.sealed_columns import seal_all
from control_plane.settings import Settings

log = structlog.get_logger()
KEEP_ALIVE_SECONDS = 75  # longer than nginx's keep-alive (60 s), so that nginx closes idle connections


class GracefulServer(uvicorn.Server):
    """Ends the long polls on shutdown, so that a shutdown takes no longer than the responses in progress.

    Shuts down on a signal, and also when a background task of the application has crashed: a new process starts all
    of them again.
    """

    def __init__(self, config: uvicorn.Config, wake_waiters: Callable[[], None]) -> None:
        super().__init__(config)
        self._wake_waiters = wake_waiters

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._wake_waiters()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if not self.has_crashed:
            return await super().on_tick(counter)
        self._wake_waiters()
        return True

    @property
    def has_crashed(self) -> bool:
        return bool(self.lifespan.error_occurred)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m control_plane", description=__doc__)
    listen = parser.add_mutually_exclusive_group(required=True)
    listen.add_argument("--uds", help="unix socket to listen on")
    listen.add_argument("--port", type=int, help="loopback port to listen on")
    arguments = parser.parse_args()
    logs.set_up()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("\n".join(sentences(error.errors())))
    try:
        upgrade_schema(settings.database_url)
        broken = seal_all(settings.database_url, settings.sealer())
    except DatabaseUnusable as error:
        sys.exit(str(error))
    _report_secrets(settings, broken)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        uds=arguments.uds,
        host="127.0.0.1",
        port=arguments.port or 0,
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
    )
    server = GracefulServer(config, app.state.wake_waiters)
    gc.freeze()  # these objects live as long as the process: exclude them from all collections
    server.run()
    if server.has_crashed:
        sys.exit(1)


def _report_secrets(settings: Settings, broken: int) -> None:
    if not settings.secrets_key:
        log.warning("secrets_key_missing")
    if broken:
        log.error("secrets_not_opened", count=broken)


if __name__ == "__main__":
    main()
