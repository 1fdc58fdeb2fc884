"""Looks for what is wrong with an installation, and says how to fix it: for the command and for the console.

It only looks: no file, no table and no process is changed. A check that cannot be made is a finding, too.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from anyio import to_thread

from control_plane.ops.doctor import database, machine, nginx, origin, proxies, settings, streams, trees
from control_plane.ops.doctor.finding import Finding, Installation, Level, warning

__all__ = ["Finding", "Installation", "Level", "examine", "worst"]

Check = Callable[[Installation], list[Finding]]

# In the order in which one would fix things.
_FIRST: Final[Sequence[Check]] = (settings.examine, nginx.examine, origin.examine, machine.examine, proxies.examine)
_SEVERITY: Final = [Level.OK, Level.WARNING, Level.ERROR]


async def examine(installation: Installation, now: datetime) -> list[Finding]:
    """Make all checks. It takes some seconds: as long as playlists are watched."""
    findings: list[Finding] = []
    for check in _FIRST:
        findings += await to_thread.run_sync(partial(_made, check, installation))
    found, events = await database.examine(installation, now)
    findings += found
    findings += await to_thread.run_sync(partial(_made, partial(streams.examine, events=events, now=now), installation))
    told = {finding.about for finding in findings if finding.level is not Level.OK}
    unsaid = [event for event in events if streams.about(event) not in told]
    return findings + await trees.examine(installation, unsaid, now)


def worst(findings: Sequence[Finding]) -> Level:
    return max((finding.level for finding in findings), key=_SEVERITY.index, default=Level.OK)


def _made(check: Check, installation: Installation) -> list[Finding]:
    """Go on when a file or a program does not let itself be looked at."""
    try:
        return check(installation)
    except OSError as problem:
        what = f"could not be looked at: {(problem.strerror or '').lower()}"
        return [
            warning(str(problem.filename or "this machine"), what, "Run the doctor as the user that runs the service.")
        ]
