"""What the command line says about the set-up link. It is a secret, shown only to those who ask for it."""

from pathlib import Path

from control_plane.access.audited_change import Action, AuditedChange
from control_plane.accounts import setup_link
from control_plane.cli import commands
from control_plane.clock import utc_now
from control_plane.ops.home import public_port, read_environment, setup_link_file
from control_plane.ops.processes import local_url


def fresh_link(home: Path) -> str:
    """Return a link that makes the first owner. Raise OperatorError when there is an account already."""
    environment = read_environment(home)
    origin = environment.get("PLATFORM_APP_URL", "").rstrip("/")

    async def work(deed: AuditedChange) -> str:
        return await setup_link.make(deed.db, utc_now())

    token = commands.apply_change(home, Action.SETUP_LINK_CREATE, work)
    return setup_link.link(origin or local_url("127.0.0.1", public_port(environment)), token)


def hint(home: Path, *, is_terminal: bool) -> str | None:
    """Say how to make the first owner, None when there is one. Where a log may be listening, only name the file."""
    file = setup_link_file(home.absolute())
    try:
        link = file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    if is_terminal:
        return f"There is no account yet. Make yours here, within a day: {link}"
    return f"There is no account yet. The link to make one stands in {file}"
