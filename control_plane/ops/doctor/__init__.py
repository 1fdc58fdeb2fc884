"""Find problems of an installation and explain how to fix them, for the command line and the console.

Checks are read-only: no file, table or process is changed. A check that cannot be made is reported as a finding, too.
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

# In the order in which problems should be fixed.
_CHECKS: Final[Sequence[Check]] = (settings.examine, nginx.examine, origin.examine, machine.examine, proxies.examine)
_SEVERITY: Final = [Level.OK, Level.WARNING, Level.ERROR]


async def examine(installation: Installation, now: datetime) -> list[Finding]:
    """Run all checks. This takes some seconds, because playlists are watched for that long."""
    findings: list[Finding] = []
    for check in _CHECKS:
        findings += await to_thread.run_sync(partial(_run_check, check, installation))
    found, events = await database.examine(installation, now)
    findings += found
    findings += await to_thread.run_sync(
        partial(_run_check, partial(streams.examine, events=events, now=now), installation)
    )
    reported = {finding.about for finding in findings if finding.level is not Level.OK}
    unreported = [event for event in events if streams.about(event) not in reported]
    return findings + await trees.examine(installation, unreported, now)


def worst(findings: Sequence[Finding]) -> Level:
    return max((finding.level for finding in findings), key=_SEVERITY.index, default=Level.OK)


def _run_check(check: Check, installation: Installation) -> list[Finding]:
    """Run a check; return a warning when a file or a program cannot be read."""
    try:
        return check(installation)
    except OSError as problem:
        what = f"could not be checked: {(problem.strerror or '').lower()}"
        return [
            warning(str(problem.filename or "this machine"), what, "Run the doctor as the user that runs the service.")
        ]
