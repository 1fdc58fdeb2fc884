"""Which module has which command. A module is imported only when one of its commands is used."""

from importlib import import_module
from typing import Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

_MODULES: Final = {
    "init": "service",
    "up": "service",
    "demo": "service",
    "migrate": "service",
    "hash-password": "service",
    "setup-link": "setup_link",
    "backup": "backups",
    "restore": "backups",
    "doctor": "doctoring",
    "event": "events",
    "ticket": "tickets",
    "key": "keys",
    "secrets": "secrets",
}


class LazyGroup(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the name Typer calls it by
        return list(_MODULES)

    def get_command(self, ctx: object, cmd_name: str):  # type: ignore[no-untyped-def]  # noqa: ANN201, ARG002
        """Return the command, None if there is none: Typer's own type of it is private."""
        if (module := _MODULES.get(cmd_name)) is None:
            return None
        parent = typer.Typer(rich_markup_mode=None)
        parent.add_typer(import_module(f"control_plane.cli.{module}").app)
        return get_group(parent).commands[cmd_name]
